import contextlib
import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datamodules import atomic_file as atomic_file_module
from datamodules.atomic_file import DiskError, atomic_file, atomic_folder, folder_once, write_text


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    target = tmp_path / "new/cars"
    for name in ("old.png", "sub"):
        with atomic_folder(target) as draft:
            (draft / name).mkdir()
            assert not (target / name).exists()
    assert tree(tmp_path) == ["new", "new/cars", "new/cars/sub"]


def test_an_error_leaves_the_old_folder_and_what_was_finished_beside_it(tmp_path, capsys):
    with atomic_folder(tmp_path / "cars") as draft:
        (draft / "old.png").touch()
    for name in ("first.png", "second.png"):
        with contextlib.suppress(KeyboardInterrupt), atomic_folder(tmp_path / "cars") as draft:
            (draft / name).touch()
            raise KeyboardInterrupt
    assert tree(tmp_path) == ["cars", "cars.unfinished", "cars.unfinished/second.png", "cars/old.png"]
    assert str(tmp_path / "cars.unfinished") in capsys.readouterr().err


def test_an_error_before_anything_was_written_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "cars") as draft:
        (draft / "missing/half.png").touch()
    assert tree(tmp_path) == []


def test_a_file_whose_folder_is_deleted_meanwhile_is_written_into_a_new_one(tmp_path):
    checked = []
    with atomic_file(tmp_path / "run/a", check=lambda draft: checked.append(draft.read_bytes())) as file:
        file.write(b"first, ")
        shutil.rmtree(tmp_path / "run")
        file.write(b"second")
    assert tree(tmp_path) == ["run", "run/a"]
    assert checked == [(tmp_path / "run/a").read_bytes()] == [b"first, second"]


def test_drafts_of_dead_processes_are_removed_and_those_of_living_ones_are_not(tmp_path):
    dead, living = tmp_path / ".tmp-999999999-cars", tmp_path / f".tmp-{os.getppid()}-cars"
    for folder in (dead, living):
        (folder / "inputs").mkdir(parents=True)
    with atomic_folder(tmp_path / "one"), atomic_folder(tmp_path / "two"):
        pass
    assert tree(tmp_path) == [living.name, f"{living.name}/inputs", "one", "two"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="file/cars cannot be written"), atomic_folder(tmp_path / "file/cars"):
        pass


def test_a_folder_that_is_there_stays(tmp_path):
    target = tmp_path / "cars"
    with folder_once(target) as draft:
        (draft / "slow.png").touch()
        with folder_once(target) as other:
            (other / "fast.png").touch()
    assert tree(tmp_path) == ["cars", "cars/fast.png"]


def test_a_folder_that_is_not_whole_is_replaced(tmp_path):
    target = tmp_path / "cars"
    (target / "half").mkdir(parents=True)
    with folder_once(target, lambda folder: (folder / "whole").exists()) as draft:
        (draft / "whole").touch()
        assert (target / "half").exists()
    assert tree(tmp_path) == ["cars", "cars/whole"]


def test_an_error_leaves_nothing_of_what_is_made_once(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), folder_once(tmp_path / "cars") as draft:
        (draft / "half.png").touch()
        raise KeyboardInterrupt
    assert tree(tmp_path) == []
    with pytest.raises(DiskError, match=r"cars cannot be written: No space") as told, folder_once(tmp_path / "cars"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert told.value.reason == "No space left on device"
    assert tree(tmp_path) == []


def test_an_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    rename, target = Path.rename, tmp_path / "cars"
    (target / "old").mkdir(parents=True)

    def fails(self, place):
        if (self / "new").exists() and place == target:
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, place)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(DiskError, match="Permission denied"), atomic_folder(target) as draft:
        (draft / "new").touch()
    assert tree(tmp_path) == ["cars", "cars.unfinished", "cars.unfinished/new", "cars/old"]


def test_drafts_of_other_machines_are_left_alone_for_a_day(tmp_path):
    working, left = tmp_path / ".tmp-999999999.0123abcd-1", tmp_path / ".tmp-999999999.0123abcd-2"
    for folder in (working, left):
        folder.mkdir()
        (folder / "frames.npy").touch()
    for path in (working, left, left / "frames.npy"):  # the first is still being written
        os.utime(path, (0, 0))
    write_text(tmp_path / "a.txt", "a")
    assert tree(tmp_path) == [working.name, f"{working.name}/frames.npy", "a.txt"]


def test_threads_do_not_sweep_each_others_drafts(tmp_path):
    def work(number):
        for turn in range(20):
            with folder_once(tmp_path / f"{number}-{turn}") as draft:
                (draft / "a").touch()
                write_text(draft / "b", "b")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(tree(tmp_path)) == 3 * 8 * 20


def test_files_in_a_draft_are_made_durable_once_all_together(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    with atomic_folder(tmp_path / "cars") as draft:
        write_text(draft / "sub/a.txt", "a")
        assert synced == []
    assert sorted(path.name for path in synced if path != tmp_path)[1:] == ["a.txt", "sub"]


def test_the_longest_name_can_be_written(tmp_path):
    write_text(tmp_path / ("a" * 255), "a")
    assert tree(tmp_path) == ["a" * 255]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE])
def test_whatever_is_wrong_with_the_disk_is_told_and_the_old_file_stays(code, tmp_path, monkeypatch):
    write_text(tmp_path / "a", "old")

    def fails(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(DiskError, match=f"a cannot be written: {os.strerror(code)}"):
        write_text(tmp_path / "a", "new")
    assert tree(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("place", ["pipe", "folder", "folder/..", ".", "", "/", "/dev/null"])
def test_what_is_no_file_is_not_replaced(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DiskError, match="no file, but a folder or a device"):
        write_text(Path(place), "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]
    assert (tmp_path / "pipe").is_fifo()
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_is_deleted_again_and_again_gets_its_file_when_that_is_over(tmp_path, monkeypatch):
    deleted = []
    replace = atomic_file_module.os.replace

    def deleted_first(source, target):
        if len(deleted) < 3:
            deleted.append(target)
            shutil.rmtree(tmp_path / "run")
        replace(source, target)

    monkeypatch.setattr(atomic_file_module.os, "replace", deleted_first)
    monkeypatch.setattr(atomic_file_module.time, "sleep", lambda _: None)
    write_text(tmp_path / "run/a.txt", "whole")
    assert len(deleted) == 3
    assert (tmp_path / "run/a.txt").read_text() == "whole"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["a.txt"]
