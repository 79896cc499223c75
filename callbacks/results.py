"""``results.json`` and ``scores.csv``: their form, what a result depends on, and their reader.

``docs/results_format.md`` documents the form for other programs.
"""

import csv
import io
import json
import math
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import CombinedLoader

from callbacks.file_names import cell, text_of
from callbacks.meanings import Described
from datamodules.atomic_file import DRAFT, atomic_file, write_text
from datamodules.errors import InputError
from datamodules.protocols import HasFingerprints, HasSource, KnowsCommand
from datamodules.seeding import global_seed

FOLDER, RESULTS, SCORES = "results", "results.json", "scores.csv"
PREDICTIONS, ABOUT = "predictions", "about.json"
PACKAGES = ("fulgurite", "torch", "lightning", "numpy")
HOME = Path(__file__).parents[1]


class Results(TypedDict):
    """The entries of every ``results.json``; a room may have further ones, such as ``threshold``."""

    system: str
    source: str | None
    checkpoint: str | None
    seed: int
    commit: str | None
    complete: bool
    device: str
    processes: int
    date: str
    versions: dict[str, str]
    metrics: dict[str, float]
    undefined: dict[str, str]
    counts: dict[str, int]
    groups: dict[str, dict[str, dict[str, float | int | None]]]
    test_seconds: float
    headline: NotRequired[str]  # this entry and those below are missing where version 0.2 wrote the file
    matter: NotRequired[list[str]]
    command: NotRequired[list[str] | None]
    fingerprints: NotRequired[dict[str, str] | None]
    verdict: NotRequired[str]
    meanings: NotRequired[dict[str, Described]]


def read_results(path: Path) -> Results:
    """Read the ``results.json`` of a test.

    Args:
        path: the file, its folder, or a run folder in which one source was tested.

    Raises:
        InputError: if it is missing, is no such file, or has the form of before version 0.2; or if several sources were
            tested, with the names of their folders.
    """
    if path.is_dir() and not (path / RESULTS).exists():
        tested = sorted(file for file in path.glob(f"{FOLDER}/*/{RESULTS}") if not file.parent.name.startswith(DRAFT))
        if len(tested) > 1:
            folders = ", ".join(str(file.parent) for file in tested)
            raise InputError(f"{path} holds the results of several tests: name one of {folders}.")
        path = tested[0] if tested else path
    path = path / RESULTS if path.is_dir() else path
    if path.exists() and not path.is_file():  # a pipe would never end
        raise InputError(f"{path} is no file. Remove it, and run `lightning test` again.")
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Run `lightning test` first.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # no text, no JSON, or a number of thousands of digits
        raise InputError(f"{path} is no {RESULTS} of a test: {error}. Run `lightning test` again.") from error
    missing = sorted(Results.__required_keys__ - found.keys()) if isinstance(found, dict) else ["metrics"]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}: it was written by another program, or before version 0.2, when "
            "metrics had no entry of their own. Run `lightning test` again."
        )
    results: Results = found
    return results


def about_run(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Return what a result depends on, and whether all data were seen."""
    return surroundings(trainer, pl_module) | {"complete": not is_cut(trainer)}


def surroundings(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Return what all that a run leaves depends on: system, data, checkpoint, seed, code, device, command."""
    device = pl_module.device
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
    data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
    return {
        "system": type(pl_module).__name__,
        "source": source_path(data),
        "fingerprints": fingerprints(data),
        "checkpoint": str(trainer.ckpt_path) if trainer.ckpt_path else None,
        "seed": global_seed(),
        "commit": commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "processes": trainer.world_size,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "command": next((list(one.command) for one in callbacks if isinstance(one, KnowsCommand)), None),
    }


def source_path(data: object) -> str | None:
    """Return the absolute path of what a data module reads; None: the generated data, or no source at all."""
    source = data.source if isinstance(data, HasSource) else None
    return str(Path(source).expanduser().absolute()) if source else None


def fingerprints(data: object) -> dict[str, str] | None:
    """Return what tells the content of a data module's splits from others; None where it does not know."""
    return dict(data.fingerprints()) if isinstance(data, HasFingerprints) else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def commit() -> str | None:
    """Return the commit of the project's checkout, with ``-dirty`` where files were changed since; None without one."""
    if not (HOME / ".git").exists():
        return None  # installed: a repository further up belongs to another project
    command = ["git", "-C", str(HOME), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or it does not trust the folder
    return told.stdout.strip() or None


def is_cut(trainer: Trainer) -> bool:
    """Tell whether ``limit_test_batches``, ``limit_predict_batches`` or ``fast_dev_run`` leaves out data."""
    if trainer.predicting:
        given, batches = trainer.predict_dataloaders, trainer.num_predict_batches
    else:
        given, batches = trainer.test_dataloaders, trainer.num_test_batches
    loaders = CombinedLoader(given, "sequential").flattened
    sizes = [math.inf if (size := sized_len(loader)) is None else size for loader in loaders]
    return any(seen < size for seen, size in zip(batches, sizes, strict=True))


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON; what is undefined is null, and nothing in it may be infinite or not a number."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV, see :func:`~callbacks.file_names.cell`; nine digits are all that a float32 holds."""
    with atomic_file(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="")  # row by row: a long test has millions of them
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([cell(value) for value in row] for row in rows)
        text.detach()  # written out, and the file stays open


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table that this project has written; names are as they were, whatever is in them.

    Raises:
        InputError: if it is missing, cannot be read, or has a row with more or fewer cells than the first.
    """
    if path.exists() and not path.is_file():  # a pipe would never end
        raise InputError(f"{path} is no file. Remove it, and run the verb that writes it again.")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except FileNotFoundError:
        raise InputError(f"{path} is missing. Run the verb that writes it again.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is damaged: {error}. Run the verb that writes it again.") from error
    if len(set(header)) < len(header):
        raise InputError(f"{path} is damaged: a column stands in it twice. Run the verb that writes it again.")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path} is damaged: row {number} has {len(row)} cells, the first has {len(header)}. Run the verb that "
                "writes it again."
            )
    return [{key: text_of(value) for key, value in zip(header, row, strict=True)} for row in rows]
