"""A run of a batch as a job of a cluster: its commands one after another, and a file that says how they ended.

Nobody need be watching. What is left to do is judged by the run folder when the job begins, so that one that was begun
again, by a scheduler or by hand, goes on.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import FrameType

from datamodules.atomic_file import write_text
from fulgurite.batches.command import begin
from fulgurite.batches.parent import ended_with_parent
from fulgurite.batches.plan import Task
from fulgurite.batches.state import commands_of, has_no_test
from fulgurite.processes import rank, say
from fulgurite.signals import NAMES
from fulgurite.slurm import requeue


def job_name(task: Task) -> str:
    """Return what a cluster calls a run: readable, and the same for the same folder alone."""
    mark = sha256(os.path.realpath(task.run).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{task.experiment[:40]}/{task.name[:60]}@{mark}"


def outcome_of(task: Task) -> int | None:
    """Return the status that a job has left, None where it has left none."""
    try:
        return int(task.outcome.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def run(task: Task) -> int:
    """Do what is left of a run, and return the status of its last command.

    Several processes of one job each do their part of every command. Signals are for the command that runs, which gets
    them too, and ends where it can be continued; here they only keep the next one from being started.
    """
    first = rank() == 0
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in NAMES:
        signal.signal(number, note)
    if first:
        task.outcome.unlink(missing_ok=True)  # of a job that was begun again
    status = 0
    for words in commands_of(task):
        status = -asked[0] if asked else _done(task, words, first)
        if status or has_no_test(task):
            break
    if status == -signal.SIGUSR1 and (problem := requeue()):  # a command that has begun does so itself
        say(f"the job could not be put back into the queue ({problem})")
    status = 128 - status if status < 0 else status
    if first:
        write_text(task.outcome, f"{status}\n")
    return status


def run_or_raise(task: Task) -> None:
    """Do what is left of a run, and let the scheduler see a failure.

    Raises:
        RuntimeError: if a command fails.
    """
    if status := run(task):
        raise RuntimeError(f"a command of {task.run} has ended with status {status}; {task.log} tells why")


def _done(task: Task, words: Sequence[str], first: bool) -> int:
    """Run a command, and return its status; what all but the first process say stays in the job's own log.

    Where the job is killed without a word, the command is asked to end, rather than train on outside of any job.
    """
    return begin(words, task.log if first else None, preexec_fn=ended_with_parent(signal.SIGTERM)).wait()


def as_words(task: Task) -> list[str]:
    """Return the command that runs a task as a job."""
    return [sys.executable, "-m", "fulgurite.batches.job", json.dumps({**asdict(task), "root": str(task.root)})]


def main(argv: Sequence[str]) -> None:
    """Run the task in the only word."""
    entries = json.loads(argv[0])
    task = Task(**{**entries, "configs": tuple(entries["configs"]), "root": Path(entries["root"])})
    raise SystemExit(run(task))


if __name__ == "__main__":
    main(sys.argv[1:])
