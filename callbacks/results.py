"""The files that a test leaves behind, whatever was tested: records, tables, and what a result depends on."""

import csv
import io
import json
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from datamodules.atomic_file import write_text
from datamodules.seeding import global_seed

PACKAGES = ("fulgurite", "torch", "lightning", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def about_run(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Return what a result depends on beside the data: checkpoint, seed, device, processes, date, versions."""
    device = pl_module.device
    return {
        "checkpoint": str(trainer.ckpt_path) if trainer.ckpt_path else None,
        "seed": global_seed(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "processes": trainer.world_size,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON; what is undefined is null, and nothing in it may be infinite or not a number."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV; floats with nine digits, which is all that a float32 holds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    write_text(path, text.getvalue())
