"""The engine of a SLURM cluster: submitit writes and hands over the jobs, ``squeue`` says where they are."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules.errors import InputError
from fulgurite.batches.engine import State
from fulgurite.batches.job import job_name, outcome_of, run_or_raise
from fulgurite.batches.plan import Task

FOLDER = ".slurm"
"""Within the root: what submitit keeps of its jobs."""
OURS = ("array", "chdir", "error", "job-name", "open-mode", "output")
"""Options of ``sbatch`` by which a job is found again."""
GIVEN = {"signal": "USR1@90", "requeue": "true"}
"""Unless the user says otherwise: 90 seconds before its time is up a training writes its checkpoint and queues anew."""
PATIENCE = 300.0
"""Seconds in which a controller that does not answer may come back."""
QUEUE = ["squeue", "--me", "--noheader", "--format=%i|%T|%M|%R|%j"]


class SlurmJobs:
    """A job for every run; see :class:`fulgurite.batches.engine.Engine`.

    A job is known by its name alone, which holds the run folder, so that nothing need be kept to find it again.

    Args:
        options: of ``sbatch``, by name without dashes before it; ``true`` is a switch.
        tasks: all runs of the batch.
    """

    outlives = True
    look = 3.0
    slots: int | None = None

    def __init__(self, options: Mapping[str, str], tasks: Sequence[Task]) -> None:
        for key in OURS:
            if key in options:
                raise InputError(f"--slurm {key}={options[key]}: a batch sets this itself; leave it out")
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise InputError(
                "--on slurm: this machine has no sbatch, so it hands over no jobs; give the command on a login node"
            )
        try:
            import submitit
        except ImportError:
            raise InputError(
                "--on slurm needs the package submitit, which is not installed: pip install 'fulgurite[slurm]'"
            ) from None
        self._submitit, self._tasks = submitit, tasks
        self._options = {key: True if value == "true" else value for key, value in {**GIVEN, **options}.items()}
        self._executor: Any = None
        self._ids: dict[Path, str] = {}
        self._queue, self._answered = "", float("-inf")

    def __enter__(self) -> "SlurmJobs":
        """Hold nothing: the jobs are the cluster's."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the jobs to the cluster."""

    def submit(self, task: Task) -> None:
        """Hand a job over."""
        if self._executor is None:
            self._executor = self._submitit.SlurmExecutor(task.root / FOLDER, python=shlex.quote(sys.executable))
        self._executor.update_parameters(
            job_name=job_name(task),
            time=None,  # else submitit's five minutes, and its own key of accounts
            wckey=None,
            stderr_to_stdout=True,
            additional_parameters=self._options,
        )
        try:
            self._ids[task.run] = self._executor.submit(run_or_raise, task).job_id
        except self._submitit.core.utils.FailedJobError as problem:
            said = str(problem).strip().splitlines()[0].removeprefix("sbatch: ").removeprefix("error: ")
            raise InputError(
                f"--on slurm: sbatch refuses {task.name}: {said}. Give what your cluster asks for, such as --slurm "
                "partition=NAME; what was queued before goes on"
            ) from None

    def states(self) -> Mapping[Path, State]:
        """Ask for all jobs at once."""
        now = self._ask()
        states = {}
        for task in self._tasks:
            if job_name(task) in now:
                number, word, passed, reason = now[job_name(task)]
                self._ids[task.run] = number
                waits = word in ("PENDING", "REQUEUED", "REQUEUE_HOLD")
                says = f"job {number}" + (f" {reason}" if waits and reason != "(None)" else "")
                states[task.run] = State("queued", says) if waits else State("running", says, seconds(passed))
            elif task.run in self._ids:
                states[task.run] = State("ended", f"job {self._ids[task.run]}", status=outcome_of(task))
        return states

    def cancel(self, task: Task) -> None:
        """Take a job out of the queue, or ask it to end."""
        self._submitit.SlurmJob(task.root / FOLDER, self._ids[task.run]).cancel()

    def log(self, task: Task) -> Path:
        """Return the log of a run, or that of its job where it has said nothing of how it ended."""
        if outcome_of(task) is not None or task.run not in self._ids:
            return task.log
        return task.root / FOLDER / f"{self._ids[task.run]}_0_log.out"

    def _ask(self) -> dict[str, Sequence[str]]:
        """Return number, state, time and reason of this user's jobs by name; for a while the last known ones."""
        done = subprocess.run(QUEUE, capture_output=True, text=True)
        if done.returncode == 0:
            self._queue, self._answered = done.stdout, time.monotonic()
        elif time.monotonic() - self._answered > PATIENCE:
            said = " ".join(done.stderr.split()) or f"it has ended with status {done.returncode}"
            raise InputError(
                f"--on slurm: squeue does not answer ({said}); jobs that were handed over go on, and the same command "
                "follows them"
            )
        rows = (line.split("|", 4) for line in self._queue.splitlines())
        return {row[4]: row[:4] for row in rows}


def seconds(passed: str) -> float:
    """Return a time such as ``1-02:03:04``, ``02:03:04`` or ``3:04`` in seconds; 0 where none is known."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+)+", passed):
        return 0.0
    days, _, rest = passed.rpartition("-")
    total = 0
    for part in rest.split(":"):
        total = 60 * total + int(part)
    return 86400.0 * int(days or 0) + total
