"""The metrics of anomaly scores of frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbacks import auc
from callbacks.auc import Floats
from callbacks.clips.kinds import METRIC as OF_KIND
from callbacks.clips.kinds import auroc_of_kinds
from callbacks.clips.place_criteria import place_criteria
from callbacks.clips.places import Array
from callbacks.clips.table import VideoSeries
from callbacks.evaluation import Evaluation, split_undefined
from callbacks.pixel_counts import add_counts, count_marked, pixel_auroc
from datamodules.batches import UNKNOWN_LABEL

MOST_PIXELS = 2**24
"""Anomalous pixels that are held to be ranked exactly, 128 MiB of them; of more the scores are rounded."""

AT_ONCE = 64
"""Frames whose rounded scores are counted together before they are added to the others."""


def evaluate(
    series: Sequence[VideoSeries],
    threshold: float | None = None,
    *,
    tested: bool = False,
    boxes: Mapping[str, Floats] | None = None,
    kinds: Mapping[str, Array] | None = None,
) -> Evaluation:
    """Compute all metrics exactly; frames whose label is unknown take no part.

    ``frame_auroc_micro`` is over all frames on raw scores; ``frame_auroc_minmax`` after the scores of every video were
    brought to [0, 1]; ``frame_auroc_macro`` the mean over videos that have both classes; ``frame_ap``; ``frame_eer``;
    ``pixel_auroc`` over all pixels of frames that have a mask; ``frame_auroc_micro_<name>`` and
    ``frame_auroc_minmax_<name>`` of every alternative, and of the frame's number as ``frame_index``: what the mere
    order of the frames would reach. Of a test also ``f1``, of calling anomalous what lies above the threshold, and
    ``rbdc`` and ``tbdc``, see :func:`~callbacks.clips.place_criteria.place_criteria`; the masks of pseudo-anomalies are
    specks where pixels differ, not regions. Of a validation ``frame_auroc_of_<kind>`` of each of their kinds, see
    :func:`~callbacks.clips.kinds.auroc_of_kinds`.

    What needs masks may be of less than all: ``details`` has under ``sampled`` how many of the frames with a mask
    ``pixel_auroc``, ``rbdc`` and ``tbdc`` are of, where their table had no room for all, and under ``rounding`` how far
    ``pixel_auroc`` can be from the exact one, where more than ``MOST_PIXELS`` are anomalous; ``regions_of`` is
    ``"boxes"`` where regions and tracks are those of boxes.

    Args:
        series: the videos.
        threshold: raw score above which a frame is called anomalous; None where unknown.
        tested: whether they are test videos, which are also judged by the threshold and by regions.
        boxes: by the name of a video the boxes of its anomalies, which are its regions instead of those of its masks.
        kinds: of a validation, by the name of a video, what kind of anomaly each of its frames shows; None where nobody
            says.
    """
    known = [one.label != UNKNOWN_LABEL for one in series]
    labels = [one.label[rows] for one, rows in zip(series, known, strict=True)]
    label = _join(labels)
    raw = [one.score[rows] for one, rows in zip(series, known, strict=True)]
    curve = auc.rank_curve(_join(raw), label)
    per_video = [auc.auroc(auc.rank_curve(scores, truth)) for scores, truth in zip(raw, labels, strict=True)]
    macro = [value for value in per_video if value is not None]
    frames = sum(len(one.label) for one in series)

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
    found["pixel_auroc"], rounding = _pixel_auroc(series)
    with_mask, kept = sum(one.masked for one in series), sum(len(one.places.row) for one in series if one.places)
    details: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    details |= {"rounding": {"pixel_auroc": rounding}} if rounding else {}
    unlabelled = {"": f"none of the {frames:,} frames has a label"} if frames and not label.size else {}
    reasons = unlabelled or {
        "frame_auroc_macro": "no video has both normal and anomalous frames",
        "pixel_auroc": "no masks, or none that has both normal and anomalous pixels",
    }
    counts: dict[str, int] = {}
    of_masks = ["pixel_auroc"]
    if tested:
        places = place_criteria(series, boxes)
        of_masks += ["rbdc"] if places.tbdc is None else ["rbdc", "tbdc"]
        details |= {"regions_of": "boxes"} if boxes else {}
        found |= {"rbdc": places.rbdc, "tbdc": places.tbdc}
        counts = {"regions": places.regions, "tracks": places.tracks}
        none = "no masks, or none that marks a region"
        gaps = "tracks are followed through all frames, and only a sample of them fits in memory"
        reasons |= {} if unlabelled else {"rbdc": none, "tbdc": gaps if places.regions else none}
        found["f1"] = None if threshold is None or curve.undefined else auc.f1_score(_join(raw), label, threshold)
        reasons |= {} if curve.undefined else {"f1": "the model has no calibrated threshold"}
    else:
        found |= auroc_of_kinds(series, kinds or {})
        unseen = "no clip shows this kind of anomaly" if kinds else "the data do not tell kinds of anomalies"
        reasons |= {} if unlabelled or curve.undefined else {OF_KIND: unseen}
    details |= {"sampled": {name: {"used": kept, "of": with_mask} for name in of_masks}} if kept < with_mask else {}
    metrics, undefined = split_undefined(found, reasons, f"frames: {curve.undefined}")
    return Evaluation(
        metrics=metrics,
        undefined=undefined,
        counts={
            "videos": len(series),
            "videos_in_macro": len(macro),
            "videos_left_out_of_macro": len(series) - len(macro),
            "frames": len(label),
            "anomalous_frames": int(label.sum()),
            "unlabelled_frames": frames - len(label),
            **counts,
        },
        groups={
            "video": {
                one.video: {"frames": len(truth), "anomalous_frames": int(truth.sum()), "frame_auroc": value}
                for one, truth, value in zip(series, labels, per_video, strict=True)
            }
        },
        details=details,
    )


def _pixel_auroc(series: Sequence[VideoSeries]) -> tuple[float | None, float]:
    """Rank every pixel of every frame whose mask is kept; one frame at a time, only anomalous pixels are kept.

    Returns:
        The area, and how far it can be from that of the unrounded scores: 0 as long as the anomalous pixels fit.
    """
    anomalous: list[Floats] = []
    held = 0
    for heat, mask in _pictures(series):
        anomalous.append(heat[mask])
        held += len(anomalous[-1])
        if held > MOST_PIXELS:
            return _rounded_pixel_auroc(series)
    if not anomalous:
        return None, 0.0
    return auc.auroc_of_parts(np.concatenate(anomalous), (heat[~mask] for heat, mask in _pictures(series))), 0.0


def _rounded_pixel_auroc(series: Sequence[VideoSeries]) -> tuple[float | None, float]:
    total = add_counts([])
    pictures = _pictures(series)
    while some := list(islice(pictures, AT_ONCE)):
        heat, mask = (np.concatenate([pair[side].ravel() for pair in some]) for side in (0, 1))
        total = add_counts([total, count_marked(heat, mask)])
    return pixel_auroc(total) or (None, 0.0)


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
