import pytest

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
