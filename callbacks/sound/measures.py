"""Measures of how well video follows sound: onsets, motion peaks, their alignment, correlation, intervals."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.stats import t as student
from torch import Tensor

from datamodules.ssim import BORDER, ssim_map

Array = NDArray[np.float64]

CONFIDENCE = 0.95
MOVING_SHARE = 0.03  # of the pixels; on a talker before a fixed camera the mouth and the jaw
_HOP, _WINDOW = 0.010, 0.032  # seconds between spectra, and of sound in each
_FLOW_SIZE = 64  # pixels; the height to which pictures are reduced before their movement is measured
_LEAST_FLUX = 0.02  # decades of amplitude, mean over the spectrum; less is no onset
_LEAST_FLOW = 0.02  # pixels; less is no movement but noise


def onset_frames(sound: Array, rate: int, fps: float) -> NDArray[np.int64]:
    """Return the pictures in which something new is heard, ascending.

    Onsets are the peaks of spectral flux: the rise of the logarithmic spectrum from one 32 ms window to the
    next 10 ms later, falls left out, averaged over frequency.

    Args:
        sound: ``(n,)`` in [-1, 1].
        rate: samples per second.
        fps: pictures per second.
    """
    hop, window = round(_HOP * rate), round(_WINDOW * rate)
    padded = np.pad(sound, (window // 2, window // 2 + hop))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window)
    level = np.log10(1e-3 + np.abs(np.fft.rfft(pieces)) / (window / 4))
    flux = np.diff(level, axis=0).clip(min=0).mean(axis=1)
    # A rise lies between the middles of two windows; on the logarithmic scale it is steepest when the sound has
    # entered the outer half of the later one.
    times = ((peaks(flux, _LEAST_FLUX) + 0.5) * hop + window / 4) / rate
    return np.unique((times * fps).astype(np.int64))


def motion_frames(frames: Tensor) -> NDArray[np.int64]:
    """Return the pictures at which movement peaks, ascending: peaks of the mean length of the optical flow.

    Args:
        frames: float ``(T, 3, H, W)`` in [0, 1]; Farneback's flow is measured at 64 pixels of height.
    """
    width = max(1, round(_FLOW_SIZE * frames.shape[-1] / frames.shape[-2]))
    grey = frames.float().mean(dim=1, keepdim=True)
    small = F.interpolate(grey, (_FLOW_SIZE, width), mode="area")[:, 0]
    pictures = (small.clamp(0, 1) * 255).round().byte().cpu().numpy()
    flow = np.array([_flow(before, after) for before, after in pairwise(pictures)])
    return peaks(carry_on(flow), _LEAST_FLOW) + 1  # movement to the second picture of a pair


def carry_on(change: Array) -> Array:
    """Replace a single 0 between two changes by their mean: a picture repeated to raise the rate is no stop."""
    lone = np.zeros(len(change), bool)
    lone[1:-1] = (change[1:-1] == 0) & (change[:-2] > 0) & (change[2:] > 0)
    result = change.astype(np.float64)
    result[lone] = (np.roll(change, 1) + np.roll(change, -1))[lone] / 2
    return result


def peaks(curve: Array, least: float) -> NDArray[np.int64]:
    """Return where a curve has a local maximum that stands out.

    A local maximum is a sample larger than the one before and the one after it, or the middle of a plateau whose
    two neighbours are lower; the first and the last sample are none. It stands out if from it the curve falls, on
    both sides and before it rises above it again, by at least half its standard deviation, and by ``least``.
    """
    if len(curve) < 3:
        return np.zeros(0, np.int64)
    found, _ = find_peaks(curve, prominence=max(least, 0.5 * float(curve.std())))
    return found.astype(np.int64)


def av_align(onsets: Sequence[int] | NDArray[np.int64], motions: Sequence[int] | NDArray[np.int64]) -> float | None:
    """Return the share of peaks that sound and pictures have in common, intersection over union.

    Two peaks are common if they are at most one picture apart; each is counted once (Yariv et al. 2024,
    "Diverse and Aligned Audio-to-Video Generation", AV-Align).

    Args:
        onsets: pictures in which the sound peaks, ascending.
        motions: pictures in which the movement peaks, ascending.

    Returns:
        From 0 to 1; None where neither has a peak.
    """
    first = second = common = 0
    while first < len(onsets) and second < len(motions):
        apart = int(onsets[first]) - int(motions[second])
        if abs(apart) <= 1:
            common, first, second = common + 1, first + 1, second + 1
        elif apart < 0:
            first += 1
        else:
            second += 1
    union = len(onsets) + len(motions) - common
    return common / union if union else None


def loudness(sound: Array, rate: int, fps: float, frames: int) -> Array:
    """Return the root mean square of the sound during each picture, ``(frames,)``."""
    bounds = np.round(np.arange(frames + 1) * rate / fps).astype(int)
    energy = np.concatenate(
        [[0.0], np.cumsum(np.pad(sound.astype(np.float64), (0, max(0, bounds[-1] - len(sound)))) ** 2)]
    )
    return np.sqrt(np.diff(energy[bounds]).clip(min=0) / np.diff(bounds))


def correlation(one: Array, other: Array) -> float | None:
    """Return Pearson's correlation of two curves; None where one does not vary."""
    if len(one) < 3 or np.ptp(one) < 1e-9 or np.ptp(other) < 1e-9:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of the mean by Student's t; None of fewer than two values."""
    if len(values) < 2:
        return None
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * spread
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def frame_change(frames: Tensor) -> Tensor:
    """Return the mean absolute change to each picture from the one before, ``(T - 1,)``."""
    return torch.diff(frames.float(), dim=0).abs().mean(dim=(1, 2, 3))


def moving_part(frames: Tensor) -> Tensor:
    """Return the pixels that move most in pictures ``(T, C, H, W)``: bool ``(H, W)``, 3 % of them, at least one.

    How much a pixel moves is its variance over time, the mean over channels. Which ones are chosen depends on the real
    pictures alone, by a rule that leaves nothing to choose.
    """
    return most(frames.float().var(dim=0, correction=0).mean(dim=0), MOVING_SHARE)


def most(values: Tensor, share: float) -> Tensor:
    """Return where ``values`` are largest: bool of their shape, a ``share`` of them, at least one."""
    chosen = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    chosen[values.flatten().topk(max(1, round(share * values.numel()))).indices] = True
    return chosen.view_as(values)


def ssim(made: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of every picture, ``(T,)``, at most 1.

    The mean over channels and over the windows of 11 pixels that lie wholly within the picture.

    Args:
        made: ``(T, C, H, W)`` in [0, 1], at least 11 pixels high and wide.
        target: the same.
    """
    return ssim_map(made, target)[..., BORDER:-BORDER, BORDER:-BORDER].mean((1, 2, 3))


def _flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    flow = cv2.calcOpticalFlowFarneback(before, after, np.empty(0), 0.5, 3, 11, 2, 5, 1.1, 0)
    return float(np.linalg.norm(flow, axis=-1).mean())
