"""Where the runs of a batch are done: what every engine offers, and which there are.

An engine is one file here with one class. It does the runs that it is given, each whole: the training and its test.
Whether in processes of its own or through a scheduler is its affair, and so is when. The rest of a batch asks it how
far they are, and never waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fulgurite.batches.plan import Plan, Task

Place = Literal["queued", "running", "ended"]


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Attributes:
        place: where it is.
        says: what the engine calls it and why it waits, for the screen; may be empty.
        seconds: since it was begun, 0 where it waits.
        status: with which its last command has ended; None before, or where nothing is known.
    """

    place: Place
    says: str = ""
    seconds: float = 0.0
    status: int | None = None


class Engine(Protocol):
    """What does the runs of a batch.

    As a context it holds what it has begun: left by an exception, an engine whose runs do not outlive this process ends
    them, each with its checkpoint written.

    Attributes:
        outlives: whether its runs go on when this process ends.
        look: seconds between two looks at them, as often as a scheduler likes to be asked.
        slots: how many run at once; None where a scheduler decides.
    """

    outlives: bool
    look: float
    slots: int | None

    def __enter__(self) -> "Engine":
        """Begin to hold runs."""
        ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End what would not outlive this process."""
        ...

    def submit(self, task: Task) -> None:
        """Take a run on, once.

        Raises:
            InputError: if it is refused.
        """
        ...

    def states(self) -> Mapping[Path, State]:
        """Return the state by run folder of every run that was taken on, by an earlier process too if it still lives.

        Raises:
            InputError: if whoever knows does not answer.
        """
        ...

    def cancel(self, task: Task) -> None:
        """End a run that is queued or running; one that is being trained writes its checkpoint."""
        ...

    def log(self, task: Task) -> Path:
        """Return what tells why a run has ended: its own log, or the scheduler's of a run that could not begin."""
        ...


def engine_of(plan: Plan, tasks: Sequence[Task]) -> Engine:
    """Return the engine of a batch; only its own packages are imported.

    Raises:
        InputError: if something that it needs is missing, or an option of it has no meaning.
    """
    options = plan.options.get(plan.on, {})
    if plan.on == "slurm":
        from fulgurite.batches.slurm_jobs import SlurmJobs

        return SlurmJobs(options, tasks)
    if plan.on == "ray":
        from fulgurite.batches.ray_jobs import RayJobs

        return RayJobs(options, tasks)
    from fulgurite.batches.local import Local

    return Local(plan.jobs)
