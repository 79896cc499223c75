"""The engine of a Ray cluster that runs already: a detached actor for every run, known by its name."""

import importlib.util
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datamodules.errors import InputError
from fulgurite.batches.engine import State
from fulgurite.batches.job import as_words, job_name, outcome_of
from fulgurite.batches.plan import Task
from fulgurite.batches.ray_runner import Runner
from fulgurite.signals import SIGNALS

OPTIONS = ("address", "gpus", "cpus")
NAMESPACE = "fulgurite"
RESTARTS = 5
"""How often a run that was lost with its machine is begun again; it goes on from its last checkpoint."""


class RayJobs:
    """A run for every place that the cluster has; see :class:`fulgurite.batches.engine.Engine`.

    Args:
        options: ``address`` of the cluster (else that of RAY_ADDRESS, else the one this machine belongs to); of a run
            ``gpus`` (else one where the cluster has any) and ``cpus`` (else 1).
        tasks: all runs of the batch.
    """

    outlives = True
    look = 1.0
    slots: int | None = None

    def __init__(self, options: Mapping[str, str], tasks: Sequence[Task]) -> None:
        for key in options:
            if key not in OPTIONS:
                raise InputError(f"--ray {key}={options[key]}: there is no such option; it has {', '.join(OPTIONS)}")
        needs = {key: _number(key, options[key]) for key in ("gpus", "cpus") if key in options}
        if importlib.util.find_spec("ray") is None:
            raise InputError("--on ray needs the package ray, which is not installed: pip install 'fulgurite[ray]'")
        self._ray = _connected(options.get("address") or os.environ.get("RAY_ADDRESS") or "auto")
        has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        self._needs = {"num_gpus": needs.get("gpus", float(has_gpus)), "num_cpus": needs.get("cpus", 1.0)}
        self._tasks = tasks
        self._actors: dict[Path, Any] = {}
        self._asked: dict[Path, Any] = {}
        self._states: dict[Path, State] = {}

    def __enter__(self) -> "RayJobs":
        """Hold nothing: the runs are the cluster's."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the runs to the cluster."""

    def submit(self, task: Task) -> None:
        """Hand a run over; one of its name that is there already stays the only one."""
        runner = self._ray.remote(Runner).options(
            name=job_name(task),
            lifetime="detached",
            get_if_exists=True,
            max_restarts=RESTARTS,
            **self._needs,
        )
        self._actors[task.run] = runner.remote(as_words(task), str(Path.cwd()), dict(os.environ), str(task.log))
        self._states[task.run] = State("queued")

    def states(self) -> Mapping[Path, State]:
        """Look who is there, and hear from those who answer."""
        names = set(self._ray.util.list_named_actors())
        for task in self._tasks:
            run = task.run
            if job_name(task) not in names:
                if run in self._actors:
                    self._states[run] = State("ended", status=outcome_of(task))
                continue
            if run not in self._actors:
                self._actors[run] = self._ray.get_actor(job_name(task))
            self._states[run] = self._heard(run)
        return {run: self._states[run] for run in self._actors}

    def cancel(self, task: Task) -> None:
        """Ask a run to end, or begin it no more."""
        actor = self._actors[task.run]
        if self._states[task.run].place == "running":
            self._ray.get(actor.end.remote())
        else:
            self._ray.kill(actor)

    def log(self, task: Task) -> Path:
        """Return the log of a run."""
        return task.log

    def _heard(self, run: Path) -> State:
        """Return what the actor of a run says; one that is not placed yet says nothing."""
        asked = self._asked.setdefault(run, self._actors[run].seconds.remote())
        answered, _ = self._ray.wait([asked], timeout=0.2 if run not in self._states else 0)
        if not answered:
            return self._states.get(run, State("queued"))
        del self._asked[run]
        try:
            return State("running", seconds=self._ray.get(asked))
        except self._ray.exceptions.RayActorError:  # it has left, or is begun again; its name tells which
            return State("queued")


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"--ray {key}={text}: give a number of at least 0")
    return number


def _connected(address: str) -> Any:
    """Return Ray, connected to a cluster.

    Raises:
        InputError: if none answers.
    """
    remedy = "start one by `ray start --head`, or name it by --ray address=HOST:6379 or RAY_ADDRESS"
    place = urlsplit(address if "://" in address else f"//{address}")
    if address != "auto":
        try:
            with socket.create_connection((place.hostname or "", place.port or 6379), timeout=5):
                pass
        except (OSError, ValueError) as problem:
            raise InputError(f"--on ray: no cluster answers at {address} ({problem}); {remedy}") from None
    import ray

    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise InputError(f"--on ray: no cluster answers ({str(problem).splitlines()[0]}); {remedy}") from None
    finally:
        SIGNALS.listen()  # Ray has just taken SIGTERM over
    return ray
