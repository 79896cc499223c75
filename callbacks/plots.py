"""Curves of a test as pictures."""

from collections.abc import Sequence
from pathlib import Path

from callbacks.evaluation import Evaluation
from callbacks.frame_table import VideoSeries


def write_plots(
    folder: Path, series: Sequence[VideoSeries], evaluation: Evaluation, threshold: float | None
) -> list[Path]:
    """Draw."""
    return []
