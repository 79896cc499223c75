import errno
import io
import os
import pickle
import resource
import signal

import pytest
import torch

from callbacks import AtomicCheckpointIO
from datamodules import atomic_file
from datamodules.errors import InputError

OLD = {"epoch": 1, "weight": torch.zeros(1000)}
NEW = {"epoch": 2, "weight": torch.ones(300_000)}


def names(folder):
    return [path.name for path in folder.iterdir()]


def in_child(action):
    """Run ``action`` in a fork and return its wait status."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(function):
    def wrapper(*args, **kwargs):
        function(*args, **kwargs)
        die()

    return wrapper


def die_half_way(checkpoint, stream, save=torch.save):
    whole = io.BytesIO()
    save(checkpoint, whole)
    stream.write(whole.getvalue()[: whole.tell() // 2])
    die()


KILLS = {
    "before a byte is written": (torch, "save", die),
    "half way": (torch, "save", die_half_way),
    "before the file is durable": (os, "fsync", die),
    "after the file is durable": (os, "fsync", die_after(os.fsync)),
    "before the rename": (os, "replace", die),
    "after the rename": (os, "replace", die_after(os.replace)),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_kill_in_the_middle_of_a_save_leaves_a_file_that_loads(tmp_path, moment):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(OLD, path)

    def save():
        setattr(*KILLS[moment])
        AtomicCheckpointIO().save_checkpoint(NEW, path)

    assert os.WTERMSIG(in_child(save)) == signal.SIGKILL  # the kill did land inside the save
    expected = 2 if moment == "after the rename" else 1
    assert AtomicCheckpointIO().load_checkpoint(path)["epoch"] == expected
    AtomicCheckpointIO().save_checkpoint(NEW, path)  # and what the kill left is swept by the next save
    assert names(tmp_path) == ["last.ckpt"]
    assert torch.equal(AtomicCheckpointIO().load_checkpoint(path)["weight"], NEW["weight"])


def test_temporary_files_of_living_processes_stay(tmp_path):
    kept = tmp_path / f".tmp-{os.getppid()}-last.ckpt"
    dead = tmp_path / ".tmp-99999999-last.ckpt"
    ours = tmp_path / f".tmp-{os.getpid()}-other.ckpt"
    foreign = tmp_path / ".tmp-notes-of-mine"
    for file in (kept, dead, ours, foreign):
        file.touch()
    atomic_file.remove_stale(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([kept, foreign])


def test_a_full_disk_names_path_and_bytes_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(OLD, path)

    def save():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(InputError, match=r"last.ckpt cannot be written: File too large \(1,2\d\d,\d{3} bytes"):
            AtomicCheckpointIO().save_checkpoint(NEW, path)

    assert in_child(save) == 0
    assert AtomicCheckpointIO().load_checkpoint(path)["epoch"] == 1
    assert names(tmp_path) == ["last.ckpt"]


@pytest.mark.parametrize("folder", ["/proc/nowhere", "file/checkpoints"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"last.ckpt cannot be written: .* Free some space"):
        AtomicCheckpointIO().save_checkpoint(OLD, tmp_path / folder / "last.ckpt")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_error_at_the_rename_keeps_the_old_file(tmp_path, monkeypatch, code):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(OLD, path)

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match=os.strerror(code)):
        AtomicCheckpointIO().save_checkpoint(NEW, path)
    assert AtomicCheckpointIO().load_checkpoint(path)["epoch"] == 1
    assert names(tmp_path) == ["last.ckpt"]


def test_a_file_that_came_out_damaged_does_not_replace_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(OLD, path)
    monkeypatch.setattr(torch, "save", lambda _, stream: stream.write(b"PK\x03\x04 half an archive"))
    with pytest.raises(Exception, match="not a zip"):
        AtomicCheckpointIO().save_checkpoint(NEW, path)
    monkeypatch.undo()
    assert AtomicCheckpointIO().load_checkpoint(path)["epoch"] == 1


def test_what_cannot_be_pickled_is_not_called_a_full_disk(tmp_path):
    with pytest.raises((AttributeError, pickle.PicklingError)):
        AtomicCheckpointIO().save_checkpoint({"f": lambda: None}, tmp_path / "last.ckpt")
    assert names(tmp_path) == []


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_a_pickle_bomb_is_refused_unexploded(tmp_path):
    path, canary = tmp_path / "bomb.ckpt", tmp_path / "canary"
    torch.save({"state_dict": {}, "callbacks": Bomb(canary)}, path)
    with pytest.raises(InputError, match=r"bomb.ckpt is refused"):
        AtomicCheckpointIO().load_checkpoint(path)
    assert not canary.exists()
    with pytest.raises(InputError, match=r"bomb.ckpt is refused"):
        AtomicCheckpointIO().load_checkpoint(path, weights_only=False)  # nor for those who ask
    assert not canary.exists()


@pytest.mark.parametrize("damage", ["missing", "one bit"])
def test_what_cannot_be_read_is_refused(tmp_path, damage):
    path = tmp_path / "last.ckpt"
    if damage == "one bit":
        AtomicCheckpointIO().save_checkpoint(NEW, path)
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
    with pytest.raises(InputError, match="Bad CRC" if damage == "one bit" else "There is no checkpoint"):
        AtomicCheckpointIO().load_checkpoint(path)
