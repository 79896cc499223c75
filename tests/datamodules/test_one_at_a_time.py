"""Threads, processes, and what a killed one leaves; see also tests/soak/two_at_once.py."""

import errno
import fcntl
import subprocess
import sys

import pytest

from datamodules.one_at_a_time import one_at_a_time

HOLDS = """
import sys, time
from pathlib import Path
from datamodules.one_at_a_time import one_at_a_time
with one_at_a_time(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""
CROSSED = """
import threading
def work(path):
    with one_at_a_time(path):
        time.sleep(0.5)
first, second = map(Path, sys.argv[1:])
threads = [threading.Thread(target=work, args=(path,)) for path in (first, second)]
threads[0].start()
time.sleep(0.2)
threads[1].start()
sys.exit(any(thread.join() for thread in threads))
"""


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "a")], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_another_process_is_waited_for_until_it_ends(holder, tmp_path):
    with (tmp_path / ".lock-a").open("a") as file, pytest.raises(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with one_at_a_time(tmp_path / "b"):
        pass  # another path is nobody else's
    holder.kill()
    with one_at_a_time(tmp_path / "a"):
        assert holder.wait(10) == -9
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_threads_of_two_processes_that_want_what_the_other_has_are_no_deadlock(tmp_path):
    script = HOLDS.split("with")[0] + CROSSED
    names = [str(tmp_path / name) for name in "ab"]
    processes = [subprocess.Popen([sys.executable, "-c", script, *order]) for order in (names, names[::-1])]
    assert [process.wait(120) for process in processes] == [0, 0]


def test_a_file_system_without_locks_lets_everybody_in(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuses)
    with one_at_a_time(tmp_path / "a"):
        pass


def test_other_errors_are_told(tmp_path):
    with pytest.raises(FileNotFoundError), one_at_a_time(tmp_path / "nowhere/a"):
        pass
