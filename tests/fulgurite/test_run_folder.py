import errno
import os
from types import SimpleNamespace

import pytest

from datamodules.atomic_file import DiskError
from fulgurite import run_folder
from fulgurite.run_folder import TRIES, RunFolder


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a run whose configuration cannot be written the first few times, for a reason; return the tries."""
    monkeypatch.setattr(run_folder.time, "sleep", lambda _: None)

    def run(failures, reason):
        tried = []

        def save(path):
            tried.append(path)
            if len(tried) <= failures:
                raise DiskError(f"{path} cannot be written: {reason}", reason)
            (tmp_path / "config.yaml").write_text("model: {}\n")

        RunFolder(tmp_path, save).on_fit_start(SimpleNamespace(is_global_zero=True), None)
        return len(tried)

    return run


def test_a_folder_that_is_being_deleted_is_begun_when_that_is_over(begin, tmp_path):
    assert begin(TRIES - 1, os.strerror(errno.ENOENT)) == TRIES
    assert (tmp_path / "config.yaml").is_file()


@pytest.mark.parametrize(("failures", "reason"), [(TRIES, errno.ENOENT), (1, errno.ENOSPC)])
def test_what_does_not_pass_is_told(begin, failures, reason):
    with pytest.raises(DiskError, match=os.strerror(reason)):
        begin(failures, os.strerror(reason))
