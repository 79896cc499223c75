"""Reads back what W&B has written to the disk: the installed package has no reader of its own."""

import json
import struct
import time
from pathlib import Path

from wandb.proto import wandb_internal_pb2


class WandbFile:
    """The file of one run, or of one sitting of it.

    Attributes:
        folder: in which the run keeps its file, below it ``files/`` with its media.
        run: the record of the run: its number, group, job type and so on.
        rows: of the history, each a dict by logged name; media and tables are dicts themselves.
        config: by its topmost keys.
        summary: by logged name, as W&B itself would show it.
        definitions: of metrics.
        artifacts: the files of each, by the name of the artifact and the path within.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = _whole(folder)
        self.run = next(record.run for record in found if record.WhichOneof("record_type") == "run")
        self.definitions = [record.metric for record in found if record.WhichOneof("record_type") == "metric"]
        self.rows = [_tree(record.history.item) for record in found if record.WhichOneof("record_type") == "history"]
        kept = [record.artifact for record in found if record.WhichOneof("record_type") == "artifact"]
        self.artifacts = {
            one.name: {entry.path: Path(entry.local_path) for entry in one.manifest.contents} for one in kept
        }
        self.config, self.summary = {}, {}
        for record in found:
            for item in [*record.run.config.update, *record.config.update]:
                _put(self.config, item)
            for item in record.summary.update:
                _put(self.summary, item)

    def batches(self, name: str) -> list[int]:
        """At which batches something was logged."""
        return [row["batches"] for row in self.rows if name in row]

    def names(self) -> set[str]:
        """All logged names."""
        return {name for row in self.rows for name in row if not name.startswith("_")} - {"batches"}

    def file(self, name: str) -> Path:
        """The file of a medium or table that was logged last."""
        return self.folder / "files" / [row[name] for row in self.rows if name in row][-1]["path"]

    def table(self, name: str) -> list[dict]:
        """The rows of a logged table by their columns; media in it are files."""
        (files,) = (files for files in self.artifacts.values() if f"{name}.table.json" in files)
        table = json.loads(files[f"{name}.table.json"].read_text())
        rows = ([files[cell["path"]] if isinstance(cell, dict) else cell for cell in row] for row in table["data"])
        return [dict(zip(table["columns"], row, strict=True)) for row in rows]


def wandb_files(run: Path) -> list[WandbFile]:
    """Every sitting of a run folder, the oldest first."""
    return [WandbFile(path.parent) for path in sorted(run.glob("wandb/*run-*/run-*.wandb"))]


def _whole(folder: Path) -> list:
    """All records; W&B's own process closes the file a little after it says so."""
    (file,) = folder.glob("run-*.wandb")
    deadline = time.monotonic() + 30
    found = records(file)
    while not any(record.WhichOneof("record_type") == "exit" for record in found):
        assert time.monotonic() < deadline, "the run was never closed"
        time.sleep(0.05)
        found = records(file)
    return found


def records(file: Path) -> list:
    """Every record: a 7-byte header, then chunks in blocks of 32 KiB."""
    data, position, part, found = file.read_bytes(), 7, b"", []
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        part += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last chunk of one
            found.append(wandb_internal_pb2.Record.FromString(part))
            part = b""
    return found


def _tree(items) -> dict:
    row = {}
    for item in items:
        _put(row, item)
    return row


def _put(tree: dict, item) -> None:
    *parents, last = item.nested_key or [item.key]
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = json.loads(item.value_json)
