"""Measures of pieces of sound with the video generated from them, and their means over clips."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from callbacks.sound.measures import (
    av_align,
    carry_on,
    correlation,
    frame_change,
    loudness,
    mean_interval,
    motion_frames,
    onset_frames,
    ssim,
)
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.gathering import gather_objects

Row = dict[str, float | None]

_CORRELATION = "change_loudness_correlation"
_PER_PIECE = ("av_align", "av_align_target", "av_align_other_sound", _CORRELATION, f"{_CORRELATION}_target")
METRICS = (
    *("l1", "psnr", "psnr_own_mean_picture", "ssim", "temporal_difference", "temporal_difference_still"),
    *("frame_change", *_PER_PIECE, "shuffle_l1", "silence_l1", "silence_frame_change"),
    *(
        f"{test}_l1_increase{kind}{bound}"
        for test in ("shuffle", "silence")
        for kind in ("", "_relative")
        for bound in ("", "_low", "_high")
    ),
)
"""Names of all metrics, with a value or without."""

_NO_OTHER = "the module draws nothing to it"
_WHY = {
    "av_align": "no piece has a peak of sound or movement",
    "av_align_other_sound": "no piece has a peak of sound or movement",
    "av_align_target": "no piece has a peak of sound or movement",
    _CORRELATION: "in no piece do both pictures and loudness vary",
    f"{_CORRELATION}_target": "in no piece do both pictures and loudness vary",
}


@dataclass
class PieceTable:
    """Figures of pieces by their index, so that one that comes twice counts once."""

    rows: dict[int, tuple[str, Row]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, generated: GeneratedClips, batch: AudioVideoBatch, rate: int, fps: float) -> None:
        """Measure every piece of a batch.

        Raises:
            ValueError: if a generated value is not finite; names the clip.
        """
        for row, (name, index) in enumerate(zip(batch.name, batch.index.tolist(), strict=True)):
            if not bool(torch.isfinite(generated.frames[row]).all()):
                raise ValueError(
                    f"the pictures generated for clip {name!r} at {float(batch.start[row]):.2f} s are not finite"
                )
            self.rows[index] = name, _measure(generated, batch, row, rate, fps)

    def gather(self) -> "PieceTable":
        """Return the table of all processes together."""
        return PieceTable({index: row for rows in gather_objects(self.rows) for index, row in sorted(rows.items())})

    def clips(self) -> dict[str, Row]:
        """Return the figures of every clip, by name: errors are means over frames, the rest over pieces."""
        names = sorted({name for name, _ in self.rows.values()})
        pieces = {name: [row for _, (owner, row) in sorted(self.rows.items()) if owner == name] for name in names}
        return {name: _average(rows) for name, rows in pieces.items()}

    def evaluation(self) -> tuple[dict[str, float], dict[str, str]]:
        """Return the metrics over all clips, and of those without a value the reason.

        Errors are means over all frames. Of the tests with another sound the mean over clips is given with its
        95 % confidence interval (``_low``, ``_high``).
        """
        average = _average([row for _, (_, row) in sorted(self.rows.items())])
        clips = self.clips()
        metrics: dict[str, float] = {}
        undefined: dict[str, str] = {}
        for name, value in average.items():
            if value is not None:
                metrics[name] = value
            else:
                undefined[name] = _WHY.get(name, "no error" if name.startswith("psnr") else _NO_OTHER)
        for test in ("shuffle", "silence"):
            for kind in ("increase", "increase_relative"):
                name = f"{test}_l1_{kind}"
                metrics.pop(name, None)
                undefined.pop(name, None)
                values = [value for clip in clips.values() if (value := clip[name]) is not None]
                if not values:
                    undefined[name] = _NO_OTHER
                    continue
                metrics[name] = float(np.mean(values))
                interval = mean_interval(values)
                if interval is None:
                    undefined[f"{name}_low"] = undefined[f"{name}_high"] = "an interval needs two clips"
                else:
                    metrics[f"{name}_low"], metrics[f"{name}_high"] = interval
        return metrics, undefined


def _measure(generated: GeneratedClips, batch: AudioVideoBatch, row: int, rate: int, fps: float) -> Row:
    """Return the figures of one piece; errors are means over its frames that are not padding."""
    valid = batch.valid[row]
    count = int(valid.sum())
    target, made = batch.frames[row][valid].float() / 255, generated.frames[row][valid].float()
    sound, other = (
        both[row, 0, : round(count * rate / fps)].double().cpu().numpy() for both in (batch.audio, batch.other)
    )
    motions = motion_frames(made)
    onsets, loud = onset_frames(sound, rate, fps), loudness(sound, rate, fps, count)[1:]
    change, target_change = frame_change(made), frame_change(target)
    figures: Row = {
        "frames": float(count),
        "l1": _mean(made - target, 1),
        "mse": _mean(made - target, 2),
        "mse_own_mean_picture": _mean(target - target.mean(dim=0), 2),
        "ssim": float(ssim(made, target).mean()),
        "temporal_difference": _mean(made.diff(dim=0) - target.diff(dim=0), 1) if count > 1 else None,
        "temporal_difference_still": float(target_change.mean()) if count > 1 else None,
        "frame_change": float(change.mean()) if count > 1 else None,
        "av_align": av_align(onsets, motions),
        "av_align_other_sound": av_align(onset_frames(other, rate, fps), motions),
        "av_align_target": av_align(onsets, motion_frames(target)),
        _CORRELATION: correlation(carry_on(change.cpu().numpy()), loud),
        f"{_CORRELATION}_target": correlation(carry_on(target_change.cpu().numpy()), loud),
    }
    for name, frames in (("shuffle_l1", generated.shuffled), ("silence_l1", generated.silent)):
        figures[name] = None if frames is None else _mean(frames[row][valid].float() - target, 1)
    silent = generated.silent
    figures["silence_frame_change"] = (
        None if silent is None or count < 2 else float(frame_change(silent[row][valid]).mean())
    )
    return figures


def _mean(error: Tensor, power: int) -> float:
    return float(error.abs().pow(power).mean(dtype=torch.float64))


def _average(rows: Sequence[Row]) -> Row:
    """Return the means of the rows' figures, weighted by their frames, and what follows from them."""
    weights = [row["frames"] or 0.0 for row in rows]
    result: Row = {}
    for name in rows[0]:
        if name != "frames":
            result[name] = _weighted((row[name] for row in rows), None if name in _PER_PIECE else weights)
    result["psnr"] = _psnr(result.pop("mse"))
    result["psnr_own_mean_picture"] = _psnr(result.pop("mse_own_mean_picture"))
    own = result["l1"]
    for test in ("shuffle", "silence"):
        other = result[f"{test}_l1"]
        known = own is not None and other is not None
        result[f"{test}_l1_increase"] = other - own if known else None  # type: ignore[operator]
        result[f"{test}_l1_increase_relative"] = other / own - 1 if known and own else None  # type: ignore[operator]
    return result


def _weighted(values: Iterable[float | None], weights: Sequence[float] | None) -> float | None:
    listed = list(values)
    known = [
        (value, weight)
        for value, weight in zip(listed, weights or [1.0] * len(listed), strict=True)
        if value is not None
    ]
    if not known:
        return None
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known)


def _psnr(mse: float | None) -> float | None:
    return -10 * math.log10(mse) if mse else None
