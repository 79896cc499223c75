import numpy as np
import pytest
import torch

from callbacks.images.sample_writer import SampleWriter
from datamodules.batches import Samples
from datamodules.errors import InputError

Z = torch.arange(6.0).reshape(3, 2)


def write(folder, batches):
    writer = SampleWriter(folder, Z)
    for number, samples in enumerate(batches):
        writer.on_predict_batch_end(None, None, samples, None, number)
    return writer


def samples(count, clips=False):
    return Samples(torch.rand(count, 1, 8, 8), torch.rand(count, 4, 1, 16, 16) if clips else None)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_samples_are_numbered_over_the_batches(tmp_path, capsys):
    folder = tmp_path / "drawn"
    writer = write(folder, [samples(2), samples(1)])
    writer.on_predict_end(None, None)
    assert names(folder) == ["0000.png", "0001.png", "0002.png", "latents.npy", "sheet.png"]
    np.testing.assert_array_equal(np.load(folder / "latents.npy"), Z)
    assert capsys.readouterr().out == f"Samples: {folder}\n"


def test_clips_are_written_where_there_are_any(tmp_path):
    write(tmp_path, [samples(1, clips=True)])
    assert names(tmp_path) == ["0000.gif", "0000.mp4", "0000.png", "latents.npy"]


def test_what_broke_off_is_known_for_samples(tmp_path):
    write(tmp_path, [samples(3)])  # no end
    write(tmp_path, [samples(1)])
    assert names(tmp_path) == ["0000.png", "latents.npy"]


def test_earlier_samples_stay_until_there_are_new_ones(tmp_path):
    write(tmp_path, [samples(3)])
    write(tmp_path, [])
    assert "0002.png" in names(tmp_path)


def test_other_pictures_are_refused(tmp_path):
    (tmp_path / "0001.png").touch()
    with pytest.raises(InputError, match=r"holds 0001\.png, which is no sample"):
        SampleWriter(tmp_path, Z)
