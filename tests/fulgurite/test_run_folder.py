import os
import shutil
from types import SimpleNamespace

import pytest

from datamodules import atomic_file
from datamodules.atomic_file import DiskError
from fulgurite.run_folder import RunFolder

CONFIG = "model: {}\n"


@pytest.fixture
def begin(tmp_path):
    """Begin a run, and return its folder."""

    def run():
        RunFolder(tmp_path / "a", lambda: CONFIG).on_fit_start(SimpleNamespace(is_global_zero=True), None)
        return tmp_path / "a"

    return run


def test_a_folder_that_is_being_deleted_is_begun_when_that_is_over(begin, tmp_path, monkeypatch):
    put, deleted = atomic_file.os.replace, []

    def replace(draft, path):
        if not deleted:
            shutil.rmtree(tmp_path / "a")
            deleted.append(path)
        put(draft, path)

    monkeypatch.setattr(atomic_file.os, "replace", replace)
    assert (begin() / "config.yaml").read_text() == CONFIG
    assert deleted
    assert (tmp_path / "latest").resolve() == tmp_path / "a"


def test_what_does_not_pass_is_told(begin, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(DiskError, match="cannot be written"):
        begin()


def test_latest_leads_to_a_run_with_its_first_best_weights_and_not_before(tmp_path):
    trainer = SimpleNamespace(is_global_zero=True)
    good, new = tmp_path / "good", tmp_path / "new"
    for run, begun in ((good, 1), (new, 2)):
        (run / "checkpoints").mkdir(parents=True)
        folder = RunFolder(run, lambda: CONFIG)
        folder.on_fit_start(trainer, None)
        os.utime(run / "config.yaml", (begun, begun))
        if run == good:
            (run / "checkpoints/best.ckpt").touch()
    assert (tmp_path / "latest").resolve() == good
    (new / "checkpoints/last.ckpt").touch()
    folder.on_train_batch_start(trainer, None, None, 0)
    assert (tmp_path / "latest").resolve() == good
    (new / "checkpoints/best.ckpt").touch()
    folder.on_train_batch_start(trainer, None, None, 1)
    assert (tmp_path / "latest").resolve() == new


def test_a_test_whose_results_a_callback_has_written_leaves_no_word_of_its_own(tmp_path, capsys):
    writer = SimpleNamespace(results_folder=tmp_path / "results/ped2")
    RunFolder(tmp_path, lambda: CONFIG).on_test_end(SimpleNamespace(is_global_zero=True, callbacks=[writer]), None)
    assert "Run folder: " in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]
