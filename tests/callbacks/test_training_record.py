import pytest

from callbacks import training_record
from callbacks.training_record import Pace, TrainingRecord
from datamodules.errors import InputError


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr(training_record.time, "perf_counter", lambda: now[0])
    return now


def test_the_pace_leaves_out_what_lies_between(clock):
    pace = Pace()
    for wait in (1.0, 3.0):
        clock[0] += wait  # the first is not waited for by anybody who could tell
        pace.begin()
        clock[0] += 2.0
        pace.end(8)
    pace.interrupt()
    clock[0] += 1000.0
    pace.begin()
    clock[0] += 2.0
    pace.end(8)
    assert (pace.seconds, pace.waited) == (9.0, 3.0)
    assert pace.figures() == {"samples_per_second": 24 / 9, "data_wait_share": 3 / 9, "step_seconds": 2.0}
    assert Pace().figures() == {}


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"training\.json is damaged .*; remove it"):
        training_record._earlier_seconds(tmp_path / "training.json")


def test_nothing_is_kept_in_checkpoints():
    assert TrainingRecord().state_dict() == {}
