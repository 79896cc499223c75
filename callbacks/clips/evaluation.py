"""What scores are worth: every number under its own name, and why some have no value."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from callbacks import auc
from callbacks.auc import Floats
from callbacks.clips.frame_table import Array, VideoSeries
from datamodules.batches import UNKNOWN_LABEL


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of a set of videos; frames whose label is unknown take no part.

    Attributes:
        metrics: ``frame_auroc_micro`` over all frames on raw scores; ``frame_auroc_minmax`` after the
            scores of every video were brought to [0, 1]; ``frame_auroc_macro``, the mean over videos that
            have both classes; ``frame_ap``; ``frame_eer``; ``pixel_auroc`` over all pixels of frames that
            have a mask; ``frame_auroc_micro_<name>`` and ``frame_auroc_minmax_<name>`` of every
            alternative, and of the frame's number as ``frame_index``: what the mere order of the frames
            would reach.
        undefined: reason by name of what has no value.
        videos: area under the ROC curve of every video on its own, None where it holds one class only.
        frames: number of frames with a label.
        anomalous_frames: number of these that are anomalous.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    videos: dict[str, float | None] = field(default_factory=dict)
    frames: int = 0
    anomalous_frames: int = 0


def evaluate(series: Sequence[VideoSeries]) -> Evaluation:
    """Compute all metrics exactly."""
    known = [one.label != UNKNOWN_LABEL for one in series]
    labels = [one.label[rows] for one, rows in zip(series, known, strict=True)]
    label = _join(labels)
    raw = [one.score[rows] for one, rows in zip(series, known, strict=True)]
    curve = auc.rank_curve(_join(raw), label)
    per_video = [auc.rank_curve(scores, truth) for scores, truth in zip(raw, labels, strict=True)]
    videos = {one.video: auc.auroc(alone) for one, alone in zip(series, per_video, strict=True)}
    macro = [value for value in videos.values() if value is not None]

    found: dict[str, float | None] = {
        "frame_auroc_micro": auc.auroc(curve),
        "frame_auroc_minmax": auc.auroc(auc.rank_curve(_join(map(_minmax, raw)), label)),
        "frame_auroc_macro": float(np.mean(macro)) if macro else None,
        "frame_ap": auc.average_precision(curve),
        "frame_eer": auc.equal_error_rate(curve),
    }
    alternatives = {name: [one.alternatives[name] for one in series] for name in _names(series)}
    alternatives["frame_index"] = [one.frame.astype(np.float64) for one in series]
    for name, columns in alternatives.items():
        scores = [column[rows] for column, rows in zip(columns, known, strict=True)]
        found[f"frame_auroc_micro_{name}"] = auc.auroc(auc.rank_curve(_join(scores), label))
        found[f"frame_auroc_minmax_{name}"] = auc.auroc(auc.rank_curve(_join(map(_minmax, scores)), label))
    found["pixel_auroc"] = _pixel_auroc(series)

    reasons = {
        "frame_auroc_macro": "no video has both normal and anomalous frames",
        "pixel_auroc": "no masks, or none that has both normal and anomalous pixels",
    }
    return Evaluation(
        metrics={name: value for name, value in found.items() if value is not None},
        undefined={
            name: reasons.get(name, f"frames: {curve.undefined}") for name, value in found.items() if value is None
        },
        videos=videos,
        frames=len(label),
        anomalous_frames=int(label.sum()),
    )


def _pixel_auroc(series: Sequence[VideoSeries]) -> float | None:
    """Rank every pixel of every frame with a mask; one frame at a time, only anomalous pixels are kept."""
    anomalous = [heat[mask] for heat, mask in _pictures(series)]
    if not anomalous:
        return None
    return auc.auroc_of_parts(np.concatenate(anomalous), (heat[~mask] for heat, mask in _pictures(series)))


def _pictures(series: Sequence[VideoSeries]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    for one in series:
        if one.places is not None:
            for row, (heat, mask) in zip(one.places.row, one.places, strict=True):
                if one.label[row] != UNKNOWN_LABEL:
                    yield heat, mask


def _names(series: Sequence[VideoSeries]) -> list[str]:
    return list(series[0].alternatives) if series else []


def _join(parts: Iterable[Array]) -> Array:
    return np.concatenate([np.empty(0), *parts])


def _minmax(scores: Floats) -> Floats:
    """Bring scores to [0, 1]; scores that are all equal become 0."""
    if not scores.size:
        return scores
    span = scores.max() - scores.min()
    return (scores - scores.min()) / (span or 1.0)
