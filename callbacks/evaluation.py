"""The base of callbacks that compute metrics: collect, gather, evaluate, log, write, print."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.auc import RankCurve
from callbacks.cases import CaseBook, write_cases
from callbacks.meanings import Meaning, describe
from callbacks.results import FOLDER, RESULTS, SCORES, about_run, write_record, write_rows
from callbacks.screen import plain_console
from callbacks.short_table import short_table
from callbacks.source_folder import source_folder, source_label
from callbacks.text import printable
from callbacks.wandb_charts import CASES_TABLE, send_cases, send_curves, send_scores
from callbacks.wandb_logger import show
from datamodules.atomic_file import atomic_folder
from datamodules.listing import some_of
from datamodules.protocols import AddsToResults

Figures = dict[str, float | int | None]
"""Figures of one video, group or the like, by name; None where undefined."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a split is worth; all of it stands in ``results.json``, see ``docs/results_format.md``.

    Attributes:
        metrics: finite value by name, without the stage; logged.
        undefined: reason by name of every metric that has no value.
        references: what is reached without learning, finite value by name; written beside the metrics, not logged.
        counts: of what was judged.
        groups: by what is grouped (``video``, ``defect``), by the name of the group: its figures.
        details: further entries of the room, such as ``threshold``.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    references: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    groups: dict[str, dict[str, Figures]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of all metrics, with a value or without."""
        return [*self.metrics, *self.undefined]

    @property
    def all_names(self) -> list[str]:
        """Names of all metrics and references."""
        return [*self.metrics, *self.references, *self.undefined]

    def without_value(self) -> dict[str, list[str]]:
        """Return the names of the metrics without a value, by the reason."""
        return {why: [name for name, one in self.undefined.items() if one == why] for why in self.undefined.values()}

    def record(self) -> dict[str, Any]:
        """Return its part of ``results.json``."""
        return {
            "metrics": self.metrics | self.references,
            "undefined": self.undefined,
            "counts": self.counts,
            **self.details,
            "groups": self.groups,
        }


TableT = TypeVar("TableT")
RowsT = TypeVar("RowsT")


class EvaluationCallback(Callback, ABC, Generic[TableT, RowsT]):
    """Judges what a module's validation and test steps return, once over everything from all processes.

    A metric thus depends neither on the batch size nor on the number of processes. It is logged as ``val/<name>`` or
    ``test/<name>``; what is undefined is not, and a warning says why. The sanity check is not judged. A test also
    prints a table and, but for ``fast_dev_run``, writes ``results.json`` and ``scores.csv`` into
    ``results/<source>/`` of the run folder, plots where the room has some, and the worst and best cases; whole, in
    place of an older test of that source.

    A room supplies its table of what was collected (``new_table``, ``collect``, ``gather``), its metrics
    (``evaluate``), the columns of ``scores.csv`` (``scores``) and what keeps its cases (``new_cases``).

    Attributes:
        judged: type of the answers that are judged; a step that returns another one, or None, is not.
        headline: the metric that the progress bar shows, and that picks ``best.ckpt`` where no other is given.
        headline_mode: whether more (``max``) or less (``min``) of it is better.
        meanings: of its metrics, for ``results.json``; one that is described nowhere is reported without a word.
        matter: the few that are printed after a test, the first the most telling; empty: the first of all.
        undefined: reason by logged name of what had no value in the last validation or test.
        results_folder: what the last test has written; None where it has written nothing.
    """

    judged: ClassVar[type[Any]]
    meanings: ClassVar[Sequence[Meaning]] = ()
    matter: Sequence[str] = ()
    headline: str
    headline_mode: Literal["max", "min"] = "max"

    def __init__(self) -> None:
        self.undefined: dict[str, str] = {}
        self.results_folder: Path | None = None
        self._table: TableT | None = None
        self._cases: CaseBook[RowsT] | None = None
        self._began = 0.0
        self._said: set[str] = set()

    @abstractmethod
    def new_table(self, trainer: Trainer) -> TableT:
        """Return an empty table."""

    @abstractmethod
    def collect(self, table: TableT, outputs: Any, batch: Any, trainer: Trainer) -> None:
        """Add the answer to a batch, of the type ``judged``, to the table."""

    @abstractmethod
    def gather(self, table: TableT) -> RowsT:
        """Return what all processes have collected, the same on each; false where there is nothing."""

    @abstractmethod
    def evaluate(self, rows: RowsT, stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Compute the metrics, on every process; ``stage`` is ``val`` or ``test``, and ``rows`` may be empty at val."""

    @abstractmethod
    def scores(self, rows: RowsT) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return header and rows of ``scores.csv``; the first column is ``name``."""

    def draw(self, folder: Path, rows: RowsT, evaluation: Evaluation) -> list[Path]:
        """Write the plots of a test into a folder and return their paths."""
        return []

    def media_names(self, model: Any) -> list[str]:
        """Return the names of the pictures and tables of a test."""
        return [CASES_TABLE]

    def new_cases(self, trainer: Trainer) -> CaseBook[RowsT] | None:
        """Return what keeps the worst and best cases of a test; None where none are shown."""
        return None

    def curve(self, rows: RowsT) -> RankCurve | None:
        """Return what ROC and precision-recall curves of a test are drawn from; None where there is no such thing."""
        return None

    def verdict(self, evaluation: Evaluation) -> str:
        """Return what the figures of a test come to, in a sentence; empty where they speak for themselves."""
        return ""

    def warn_once(self, message: str) -> None:
        """Warn, on one process, unless this was said before."""
        if message not in self._said:
            rank_zero_warn(message)
            self._said.add(message)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's where one is asked for."""
        self._table = self.new_table(trainer)
        trainer.validate_loop.verbose = False

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an empty table; our own table of results takes the place of Lightning's."""
        self._table, self._began = self.new_table(trainer), time.monotonic()
        dry = trainer.fast_dev_run  # type: ignore[attr-defined]  # set without a type
        self._cases = None if dry else self.new_cases(trainer)
        trainer.test_loop.verbose = False

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the answer to a batch."""
        if isinstance(outputs, self.judged) and self._table is not None and not trainer.sanity_checking:
            self.collect(self._table, outputs, batch, trainer)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the answer to a batch."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        if self._cases is not None and isinstance(outputs, self.judged):
            self._cases.add(outputs, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``val/<metric>`` on every process."""
        if trainer.sanity_checking:
            return
        evaluation = self.evaluate(self._gathered(), "val", trainer, pl_module)
        self._log(pl_module, "val", evaluation)
        if trainer.state.fn == TrainerFn.VALIDATING and trainer.is_global_zero:
            described = describe(evaluation.all_names, self.meanings)
            plain_console().print(short_table(evaluation, described, evaluation.all_names))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log ``test/<metric>``, write the files and print the table.

        Raises:
            RuntimeError: if no step returned anything to judge.
        """
        rows = self._gathered()
        if not rows:
            judged = self.judged.__name__
            raise RuntimeError(f"{type(pl_module).__name__}.test_step returned no {judged}: nothing to judge")
        evaluation = self.evaluate(rows, "test", trainer, pl_module)
        self._log(pl_module, "test", evaluation)
        cases = self._cases.choose(rows, evaluation.details) if self._cases is not None else []
        self._cases = None  # release the memory
        if not trainer.is_global_zero:
            return
        described = describe(evaluation.all_names, self.meanings)
        plain_console().print(short_table(evaluation, described, self.matter, RESULTS))
        verdict = {"verdict": said} if (said := self.verdict(evaluation)) else {}
        print(*verdict.values(), sep="\n", end="\n" if verdict else "")
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set without a type
            return
        seconds = {"test_seconds": round(time.monotonic() - self._began, 3)}
        about = about_run(trainer, pl_module)
        name = source_label(trainer.datamodule)  # type: ignore[attr-defined]  # set without a type
        folder = source_folder(Path(trainer.default_root_dir) / FOLDER, name, about, RESULTS)
        with atomic_folder(folder, keep_unfinished=False) as draft:
            write_rows(draft / SCORES, *self.scores(rows))
            told = {"headline": self.headline, "matter": list(self.matter), "meanings": described, **verdict}
            write_record(draft / RESULTS, about | evaluation.record() | told | _added(trainer, pl_module) | seconds)
            for plot in self.draw(draft / "plots", rows, evaluation):
                show(trainer, f"test/{plot.stem}", plot)
            for case in write_cases(draft, cases):
                show(trainer, f"test/case-{case.stem}", case)
        self.results_folder = folder
        send_curves(trainer, self.curve(rows))
        send_scores(trainer, *self.scores(rows))
        send_cases(trainer, folder)
        print(f"Results: {printable(os.path.relpath(folder))}", flush=True)

    def _gathered(self) -> RowsT:
        assert self._table is not None
        rows = self.gather(self._table)
        self._table = None  # release the memory
        return rows

    def _log(self, pl_module: LightningModule, stage: str, evaluation: Evaluation) -> None:
        for name, value in evaluation.metrics.items():
            pl_module.log(f"{stage}/{name}", value, prog_bar=name == self.headline, rank_zero_only=False)
        for reason, names in evaluation.without_value().items():
            self.warn_once(f"{stage} has no value ({reason}): {some_of(names)}.")
        self.undefined = {f"{stage}/{name}": reason for name, reason in evaluation.undefined.items()}


def _added(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Return what the other callbacks and the model have to say beside the metrics."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
    told = [one for one in (*callbacks, pl_module) if isinstance(one, AddsToResults)]
    return {key: value for one in told for key, value in one.results().items()}


def split_undefined(
    found: dict[str, float | None], reason: dict[str, str], otherwise: str = ""
) -> tuple[dict[str, float], dict[str, str]]:
    """Split figures into those with a value and, of those without, the reasons.

    Args:
        found: value by name, None where undefined.
        reason: why, by the beginning of a name; the first that fits counts.
        otherwise: the reason of all others.
    """
    missing = [name for name, value in found.items() if value is None]
    why = {name: next((why for start, why in reason.items() if name.startswith(start)), otherwise) for name in missing}
    return {name: value for name, value in found.items() if value is not None}, why
