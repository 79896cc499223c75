import os

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.images.sample_writer import SampleWriter
from datamodules.batches import Samples
from datamodules.errors import InputError

Z = torch.arange(6.0).reshape(3, 2)


def write(folder, batches, ends=True):
    writer = SampleWriter(folder)
    for number, samples in enumerate(batches):
        writer.on_predict_batch_end(None, None, samples, None, number)
    if ends:
        writer.on_predict_end(None, None)
    return writer


def samples(count, clips=False, first=0):
    return Samples(
        Z[first : first + count], torch.rand(count, 1, 8, 8), torch.rand(count, 4, 1, 16, 16) if clips else None
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_samples_are_numbered_over_the_batches(tmp_path, capsys):
    folder = tmp_path / "drawn"
    write(folder, [samples(2), samples(1, first=2)])
    assert names(folder) == ["0000.png", "0001.png", "0002.png", "latents.npy", "sheet.png"]
    np.testing.assert_array_equal(np.load(folder / "latents.npy"), Z)
    assert capsys.readouterr().out == f"Samples: {os.path.relpath(folder)}\n"


def test_a_larger_sheet_is_beside_the_other_and_goes_with_it(tmp_path):
    writer = SampleWriter(tmp_path, scale=16)
    writer.on_predict_batch_end(None, None, samples(2), None, 0)
    writer.on_predict_end(None, None)
    assert names(tmp_path) == ["0000.png", "0001.png", "latents.npy", "sheet.png", "sheet_x16_lanczos.png"]
    with Image.open(tmp_path / "sheet_x16_lanczos.png") as sheet:
        assert sheet.size == (2 * (8 * 16 + 2), 18 + 8 * 16 + 2)
    write(tmp_path, [samples(1)])
    assert names(tmp_path) == ["0000.png", "latents.npy", "sheet.png"]


def test_clips_are_written_where_there_are_any(tmp_path):
    write(tmp_path, [samples(1, clips=True)])
    assert names(tmp_path) == ["0000.gif", "0000.mp4", "0000.png", "latents.npy", "sheet.png"]


def test_new_samples_take_the_place_of_earlier_ones_and_of_nothing_else(tmp_path):
    write(tmp_path, [samples(3)])
    (tmp_path / "notes.txt").touch()
    write(tmp_path, [samples(1)])
    assert names(tmp_path) == ["0000.png", "latents.npy", "notes.txt", "sheet.png"]


def test_a_call_that_breaks_off_leaves_the_earlier_samples_as_they_were(tmp_path, capsys):
    folder = tmp_path / "drawn"
    write(folder, [samples(3)])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    writer = write(folder, [samples(1)], ends=False)
    writer.on_exception(None, None, KeyboardInterrupt())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert names(tmp_path) == ["drawn", "drawn.unfinished"]
    assert names(tmp_path / "drawn.unfinished") == ["0000.png"]
    assert f"What was finished lies in {tmp_path / 'drawn.unfinished'}" in capsys.readouterr().err


def test_other_pictures_are_refused(tmp_path):
    (tmp_path / "0001.png").touch()
    with pytest.raises(InputError, match=r"holds 0001\.png, which is no sample"):
        SampleWriter(tmp_path)
