"""``metrics.csv``: every logged number of a run, one row per logging, on the disk at once."""

import csv
import io
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning_utilities.core.rank_zero import rank_zero_only

from datamodules.atomic_file import readable_errors, write_text


class MetricsCsv(Logger):
    """Append what is logged to ``metrics.csv`` in the run folder, on rank 0 only.

    Lightning's CSVLogger deletes the file of the run it continues; this one keeps its rows, except those that the
    continued run repeats: what was written after its checkpoint.

    Args:
        folder: The run folder.

    Attributes:
        rows: Number of rows so far.
        known_rows: Number of them when the checkpoint was written that a run goes on from; None where it does not say:
            then those before the first batch that is logged are kept.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self._columns: list[str] = []
        self._opened = False
        self.rows = 0
        self.known_rows: int | None = None

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """Empty: a run folder holds one version of the file."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` beside the file holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row; ``step`` counts batches."""
        row: dict[str, Any] = {"step": step, **metrics}
        if self._opened and row.keys() <= set(self._columns) and self._append(row):
            self.rows += 1
            return
        kept = self._read() if self._opened else self._rows_to_keep(step)
        self._columns += [column for column in row if column not in self._columns]
        self._rewrite([*kept, row])
        self.rows = len(kept) + 1
        self._opened = True

    def _append(self, row: dict[str, Any]) -> bool:
        """Add a row to the file; return whether there is one: somebody may have deleted it a moment ago."""
        with readable_errors(self.path):
            try:
                file = self.path.open("r+", newline="")
            except FileNotFoundError:
                return False
            with file:
                file.seek(0, io.SEEK_END)
                csv.DictWriter(file, self._columns).writerow(row)
            return True

    def _rows_to_keep(self, step: int | None) -> list[dict[str, str]]:
        rows = self._read()
        if self.known_rows is not None:
            return rows[: self.known_rows]
        return rows if step is None else [row for row in rows if int(row["step"]) < step]

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            reader = csv.DictReader(line for line in file if line.endswith("\n"))  # a full disk cuts the last one
            rows = list(reader)
            self._columns = list(reader.fieldnames or [])
        return rows

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path, table.getvalue())
