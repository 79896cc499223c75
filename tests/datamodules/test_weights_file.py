import copy
import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch

from datamodules.errors import InputError
from datamodules.weights_file import read_checkpoint, read_weights

OLD = {"epoch": 1, "weight": torch.zeros(1000)}
NEW = {"epoch": 2, "weight": torch.ones(300_000)}


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run(tmp_path, zipped):
    path, canary = tmp_path / "bomb.ckpt", tmp_path / "canary"
    torch.save({"state_dict": {}, "callbacks": Bomb(canary)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"bomb.ckpt is refused"):
        read_weights(path, unchecked_too=True)
    assert not canary.exists()


def test_the_form_without_checksums_is_taken_where_it_is_asked_for(tmp_path):
    path = tmp_path / "published.pth"
    torch.save(OLD, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(path, unchecked_too=True)["weight"], OLD["weight"])
    torch.save(NEW, path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="Bad CRC"):
        read_weights(path, unchecked_too=True)


def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path):
    path, weight = tmp_path / "last.ckpt", torch.randn(200)
    torch.save({"epoch": 1, "state_dict": {"weight": weight}}, path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for position in generator.choice(len(whole), 400, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        try:
            read = read_checkpoint(path)
        except InputError:
            refused += 1
        else:  # it was padding, or a date
            assert read["epoch"] == 1
            assert torch.equal(read["state_dict"]["weight"], weight)
    assert refused > 150


@pytest.mark.parametrize("kind", ["compressed", "twice", "overlapping", "a pickle", "text"])
def test_an_archive_that_torch_does_not_write_is_refused(tmp_path, kind):
    path = tmp_path / "last.ckpt"
    if kind == "text":
        path.write_text("epoch: 1")
    elif kind == "a pickle":
        torch.save(OLD, path, _use_new_zipfile_serialization=False)
    else:
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", pickle.dumps(OLD["epoch"]))
            archive.writestr("a/data/0", bytes(10_000), zipfile.ZIP_DEFLATED if kind == "compressed" else None)
            if kind == "twice":
                archive.writestr("a/data.pkl", pickle.dumps(OLD["epoch"]))
            if kind == "overlapping":
                archive.filelist.extend(archive.filelist[-1:] * 9)
                for number, part in enumerate(archive.filelist[2:]):
                    archive.filelist[2 + number] = part = copy.copy(part)
                    part.filename = f"a/data/{number + 1}"
    with pytest.raises(InputError, match=r"last.ckpt is not a whole checkpoint"):
        read_checkpoint(path)


def test_tensors_that_are_not_touched_are_not_read(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(NEW, path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert read_checkpoint(path, mmap=True)["epoch"] == 2
    with pytest.raises(InputError, match="Bad CRC"):
        read_checkpoint(path)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path, part):
    path = tmp_path / "last.ckpt"
    torch.save(NEW, path)
    os.truncate(path, int(part * path.stat().st_size))
    with pytest.raises(InputError, match=r"last\.ckpt"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="There is no checkpoint"):
        read_checkpoint(tmp_path / "last.ckpt")
