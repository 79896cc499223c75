"""A table that grows row by row for days, whole at any moment, and what becomes of it on a disk that fills."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from callbacks.file_names import cell
from datamodules.atomic_file import BAD_DISK


class GrowingTable:
    """Appends rows to a CSV file; each write holds whole rows.

    Whoever watches a camera wants the next alarm even where the disk is full. So what cannot be written is counted and
    told once, the file is cut back to its last whole row, and writing goes on as soon as there is room.

    Args:
        path: of the file, which must not be there yet.
        columns: its header.
        tell: gets a sentence when nothing can be written, and when it can be again.

    Attributes:
        lost: how many rows could not be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], tell: Callable[[str], None]) -> None:
        self.lost = 0
        self._path, self._tell = path, tell
        self._is_full = False
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self.add([columns])

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows, or count them as lost where the disk is full."""
        if not rows:
            return
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([cell(value) for value in row] for row in rows)
        whole = os.fstat(self._file).st_size
        try:
            left = memoryview(text.getvalue().encode())
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as problem:
            if problem.errno not in BAD_DISK:
                raise
            os.ftruncate(self._file, whole)  # of the last row a part may stand there
            self.lost += len(rows)
            if not self._is_full:
                self._tell(f"{self._path} cannot be written: {problem.strerror}. The watch goes on without it")
            self._is_full = True
            return
        if self._is_full:
            self._tell(f"{self._path} can be written again; {self.lost} rows are missing")
        self._is_full = False

    def close(self) -> None:
        """Make what was written durable."""
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
