"""Which run folder a command works in, and how all processes of a distributed run come to use the same one.

Lightning starts the other processes of a machine by itself and hands them our environment; torchrun and SLURM
start every process on their own, and rank 0 has to tell the rest where the run is.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import InputError
from datamodules.listing import why_no_file
from fulgurite.processes import rank
from fulgurite.runs import CHECKPOINTS, CONFIG, RunSettings, create_run, find_run, run_of
from fulgurite.slurm import requeued, slurm_name

RUN_VARIABLE = "FULGURITE_RUN"
NAMED_CHECKPOINTS = ("best", "last")


@dataclass
class Place:
    """Where a command works.

    Attributes:
        run: The run folder, absolute.
        checkpoint: The checkpoint to begin with, None for none.
        is_new: Whether this command, in this process, has made the folder.
    """

    run: Path
    checkpoint: Path | None = None
    is_new: bool = False


def place(
    verb: str,
    settings: RunSettings,
    which: str | None,
    configs: list[Path],
    resolve: Callable[[Path, str], Path],
) -> Place:
    """Return where ``verb`` works.

    fit makes a new folder, except with ``last``: that goes on with the run it belongs to. So does a job that SLURM
    starts again. The other verbs work in the folder of the checkpoint they are given.

    Args:
        verb: fit, validate, test or predict.
        settings: Root, experiment and name as far as the user gave them.
        which: ``best``, ``last``, a path, or None.
        configs: The configurations, in the order given; the first names the experiment.
        resolve: Finds ``best`` or ``last`` in a run folder.

    Raises:
        InputError: If there is no such run or checkpoint.
    """
    own = run_of(configs[0]) if configs and configs[0].name == CONFIG else None
    stem = own.parent.name if own else configs[0].stem if configs else "unnamed"
    folder = Path(settings.root).absolute() / (settings.experiment or stem)
    if which is None and verb != "fit":
        raise InputError(
            f"--ckpt_path: not given. lightning {verb} works with a trained model: give best, last or a PATH"
        )
    if which in NAMED_CHECKPOINTS:
        run = own if own and settings.name is None else find_run(folder, settings.name)
        found = resolve(run, str(which))
        if verb != "fit" or which == "last":
            return Place(run, found)
        return _new_place(folder, settings.name, found)
    checkpoint = _existing(which) if which is not None else None
    if checkpoint and verb != "fit":
        home = run_of(checkpoint)
        if home:
            return Place(home, checkpoint)
    return _new_place(folder, settings.name, checkpoint)


def _existing(which: str) -> Path:
    if "://" in which or which.startswith("registry:"):
        raise InputError(f"--ckpt_path {which}: checkpoints are read from files only; download it first")
    path = Path(which)
    if not path.is_file():
        raise InputError(f"--ckpt_path {which}: {why_no_file(path)}. Give best, last or the path of a .ckpt file")
    return path.absolute()


def _new_place(folder: Path, name: str | None, checkpoint: Path | None) -> Place:
    if RUN_VARIABLE in os.environ and int(os.environ.get("LOCAL_RANK", 0)) > 0:
        return Place(Path(os.environ[RUN_VARIABLE]), checkpoint)
    known = name or slurm_name()
    if known and requeued() and (folder / known).is_dir():
        last = folder / known / CHECKPOINTS / "last.ckpt"
        return Place(folder / known, last if last.is_file() else checkpoint)
    if known and rank() > 0:
        return Place(folder / known, checkpoint)
    if not known and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return Place(_share(lambda: create_run(folder, None)), checkpoint, is_new=rank() == 0)
    if not known and rank() > 0:
        raise InputError(
            "run.name: the processes of this run cannot agree on a folder. Start all of them with the same "
            "--run.name, or start them by torchrun or srun"
        )
    return Place(create_run(folder, known), checkpoint, is_new=True)


def _share(create: Callable[[], Path]) -> Path:
    """Return what ``create`` makes on rank 0, on every rank, through the store that torchrun's agent keeps."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # re-exported from C without a stub

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"fulgurite/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    if rank() > 0:
        path = store.get(key).decode()
        if not path:
            raise SystemExit(2)  # rank 0 has said why
        return Path(path)
    path = ""
    try:
        run = create()
        path = str(run)
        return run
    finally:
        store.set(key, path)
