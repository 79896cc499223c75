"""What a test leaves behind: results.json, scores.csv and a table on the screen."""

import csv
import io
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from callbacks.atomic_file import write_text
from callbacks.evaluation import Evaluation
from callbacks.frame_table import VideoSeries

PACKAGES = ("fulgurite", "torch", "lightning", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


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
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_scores(path: Path, series: Sequence[VideoSeries]) -> None:
    """Write one row per frame: video, frame, score, label (-1 where unknown), then every alternative."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(series[0].alternatives) if series else []
    writer.writerow(["video", "frame", "score", "label", *names])
    for one in series:
        columns = [one.score, one.label, *(one.alternatives[name] for name in names)]
        for frame, score, label, *others in zip(one.frame.tolist(), *map(list, columns), strict=True):
            writer.writerow([one.video, frame, f"{score:.9g}", label, *(f"{value:.9g}" for value in others)])
    write_text(path, text.getvalue())


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
