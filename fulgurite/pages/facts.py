"""What a run was, in a few words each: its training, and what its files depend on."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from callbacks.figures import duration, figure, several
from callbacks.training_record import FILE as TRAINING
from fulgurite.pages.checked import Checked, read_object
from fulgurite.pages.page import bytes_text, figure_text
from fulgurite.pages.results_files import when
from fulgurite.runs import CHECKPOINTS

Fact = tuple[str, str | None]
"""What is told, and what it is; None where nobody knows."""
GENERATED = "generated data"


def read_training(run: Path) -> Checked | None:
    """Return ``training.json`` of a run, with all that is told from it checked; None where there is none.

    Raises:
        InputError: if it is damaged.
    """
    path = run / TRAINING
    if not path.is_file():
        return None
    training = Checked(read_object(path), str(path))
    training_facts(training)
    best_facts(training, None)
    environment([("", training)])
    command_of(training)
    return training


def read_index(run: Path) -> Checked | None:
    """Return ``checkpoints/index.json`` of a run, checked likewise.

    Raises:
        InputError: if it is damaged.
    """
    path = run / CHECKPOINTS / "index.json"
    if not path.is_file():
        return None
    index = Checked(read_object(path), str(path))
    best_facts(None, index)
    return index


def training_facts(training: Checked) -> list[Fact]:
    """Return what ``training.json`` tells of how long and how fast; see ``docs/results_format.md``.

    Raises:
        InputError: if an entry is of another type than it should be.
    """
    parameters = training.within("parameters")
    seconds, step, waited = (training.number(key) for key in ("seconds", "step_seconds", "data_wait_share"))
    pace, memory, total, trained = (
        *(training.number("samples_per_second"), training.number("peak_memory_bytes")),
        *(parameters.number("total"), parameters.number("trainable")),
    )
    finished = {True: "to its end", False: _ending(training), None: None}[training.flag("finished")]
    return [
        ("trained on", training.text("source") or GENERATED),
        ("begun", when(training.text("date"))),
        ("trained", finished),
        ("batches", _figure(training, "batches")),
        ("epochs", _figure(training, "epochs")),
        ("time", None if seconds is None else duration(seconds)),
        ("a batch takes", None if step is None else f"{step * 1000:,.0f} ms"),
        ("samples a second", None if pace is None else figure(pace)),
        ("waiting for data", None if waited is None else f"{waited:.0%} of the time"),
        ("most memory", None if memory is None else bytes_text(memory)),
        ("weights", None if total is None else f"{total:,}" + (f", {trained:,} trained" if trained else "")),
    ]


def _ending(training: Checked) -> str:
    """Return what became of a training that has not reached its end."""
    ended, reason = training.text("ended"), training.text("reason")
    if ended is None:
        return "no: it was stopped, or still runs"
    return f"no: it {'has failed' if ended == 'failed' else 'was stopped'}{f' ({reason})' if reason else ''}"


def best_facts(training: Checked | None, index: Checked | None) -> tuple[str | None, float | None, float | None]:
    """Return what ``best.ckpt`` was picked by, its value, and after how many batches.

    Args:
        training: ``training.json``.
        index: ``checkpoints/index.json``, which older runs have too.

    Raises:
        InputError: if an entry is of another type than it should be.
    """
    if training is not None:
        return training.text("monitor"), training.number("best_value"), training.number("best_batches")
    best = index.within("best") if index is not None else Checked({}, "")
    return best.text("monitor"), best.number("value"), best.number("batches")


def environment(parts: Sequence[tuple[str, Checked]]) -> list[tuple[str, list[str | None]]]:
    """Return a table of what the files of a run depend on: by row, a cell for each of ``parts``."""
    rows: list[tuple[str, list[str | None]]] = [
        ("when", [when(one.text("date")) for _, one in parts]),
        ("data", [one.text("source") or GENERATED for _, one in parts]),
        ("weights", [one.text("checkpoint") for _, one in parts]),
        ("device", [one.text("device") for _, one in parts]),
        ("processes", [_figure(one, "processes") for _, one in parts]),
        ("seed", [None if (seed := one.number("seed")) is None else str(seed) for _, one in parts]),
        ("commit", [one.text("commit") for _, one in parts]),
    ]
    versions = [one.within("versions").all_texts() for _, one in parts]
    names = dict.fromkeys(name for found in versions for name in found)
    return [*rows, *((name, [found.get(name) for found in versions]) for name in names)]


def command_of(part: Checked) -> str | None:
    """Return the words that were typed, as a shell takes them; None where nobody has kept them."""
    words = part.texts("command")
    return shlex.join(words) if words else None


def summary(system: str | None, training: Checked | None, sources: Sequence[str], run: Path) -> str:
    """Return what a run is, in a line."""
    parts = [system or run.parent.name]
    if training is not None:
        parts.append(f"trained on {_short(training.text('source'))}")
        if batches := training.number("batches"):
            seconds = training.number("seconds")
            took = "" if seconds is None else f" in {duration(seconds)}"
            parts.append(f"{several(int(batches), 'batch', 'batches')}{took}")
    if sources:
        parts.append(f"tested on {', '.join(sources)}")
    return " · ".join(parts)


def _short(source: str | None) -> str:
    return Path(source).name if source else GENERATED


def _figure(part: Checked, key: str) -> str | None:
    value = part.number(key)
    return None if value is None else figure_text(value)
