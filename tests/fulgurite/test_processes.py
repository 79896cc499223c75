import errno
import os

import pytest

from datamodules.atomic_file import BAD_DISK
from datamodules.errors import InputError
from fulgurite.errors import readable_errors
from fulgurite.processes import rank

SLURM = {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_PROCID": "1"}


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"LOCAL_RANK": "1"}, 1),
        ({"NODE_RANK": "2", "LOCAL_RANK": "0"}, 2),
        (SLURM, 1),
        (SLURM | {"SLURM_JOB_NAME": "interactive"}, 0),
    ],
)
def test_the_number_of_this_process(environment, number):
    assert rank(environment) == number


def test_a_task_of_slurm_says_which_one_it_is(monkeypatch, capsys):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end, readable_errors():
        raise InputError("clip7.mp4 is damaged")
    assert end.value.code == 2
    assert capsys.readouterr().err == "[process 1] error: clip7.mp4 is damaged\n"


@pytest.mark.parametrize("code", sorted(BAD_DISK))
@pytest.mark.parametrize("path", ["media/batch-1.png", None])
def test_a_bad_disk_is_told_wherever_it_shows(code, path, capsys):
    with pytest.raises(SystemExit) as end, readable_errors():
        raise OSError(code, os.strerror(code), path)
    assert end.value.code == 2
    told = (
        f"error: {path or 'a file'} cannot be written: {os.strerror(code)}. Free some space, or name another folder\n"
    )
    assert capsys.readouterr().err == told


def test_what_is_no_fault_of_the_disk_keeps_its_traceback():
    with pytest.raises(PermissionError), readable_errors():
        raise PermissionError(errno.EACCES, "Permission denied", "a")
