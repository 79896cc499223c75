import contextlib
import os

import pytest

from datamodules.atomic_file import atomic_folder
from datamodules.errors import InputError


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


def test_drafts_of_dead_processes_are_removed_and_those_of_living_ones_are_not(tmp_path):
    dead, living = tmp_path / ".tmp-999999999-cars", tmp_path / f".tmp-{os.getppid()}-cars"
    for folder in (dead, living):
        (folder / "inputs").mkdir(parents=True)
    with atomic_folder(tmp_path / "one"), atomic_folder(tmp_path / "two"):
        pass
    assert tree(tmp_path) == [living.name, f"{living.name}/inputs", "one", "two"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/cars cannot be written"), atomic_folder(tmp_path / "file/cars"):
        pass
