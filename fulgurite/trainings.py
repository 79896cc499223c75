"""Which folders of W&B the trainings of a run have written; what its tests have written lies beside them.

Imports nothing large, so that the dashboard opens at once.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fulgurite.refuse import refuse

IDENTITY = "wandb_run.json"  # as callbacks.wandb_run calls it
_FOLDER = re.compile(r"(?:offline-)?run-(\d{8}_\d{6})-[^/\0]+")


class Training(NamedTuple):
    """A sitting of a training.

    Attributes:
        run: the run folder.
        folder: where W&B keeps it.
        began: date and time, which sort as text.
        number: of the sitting, from 1.
    """

    run: Path
    folder: Path
    began: str
    number: int

    @property
    def name(self) -> str:
        """Experiment and run, with the number of the sitting behind the second and all later ones."""
        sitting = f".{self.number}" if self.number > 1 else ""
        return f"{self.run.parent.name}.{self.run.name}{sitting}"


def chosen(names: Sequence[str], root: Path) -> list[Training]:
    """Return the trainings of runs and experiments.

    Args:
        names: each the folder of a run or of an experiment, or its name below ``root``; none: the newest run of all.
        root: folder of all experiments.

    Raises:
        SystemExit: with one sentence, if there is no such run, or nothing is kept of its training.
    """
    if names:
        return [one for name in names for one in _named(name, root)]
    known = [one for run in _runs(root, "*/*") for one in trainings(run)]
    if not known:
        refuse(f"dashboard: no training in {root} yet. Train first (lightning fit), or name the folder of a run")
    newest = max(known, key=lambda one: one.began)
    return [one for one in known if one.run == newest.run]


def trainings(run: Path) -> list[Training]:
    """Return what is there of a run's trainings, the oldest first.

    A run that does not say which they are, as of before version 0.3, began with one.
    """
    if not (run / IDENTITY).is_file():
        return []
    try:
        known = json.loads((run / IDENTITY).read_text())
        folders = known.get("trainings")
        if folders is None:
            folders = [path.name for path in sorted(run.glob(f"wandb/*run-*-{known['id']}"))[:1]]
        if not isinstance(folders, list) or not all(isinstance(name, str) for name in folders):
            raise ValueError("trainings is no list of names")
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        refuse(f"{run / IDENTITY} is damaged ({error}); remove it: the next training of the run writes a new one")
    found = [(run / "wandb" / name, _FOLDER.fullmatch(name)) for name in folders]
    return [
        Training(run, folder, match[1], number)
        for number, (folder, match) in enumerate(found, start=1)
        if match and folder.is_dir()
    ]


def _named(name: str, root: Path) -> list[Training]:
    folder = next((path for path in (Path(name).expanduser(), root / name) if os.path.isdir(path)), None)  # noqa: PTH112  # false for too long a name
    if folder is None:
        there = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        named = f"Experiments in {root}: {', '.join(there)}" if there else "Name the folder of a run"
        refuse(f"dashboard {name}: there is no such run or experiment. {named}")
    folder = folder.resolve()  # latest is a link
    runs = [folder] if (folder / IDENTITY).is_file() else list(_runs(folder, "*"))
    found = [one for run in runs for one in trainings(run)]
    if not found:
        refuse(
            f"dashboard {name}: nothing of a training is kept here for W&B, as where it ran with wandb.mode disabled, "
            "or has not begun. Name another run"
        )
    return found


def _runs(folder: Path, pattern: str) -> Iterator[Path]:
    found = sorted(folder.glob(f"{pattern}/{IDENTITY}"))
    return (path.parent.resolve() for path in found if not path.parent.is_symlink())
