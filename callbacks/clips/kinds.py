"""How well each kind of pseudo-anomaly is told from what is normal: what a choice by their validation rests on."""

from collections.abc import Mapping, Sequence

import numpy as np

from callbacks import auc
from callbacks.clips.places import Array
from callbacks.clips.table import VideoSeries
from datamodules.clips.pseudo_anomalies import KINDS

METRIC = "frame_auroc_of_"
"""Before the kind."""


def auroc_of_kinds(series: Sequence[VideoSeries], kinds: Mapping[str, Array]) -> dict[str, float | None]:
    """Rank the frames of each kind among all normal frames, on raw scores.

    The area over all anomalous frames together is the mean of these areas, each weighted by the number of its frames.

    Args:
        series: the videos.
        kinds: by the name of a video the kind of each of its frames; of one that is not named nothing is anomalous.

    Returns:
        Area by the name of its metric; None where no frame is of the kind, or none is normal.
    """
    empty = np.empty(0)
    score = np.concatenate([empty, *(one.score for one in series)])
    label = np.concatenate([empty, *(one.label for one in series)])
    kind = np.concatenate([np.empty(0, str), *(_kinds_of(one, kinds) for one in series)])
    found = {}
    for name in KINDS:
        rows = (label == 0) | ((label == 1) & (kind == name))
        found[f"{METRIC}{name}"] = auc.auroc(auc.rank_curve(score[rows], label[rows]))
    return found


def _kinds_of(one: VideoSeries, kinds: Mapping[str, Array]) -> Array:
    return kinds[one.video][one.frame] if one.video in kinds else np.full(len(one.frame), "")
