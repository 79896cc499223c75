"""The memory of a calibration is measured on the real parts, and set beside what it was."""

from benchmarks import calibration_memory as memory


def test_every_part_is_measured_in_both_ways(monkeypatch, capsys):
    seen = []

    def here(peak, work, frames):
        seen.append((work, frames))
        return peak(work, frames)

    monkeypatch.setattr(memory, "in_own_process", here)
    memory.main(["--frames", "128", "--kept", "128"])
    printed = capsys.readouterr().out
    for name, one_of, bounded, everything in memory.ROWS:
        assert name in printed
        assert {(bounded, 128 // one_of), (everything, 128 // one_of)} <= set(seen)


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
