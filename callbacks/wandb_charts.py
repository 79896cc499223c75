"""What a test shows on Weights & Biases beside its plots: ROC and precision-recall, scores over time, the cases."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from lightning.pytorch import Trainer

from callbacks import auc
from callbacks.cases import CASES
from callbacks.wandb_logger import medium, send, wandb_loggers

RANKED, LINE = "wandb/area-under-curve/v0", "wandb/line/v0"
"""W&B's own kinds of charts, and below which column of a table stands where in them."""
ROC_FIELDS = {"x": "false positive rate", "y": "true positive rate", "class": "class"}
PR_FIELDS = {"x": "recall", "y": "precision", "class": "class"}
LINE_FIELDS = {"x": "frame", "y": "score", "stroke": "video"}
CASES_TABLE = "test/cases"
CURVES = ("test/roc_curve_table", "test/pr_curve_table")
OVER_TIME = "test/scores_over_time_table"
"""Names of the tables from which W&B draws its charts; it puts ``_table`` behind the name of the chart."""
PLOTS = ("test/roc", "test/precision_recall", "test/scores")
"""Names of the pictures of a test whose scores are ranked; of many videos the last is ``test/scores-1`` and so on."""
POINTS = 200
"""Most points of a curve."""
ROWS = 5000
"""Rows of the table of scores over time, above which every few frames of a video become one."""


def send_curves(trainer: Trainer, curve: auc.RankCurve | None) -> None:
    """Send ``test/roc_curve`` and ``test/pr_curve``: at most 200 points of the exact ones, both ends among them.

    Nothing where one class is missing; what a rule that knows nothing has is drawn beside them.
    """
    if curve is None or curve.undefined or not any(wandb_loggers(trainer)):
        return
    false_rate, true_rate = thinned(*auc.roc_curve(curve))
    recall, precision = thinned(*auc.precision_recall_curve(curve))
    share = curve.positives / (curve.positives + curve.negatives)
    roc = {f"model, area {auc.auroc(curve):.4f}": (false_rate, true_rate), "chance, area 0.5": ([0, 1], [0, 1])}
    pr = {
        f"model, average {auc.average_precision(curve):.4f}": (recall, precision),
        f"chance, {share:.4f}": ([0, 1], [share, share]),
    }
    send(trainer, "test/roc_curve", _chart(roc, "ROC", ROC_FIELDS))
    send(trainer, "test/pr_curve", _chart(pr, "Precision-recall", PR_FIELDS))


def thinned(across: auc.Floats, up: auc.Floats, most: int = POINTS) -> tuple[auc.Floats, auc.Floats]:
    """Return at most ``most`` of a curve's points ``(K,)``, the ends among them, at equal distances along its way."""
    if len(across) <= most:
        return across, up
    way = np.append(0, np.cumsum(np.abs(np.diff(across)) + np.abs(np.diff(up))))
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)))
    return across[kept], up[kept]


def send_scores(trainer: Trainer, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Send ``test/scores_over_time``, a table of frames with a line a video, where ``scores.csv`` has frames.

    Of more than 5000 frames as many successive ones of a video become one row as bring them there, and it is the one
    with the highest score among them.

    Args:
        trainer: its loggers, and the batches that the weights have seen.
        header: of ``scores.csv``; ``name``, ``frame``, ``score`` and ``label`` are taken.
        rows: of ``scores.csv``, video by video.
    """
    if "frame" not in header or not any(wandb_loggers(trainer)):
        return
    columns = [header.index(name) for name in ("name", "frame", "score", "label")]
    frames = [[row[column] for column in columns] for row in rows]
    table = wandb.Table(columns=["video", "frame", "score", "label"], data=[*_highest(frames, -(-len(frames) // ROWS))])
    chart = wandb.plot_table(LINE, table, LINE_FIELDS, {"title": "Score over time (raw)"})
    send(trainer, "test/scores_over_time", chart)


def send_cases(trainer: Trainer, folder: Path) -> None:
    """Send ``test/cases``, a table of the worst and the best with their pictures, if a folder of results has them."""
    if not (folder / CASES).is_file() or not any(wandb_loggers(trainer)):
        return
    cases: list[dict[str, Any]] = json.loads((folder / CASES).read_text())["cases"]
    figures = list(dict.fromkeys(name for case in cases for name in case["figures"]))
    table = wandb.Table(columns=["kind", "name", "picture", "says", *figures], allow_mixed_types=True)
    for case in cases:
        picture = medium(folder / case["file"])
        table.add_data(case["kind"], case["name"], picture, case["says"], *map(case["figures"].get, figures))
    send(trainer, CASES_TABLE, table)


def _chart(series: dict[str, tuple[Any, Any]], title: str, fields: dict[str, str]) -> Any:
    rows = [[name, float(x), float(y)] for name, (xs, ys) in series.items() for x, y in zip(xs, ys, strict=True)]
    table = wandb.Table(columns=[fields[place] for place in ("class", "x", "y")], data=rows)
    titles = {"title": title, "x-axis-title": fields["x"], "y-axis-title": fields["y"]}
    return wandb.plot_table(RANKED, table, fields, titles)


def _highest(frames: Sequence[list[Any]], together: int) -> Iterator[list[Any]]:
    """Yield, of every ``together`` successive frames of a video, the one with the highest score."""
    for _, video in groupby(frames, key=lambda row: row[0]):
        rows = list(video)
        yield from (max(rows[at : at + together], key=lambda row: row[2]) for at in range(0, len(rows), together))
