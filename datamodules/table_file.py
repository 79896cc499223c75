"""Tables as spreadsheets write them: in their encodings, with their separators, with rows that hold nothing."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from datamodules.errors import InputError
from datamodules.listing import refuse_devices

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (",", ";", "\t")


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of the line and the columns of every row that holds something, without blanks around them.

    The file may be UTF-8, UTF-16 with its mark, or else Windows-1252, and separated by commas, semicolons or
    tabulators; the first line says which.

    Args:
        path: the file.
        columns: those that it must have; others are left out.

    Raises:
        InputError: if it is none of these, or lacks a column.
    """
    lines = io.StringIO(_text(path), newline="")
    first = lines.readline()
    lines.seek(0)
    rows = csv.reader(lines, delimiter=max(_SEPARATORS, key=first.count))
    header = [name.strip().lower() for name in _first_row(rows)]
    if not set(columns) <= set(header):
        raise InputError(f"{path}: the first line must be {','.join(columns)}, is {first.rstrip()!r}")
    places = [header.index(name) for name in columns]
    try:
        for row in rows:
            if any(value.strip() for value in row):
                if len(row) <= max(places):
                    raise InputError(
                        f"{path}, line {rows.line_num}: has {len(row)} of the {len(header)} columns; write all "
                        "separators, also where nothing stands between them, or get the file anew if it was cut short"
                    )
                cells = [row[place].strip() for place in places]
                yield rows.line_num, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: is no table ({error}); save it as CSV UTF-8") from None


def _first_row(rows: Iterator[list[str]]) -> list[str]:
    try:
        return next(rows, [])
    except csv.Error:  # then it is not the one that is needed
        return []


def _text(path: Path) -> str:
    refuse_devices(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); allow reading it, or name another") from error
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if encoding is None:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            encoding = "cp1252"  # what spreadsheets of western languages write without being asked
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in {encoding} ({error.reason}); save it as CSV UTF-8") from None
