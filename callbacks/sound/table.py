"""Measures of pieces of sound with the video generated from them, and their means over clips."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from callbacks.sound.fast_part import FAST_FIGURES, fast_figures
from callbacks.sound.measures import (
    av_align,
    carry_on,
    correlation,
    frame_change,
    loudness,
    mean_interval,
    motion_frames,
    moving_part,
    onset_frames,
    ssim,
)
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.gathering import gather_objects
from datamodules.protocols import SoundRule

Row = dict[str, float | None]

_CORRELATION = "change_loudness_correlation"
_PER_PIECE = (
    *("av_align", "av_align_target", "av_align_other_sound", _CORRELATION, f"{_CORRELATION}_target"),
    *FAST_FIGURES,
)
_RELATIVE = {
    "shuffle_l1_increase_relative": ("shuffle_l1", "l1"),
    "silence_l1_increase_relative": ("silence_l1", "l1"),
    "shuffle_moving": ("shuffle_moving_l1", "l1_moving"),
    "shuffle_baseline": ("baseline_shuffle_l1", "baseline_l1"),
    "shuffle_baseline_moving": ("baseline_shuffle_moving_l1", "baseline_l1_moving"),
}
"""How much larger one error is than another, in shares of that one."""
_OF_RULE = ("shuffle_baseline", "shuffle_baseline_moving")
_OVER_CLIPS = (
    *(f"{test}_l1_increase{kind}" for test in ("shuffle", "silence") for kind in ("", "_relative")),
    "shuffle_moving",
)
"""Metrics that are means over clips, with an interval."""
METRICS = (
    *("l1", "psnr", "psnr_own_mean_picture", "ssim", "temporal_difference", "temporal_difference_still"),
    *("frame_change", *_PER_PIECE, "l1_moving", "shuffle_l1", "silence_l1", "silence_frame_change"),
    *(f"{name}{bound}" for name in _OVER_CLIPS for bound in ("", "_low", "_high")),
)
"""Names of all metrics, with a value or without."""

_NO_OTHER = "the module draws nothing to it"
_WHY = {
    "av_align": "no piece has a peak of sound or movement",
    "av_align_other_sound": "no piece has a peak of sound or movement",
    "av_align_target": "no piece has a peak of sound or movement",
    _CORRELATION: "in no piece do both pictures and loudness vary",
    f"{_CORRELATION}_target": "in no piece do both pictures and loudness vary",
    "fast_change": "no real picture changes",
    "fast_correlation": "in no piece do both drawn and real pictures change",
}


@dataclass
class PieceTable:
    """Figures of pieces by their index, so that one that comes twice counts once.

    Attributes:
        rows: the clip of a piece and its figures, by its index.
        rule: rule whose pictures are judged beside the generated ones.
    """

    rows: dict[int, tuple[str, Row]] = field(default_factory=dict)
    rule: SoundRule | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, generated: GeneratedClips, batch: AudioVideoBatch, rate: int, fps: float) -> None:
        """Measure every piece of a batch.

        Raises:
            ValueError: if a generated value is not finite; names the clip.
        """
        told = None
        if self.rule is not None:
            told = [self.rule.changes(sound, batch.frames.shape) for sound in (batch.audio, batch.other)]
        for row, (name, index) in enumerate(zip(batch.name, batch.index.tolist(), strict=True)):
            if not bool(torch.isfinite(generated.frames[row]).all()):
                raise ValueError(
                    f"the pictures generated for clip {name!r} at {float(batch.start[row]):.2f} s are not finite"
                )
            figures = _measure(generated, batch, row, rate, fps)
            if told is not None:
                figures |= _measure_rule(told[0][row], told[1][row], batch, row)
            self.rows[index] = name, figures

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
        for name in METRICS:
            value = average.get(name)
            if value is not None:
                metrics[name] = value
            elif name in average:
                undefined[name] = _WHY.get(name, "no error" if name.startswith("psnr") else _NO_OTHER)
        for name in _OVER_CLIPS:
            metrics.pop(name, None)
            undefined.pop(name, None)
            found = _over_clips(name, clips)
            metrics |= found
            if not found:
                undefined[name] = _NO_OTHER
            elif len(found) == 1:
                undefined[f"{name}_low"] = undefined[f"{name}_high"] = "an interval needs two clips"
        return {name: metrics[name] for name in METRICS if name in metrics}, undefined

    def references(self) -> dict[str, float]:
        """Return what the rule comes to, with the interval over clips; nothing without a rule."""
        clips = self.clips()
        return {key: value for name in _OF_RULE for key, value in _over_clips(name, clips).items()}


def _over_clips(name: str, clips: Mapping[str, Row]) -> dict[str, float]:
    """Return the mean of a figure over clips and, of several, its 95 % interval; nothing where no clip has it."""
    values = [value for clip in clips.values() if (value := clip.get(name)) is not None]
    if not values:
        return {}
    interval = mean_interval(values)
    bounds = {} if interval is None else {f"{name}_low": interval[0], f"{name}_high": interval[1]}
    return {name: float(np.mean(values))} | bounds


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
    moving = moving_part(target)
    figures["l1_moving"] = _mean((made - target)[..., moving], 1)
    for name, frames in (("shuffle", generated.shuffled), ("silence", generated.silent)):
        error = None if frames is None else frames[row][valid].float() - target
        figures[f"{name}_l1"] = None if error is None else _mean(error, 1)
        if name == "shuffle":
            figures["shuffle_moving_l1"] = None if error is None else _mean(error[..., moving], 1)
    shuffled = None if generated.shuffled is None else generated.shuffled[row][valid]
    figures |= fast_figures(target, made, shuffled)
    silent = generated.silent
    figures["silence_frame_change"] = (
        None if silent is None or count < 2 else float(frame_change(silent[row][valid]).mean())
    )
    return figures


def _measure_rule(own: Tensor, other: Tensor, batch: AudioVideoBatch, row: int) -> Row:
    """Return the errors of a rule in one piece, given the changes ``(T, 3, H, W)`` that it tells from both sounds."""
    valid = batch.valid[row]
    target = batch.frames[row][valid].float().cpu() / 255
    still, moving = target.mean(dim=0), moving_part(target)
    figures: Row = {}
    for name, changes in (("baseline", own), ("baseline_shuffle", other)):
        error = (still + changes[valid.cpu()]).clamp(0, 1) - target
        figures[f"{name}_l1"] = _mean(error, 1)
        figures[f"{name}_{'l1_moving' if name == 'baseline' else 'moving_l1'}"] = _mean(error[..., moving], 1)
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
        result[f"{test}_l1_increase"] = None if own is None or other is None else other - own
    for name, (of_other, of_own) in _RELATIVE.items():
        if of_other in result:
            other, own = result[of_other], result[of_own]
            result[name] = other / own - 1 if other is not None and own else None
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
