"""One run, read back from its folder: its settings, its training, and one of its tests."""

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from callbacks.results import FOLDER, RESULTS, SCORES
from callbacks.source_folder import PARTIAL
from datamodules.atomic_file import DRAFT
from datamodules.errors import InputError
from fulgurite.pages.checked import is_number
from fulgurite.pages.facts import read_training
from fulgurite.pages.results_files import Outcome, read_test
from fulgurite.pages.score_table import read_columns
from fulgurite.pages.settings import flat, lies_below, read_settings
from fulgurite.runs import CONFIG, LATEST

OWN = ("seed_everything", "run", "ckpt_path", "trust", "wandb", "data.cache_dir")
"""Keys that say where and how a run was kept, or its seed, and not what was tried."""

_IDENTITY = ("name", "frame", "label", "group", "defect", "top", "left", "height", "width")
"""Columns of ``scores.csv`` that say what was judged, and by which truth."""


@dataclass(frozen=True)
class Run:
    """A run with at most one of its tests.

    Attributes:
        name: its last folders, as many as tell it from the others.
        folder: of the run.
        settings: by dotted key, without what says where the run was kept; lists of classes by their names.
        seed: of the training.
        training: what ``training.json`` says; empty for a run of before it was written.
        test: what its results.json says, None where there is none.
        items: what was judged: columns of ``scores.csv``, as text; empty without a test.
    """

    name: str
    folder: Path
    settings: Mapping[str, str]
    seed: int | None
    training: Mapping[str, Any]
    test: Outcome | None
    items: Mapping[str, list[str]]

    @cached_property
    def data(self) -> str:
        """Digest of what was judged by which truth, empty without a test: equal for equal test data only."""
        if self.test is None:
            return ""
        columns = {name: self.items[name] for name in _IDENTITY if name in self.items}
        return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:12]

    @property
    def content(self) -> str:
        """What tells the content of the test data from others, empty where nobody has kept it."""
        return (self.test.about.within("fingerprints").text("test") or "") if self.test else ""

    def figure(self, *path: str) -> float | int | None:
        """Return a number that ``training.json`` holds, by the keys that lead to it; None where there is none."""
        found: Any = self.training
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if is_number(found) else None


def measured_alike(runs: Sequence[Run]) -> bool:
    """Tell whether runs were tested on the same items, by the same truth, of the same content where it is known."""
    return len({run.data for run in runs}) == 1 and len({run.content for run in runs} - {""}) < 2


def find_runs(paths: list[str]) -> list[Path]:
    """Return the run folders that paths, folders of experiments and globs name, each once, by name.

    Raises:
        InputError: if one of them names no run.
    """
    found: dict[Path, None] = {}
    for path in paths:
        written = os.path.expanduser(path)  # noqa: PTH111  # a shell leaves what is quoted to us
        matches = [written] if Path(written).exists() else sorted(glob.glob(written, recursive=True))  # noqa: PTH207
        runs = [run for match in matches for run in _runs_in(Path(match))]
        if not runs:
            raise InputError(f"{path}: there is no run. Give folders of runs or of experiments, such as runs/vta_gan")
        found |= dict.fromkeys(sorted(runs))
    return list(found)


def _runs_in(path: Path) -> Iterator[Path]:
    if (path / CONFIG).is_file():
        yield path.resolve()
    elif path.is_dir():
        yield from (one.parent.resolve() for one in path.glob(f"*/{CONFIG}") if one.parent.name != LATEST)


def names_of(folders: Sequence[Path]) -> dict[Path, str]:
    """Return what runs are called: experiment and run, with folders above where two would be called alike."""
    names = {folder: "/".join(folder.parts[-2:]) for folder in folders}
    for depth in range(3, max((len(folder.parts) for folder in folders), default=0) + 1):
        count = Counter(names.values())
        names = {folder: "/".join(folder.parts[-depth:]) if count[name] > 1 else name for folder, name in names.items()}
    return names


def read_run(folder: Path, source: str | None, name: str = "") -> Run:
    """Read a run.

    Args:
        folder: of the run.
        source: name of the folder below ``results/`` that is meant; None: none.
        name: what it is called; experiment and run when empty.

    Raises:
        InputError: if a file of it is damaged.
    """
    config = read_settings(folder / CONFIG)
    training = read_training(folder)
    test = folder / FOLDER / source if source else None
    return Run(
        name=name or names_of([folder])[folder],
        folder=folder,
        settings={key: _as_text(value) for key, value in flat(config).items() if not lies_below(key, OWN)},
        seed=config.get("seed_everything"),
        training=training.held if training else {},
        test=read_test(test / RESULTS) if test else None,
        items=read_columns(test / SCORES) if test else {},
    )


def sources_of(folder: Path) -> list[str]:
    """Return the names of the sources on which a run was tested whole."""
    tests = (path.parent.name for path in sorted((folder / FOLDER).glob(f"*/{RESULTS}")))
    return [name for name in tests if not name.startswith(DRAFT) and PARTIAL not in name]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
