"""One run, read back from its folder: its settings, its training, and one of its tests."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from callbacks.results import FOLDER, RESULTS, SCORES, Results, read_results, read_rows
from callbacks.source_folder import PARTIAL
from callbacks.training_record import FILE as TRAINING
from datamodules.atomic_file import DRAFT
from datamodules.errors import InputError
from fulgurite.runs import CONFIG, LATEST

OWN = ("seed_everything", "run", "ckpt_path", "trust", "wandb", "data.cache_dir")
"""Keys that say where and how a run was kept, or its seed, and not what was tried."""

_IDENTITY = ("name", "frame", "label", "group", "defect", "top", "left", "height", "width")
"""Columns of ``scores.csv`` that say what was judged, and by which truth."""


@dataclass(frozen=True)
class Run:
    """A run with at most one of its tests.

    Attributes:
        folder: of the run.
        settings: by dotted key, without what says where the run was kept; lists of classes by their names.
        seed: of the training.
        training: what ``training.json`` says; empty for a run of before it was written.
        results: of the test, None where there is none.
        items: what was judged: columns of ``scores.csv``, as text; empty without a test.
    """

    folder: Path
    settings: Mapping[str, str]
    seed: int | None
    training: Mapping[str, Any]
    results: Results | None
    items: Mapping[str, list[str]]

    @property
    def name(self) -> str:
        """The experiment and the name of the run."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def data(self) -> str:
        """Digest of what was judged by which truth, empty without a test: equal for equal test data only."""
        columns = {name: self.items[name] for name in _IDENTITY if name in self.items}
        return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:12] if columns else ""

    @property
    def content(self) -> str:
        """What tells the content of the test data from others, empty where nobody has kept it."""
        return ((self.results.get("fingerprints") or {}).get("test") or "") if self.results else ""


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
        matches = [Path(path)] if Path(path).exists() else sorted(Path().glob(path) if not path.startswith("/") else
                                                                  Path("/").glob(path[1:]))  # fmt: skip
        runs = [run for match in matches for run in _runs_in(match)]
        if not runs:
            raise InputError(f"{path}: there is no run. Give folders of runs or of experiments, such as runs/vta_gan")
        found |= dict.fromkeys(sorted(runs))
    return list(found)


def _runs_in(path: Path) -> Iterator[Path]:
    if (path / CONFIG).is_file():
        yield path.resolve()
    elif path.is_dir():
        yield from (one.parent.resolve() for one in path.glob(f"*/{CONFIG}") if one.parent.name != LATEST)


def read_run(folder: Path, source: str | None) -> Run:
    """Read a run.

    Args:
        folder: of the run.
        source: name of the folder below ``results/`` that is meant; None: none.

    Raises:
        InputError: if a file of it is damaged.
    """
    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / CONFIG} is damaged ({error})") from error
    test = folder / FOLDER / source if source else None
    tested = test is not None and (test / RESULTS).is_file()
    return Run(
        folder=folder,
        settings=dict(_flat(config)),
        seed=config.get("seed_everything"),
        training=_json(folder / TRAINING),
        results=read_results(test) if tested and test else None,
        items=_columns(test / SCORES) if tested and test else {},
    )


def sources_of(folder: Path) -> list[str]:
    """Return the names of the sources on which a run was tested whole."""
    tests = (path.parent.name for path in sorted((folder / FOLDER).glob(f"*/{RESULTS}")))
    return [name for name in tests if not name.startswith(DRAFT) and PARTIAL not in name]


def _json(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and its figures are left out") from error
    return found if isinstance(found, dict) else {}


def _columns(path: Path) -> dict[str, list[str]]:
    try:
        rows = read_rows(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run lightning test again") from None
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by dotted key, without ``class_path`` and ``init_args``; callbacks by their classes."""
    if key in OWN:
        return
    if isinstance(value, dict) and "class_path" in value:
        yield key, str(value["class_path"]).rpartition(".")[2]
        yield from _flat(value.get("init_args", {}), key)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(one, dict) and "class_path" in one for one in value):
        for one in value:
            yield from _flat(one, f"{key}.{str(one.get('class_path')).rpartition('.')[2]}")
    else:
        yield key, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
