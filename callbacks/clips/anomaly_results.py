"""What a test on clips leaves behind: results.json, scores.csv and a table on the screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from callbacks.clips.evaluation import Evaluation
from callbacks.clips.frame_table import VideoSeries
from callbacks.results import write_record, write_rows


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
