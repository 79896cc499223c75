"""The memory of a calibration is measured on the real parts, and set beside what it was."""

import pytest

from benchmarks import calibration_memory as memory


@pytest.mark.parametrize(("name", "one_of", "bounded", "everything"), memory.ROWS, ids=[row[0] for row in memory.ROWS])
def test_both_ways_take_in_what_is_generated(name, one_of, bounded, everything):
    bounded(128)
    everything(128)


def test_the_old_way_is_measured_as_far_as_it_goes_and_then_in_proportion(monkeypatch, capsys):
    monkeypatch.setattr(memory, "in_own_process", lambda peak, work, frames: (frames * (1 + (work == "old"))) << 20)
    monkeypatch.setattr(memory, "ROWS", [("toy", 1, "new", "old"), ("rare", 10, "new", "old")])
    memory.main(["--frames", "10", "100", "1000", "--kept", "100"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line[3:8:2] for line in lines[1:]] == [
        ["10", "20", "10"],
        ["100", "200", "100"],
        ["1,000", "~2,000", "1,000"],
        ["1", "2", "1"],
        ["10", "20", "10"],
        ["100", "~200", "100"],
    ]
