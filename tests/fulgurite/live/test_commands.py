import sys
import time

import pytest

from fulgurite.live.commands import MOST, AlarmCommand, words_of

VALUES = {"clip": "a b.mp4", "event": "1", "start": "0:02", "score": "1.2", "threshold": "1"}


def test_few_run_at_once_and_the_others_are_told(tmp_path):
    told = []
    command = AlarmCommand(f"{sys.executable} -c 'import time; time.sleep(0.6)'", tmp_path / "log", told.append)
    began = time.monotonic()
    for number in range(MOST + 2):
        command.run(VALUES | {"event": str(number)})
    assert time.monotonic() - began < 0.5
    assert [one.partition(":")[0] for one in told] == [
        f"--on-alarm was not run for event {number}" for number in (MOST, MOST + 1)
    ]
    command.wait(10)
    assert (command.failed, len(told)) == (2, 2)


def test_what_never_ends_is_left_to_itself(tmp_path):
    told = []
    command = AlarmCommand(f"{sys.executable} -c 'import time; time.sleep(2)'", tmp_path / "log", told.append)
    command.run(VALUES)
    command.wait(0.05)
    assert told == ["--on-alarm: 1 still running, and left to themselves"]


def test_braces_of_others_stay():
    assert words_of("""echo '{"text": 1}' {clip}""") == ["echo", '{"text": 1}', "{clip}"]


def test_a_program_that_vanishes_is_told(tmp_path):
    told, program = [], tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = AlarmCommand(str(program), tmp_path / "log", told.append)
    program.unlink()
    command.run(VALUES)
    command.wait(10)
    assert told == ["--on-alarm could not be run for event 1: No such file or directory"]


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_is_no_command(text):
    with pytest.raises(ValueError, match="there is no program ''"):
        words_of(text)
