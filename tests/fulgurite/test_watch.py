"""Who of several processes failed first is found out, said once, and ends the others; see also tests/soak/ranks.py."""

import os
import signal
import subprocess
import threading
import time

import pytest

from datamodules.errors import InputError
from fulgurite import watch
from fulgurite.signals import SIGNALS
from fulgurite.watch import Watch


@pytest.fixture
def make(tmp_path, monkeypatch):
    """The watch of a process of a number, with children that it has started."""
    monkeypatch.setattr(SIGNALS, "received", None)  # a command that was ended in this process keeps it

    def watch_of(number, *children, **more):
        monkeypatch.setenv("LOCAL_RANK", str(number))
        return Watch(tmp_path, lambda: children, **more)

    return watch_of


def fail(one, problem):
    with one.ended_together():
        raise problem


LOST = RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:56194")


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (RuntimeError("a defect"), 1, "error: process 1 has failed: RuntimeError: a defect"),
        (InputError("a.png: damaged; remove it"), 2, "error: process 1 has failed: a.png: damaged; remove it"),
    ],
)
def test_the_others_say_what_was_first(problem, status, said, make, capsys, monkeypatch):
    first = make(0)
    with pytest.raises(type(problem)):
        fail(make(1), problem)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(SystemExit) as end:
        fail(first, LOST)
    assert end.value.code == status
    assert capsys.readouterr().err == said + "\n"


def test_the_first_process_takes_down_what_ended_all(make, tmp_path, monkeypatch, capsys):
    noted = []
    first = make(0, note=lambda run, cause: noted.append((run, cause)))
    with pytest.raises(InputError):
        fail(make(1, note=lambda run, cause: noted.append("process 1")), InputError("a.png: damaged; remove it"))
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(SystemExit):
        fail(first, LOST)
    assert noted == [(tmp_path, "process 1 has failed: a.png: damaged; remove it")]
    still = make(0, note=lambda run, cause: noted.append(cause))
    assert looked_at(still, 5, lambda looked: time.sleep(0.6))[0] == 1
    assert noted[1].startswith("process 0 has done nothing for 3 s")
    monkeypatch.setattr(watch, "GRACE", 0.1)
    child = subprocess.Popen(["sh", "-c", "exit 2"])
    ended = []
    monkeypatch.setattr(os, "_exit", lambda status: ended.append(still._done.set()))
    still = make(0, child, note=lambda run, cause: noted.append(cause))
    for word in tmp_path.glob(".failed-*"):
        word.unlink()
    still.run()
    assert noted[-1] == "process 1 has failed, and said why"
    assert ended


def test_words_of_an_earlier_run_do_not_count(make, tmp_path):
    with pytest.raises(RuntimeError):
        fail(make(1), RuntimeError("long ago"))
    os.utime(tmp_path / ".failed-1", (0, 0))
    assert make(0).cause() is None
    assert not [*tmp_path.iterdir()]


def test_a_process_that_was_killed_is_named(make):
    child = subprocess.Popen(["sleep", "60"])
    one = make(0, child)
    assert one.cause() is None
    child.kill()
    child.wait()
    assert one.cause() == ("process 1 was ended by SIGKILL, as the system does where memory is short", 1)


def test_the_status_of_one_that_has_said_why_is_kept(make):
    child = subprocess.Popen(["sh", "-c", "exit 2"])
    child.wait()
    assert make(0, child).cause() == ("process 1 has failed, and said why", 2)


def test_a_process_that_is_stopped_is_ended(make, monkeypatch):
    monkeypatch.setattr(watch, "STILL", 2)
    child = subprocess.Popen(["sleep", "60"])
    one = make(0, child)
    one._look_at_stopped()
    child.send_signal(signal.SIGSTOP)
    while watch._state(child.pid) != "T":
        time.sleep(0.01)
    one._look_at_stopped()
    assert child.poll() is None
    one._look_at_stopped()
    assert child.wait(10) == -signal.SIGKILL
    assert one.cause() == ("process 1 was stopped, and not continued for 2 s", 1)


def looked_at(one, times, work):
    """Let a thread look at the main thread while that works, and return the status with which it ended all."""
    looking, looked, ended = threading.Event(), threading.Event(), []

    def look():
        looking.wait(10)
        for _ in range(times):
            time.sleep(0.05)
            one._look_at_myself()
        looked.set()

    thread = threading.Thread(target=look)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "_exit", ended.append)
        patch.setattr(watch, "STILL", 3)
        thread.start()
        looking.set()
        work(looked)
        thread.join()
    return ended


def test_a_process_that_does_nothing_ends_itself(make, capsys):
    assert looked_at(make(1), 5, lambda looked: time.sleep(0.6))[0] == 1
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("[process 1] error: process 1 has done nothing for 3 s (")
    assert "test_watch.py" in said


def compute(looked):
    while not looked.is_set():
        sum(range(100))


def wait_in_steps(looked):
    while not looked.wait(0.02):
        pass


@pytest.mark.parametrize("work", [compute, wait_in_steps])
def test_a_process_that_works_or_looks_after_others_does_not(work, make):
    assert looked_at(make(0), 6, work) == []


def test_one_that_waits_for_a_thread_of_its_own_does_not(make):
    from concurrent.futures import ThreadPoolExecutor

    def wait(looked):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(looked.wait).result()

    assert looked_at(make(0), 6, wait) == []
