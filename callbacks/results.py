"""What a test leaves behind: results.json, scores.csv and a table on the screen."""

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
from rich.console import Console
from rich.table import Table

from callbacks.atomic_file import write_text
from callbacks.evaluation import Evaluation
from callbacks.frame_table import VideoSeries
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


def write_results(path: Path, evaluation: Evaluation, about: dict[str, Any]) -> None:
    """Write metrics at the top level (their names unprefixed), then ``about``, counts and reasons as JSON."""
    both = [name for name, value in evaluation.videos.items() if value is not None]
    record = {
        **evaluation.metrics,
        "undefined": evaluation.undefined,
        "counts": {
            "videos": len(evaluation.videos),
            "videos_in_macro": len(both),
            "videos_left_out_of_macro": len(evaluation.videos) - len(both),
            "frames": evaluation.frames,
            "anomalous_frames": evaluation.anomalous_frames,
        },
        "frame_auroc_by_video": evaluation.videos,
        **about,
    }
    write_record(path, record)


def write_scores(path: Path, series: Sequence[VideoSeries]) -> None:
    """Write one row per frame: video, frame, score, label (-1 where unknown), then every alternative."""
    names = list(series[0].alternatives) if series else []
    rows = (
        [one.video, *cells]
        for one in series
        for cells in zip(
            *(one.frame.tolist(), one.score.tolist(), one.label.tolist()),
            *(one.alternatives[name].tolist() for name in names),
            strict=True,
        )
    )
    write_rows(path, ["video", "frame", "score", "label", *names], rows)


def print_results(evaluation: Evaluation) -> None:
    """Print the metrics and what is undefined."""
    normal = evaluation.frames - evaluation.anomalous_frames
    title = f"{len(evaluation.videos)} videos: {evaluation.anomalous_frames} anomalous, {normal} normal frames"
    table = Table("metric", "value", title=title, title_justify="left")
    for name, value in evaluation.metrics.items():
        table.add_row(name, f"{value:.4f}")
    for name, reason in evaluation.undefined.items():
        table.add_row(name, f"undefined ({reason})", style="dim")
    Console().print(table)
