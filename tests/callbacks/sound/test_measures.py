from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from callbacks.sound import measures as measures

RATE, FPS = 16_000, 30.0


def strokes(moments, seconds=3.0, level=0.4):
    random = np.random.default_rng(0)
    sound = random.normal(0, 1e-4, round(seconds * RATE))
    for moment in moments:
        first = round(moment * RATE)
        sound[first : first + 1600] += level * random.normal(size=1600) * np.exp(-np.arange(1600) / 400)
    return sound


def jumps(frames, every, size=64):
    """A square that stands still, but moves by 3 pixels every so many frames."""
    random = np.random.default_rng(1)
    texture = random.uniform(0.3, 1, (20, 20))
    clip = np.full((frames, 3, size, size), 0.1, np.float32)
    for number in range(frames):
        left = 5 + 3 * (number // every)
        clip[number, :, 20:40, left : left + 20] = texture
    return torch.from_numpy(clip)


def test_onsets_are_heard_in_their_picture():
    moments = [0.31, 0.9, 1.55, 2.2]
    found = measures.onset_frames(strokes(moments), RATE, FPS)
    assert len(found) == 4
    assert np.abs(found - np.array(moments) * FPS).max() <= 1


@pytest.mark.parametrize("sound", [np.zeros(RATE), 0.3 * np.sin(np.arange(RATE) * 0.2)])
def test_silence_and_a_steady_tone_have_no_onset_inside(sound):
    found = measures.onset_frames(sound, RATE, FPS)
    assert not ((found > 2) & (found < 27)).any()


def test_movement_is_found_at_its_picture():
    assert measures.motion_frames(jumps(60, every=12)).tolist() == [12, 24, 36, 48]


def test_a_still_picture_does_not_move_and_a_repeated_one_is_no_stop():
    still = torch.rand(1, 3, 32, 32).expand(20, -1, -1, -1)
    assert len(measures.motion_frames(still)) == 0
    change = np.array([1.0, 1, 0, 1, 3, 0, 0, 2])
    np.testing.assert_allclose(measures.carry_on(change), [1, 1, 1, 1, 3, 0, 0, 2])


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0, 1, 0], [1]),
        ([0, 1, 1, 1, 0], [2]),  # the middle of a plateau
        ([1, 0, 0, 1], []),  # neither end is a maximum
        ([0, 1, 2, 3], []),
        ([0, 0, 0, 0], []),
        ([0, 4, 3.9, 4.1, 0], [3]),  # the lower one falls by 0.1 only
        ([0, 4, 0, 4, 0, 4, 0], [1, 3, 5]),
        ([0, 0.01, 0, 0.01, 0], []),  # below the least
    ],
)
def test_a_peak_is_a_maximum_that_stands_out(curve, expected):
    assert measures.peaks(np.array(curve, float), 0.05).tolist() == expected


@pytest.mark.parametrize(
    ("onsets", "motions", "expected"),
    [
        ([10, 20, 30], [10, 21, 29], 1.0),
        ([10, 20], [12, 22], 0.0),
        ([10], [9, 10, 11], 1 / 3),  # a peak counts once
        ([10, 11], [10], 1 / 2),
        ([10, 20, 30], [], 0.0),
        ([], [], None),
    ],
)
def test_av_align_counts_common_peaks_once(onsets, motions, expected):
    assert measures.av_align(onsets, motions) == expected


def test_av_align_is_high_for_pictures_that_follow_and_low_for_others():
    clip = jumps(90, every=15)
    own = measures.onset_frames(strokes([15 * number / FPS + 0.01 for number in range(1, 6)]), RATE, FPS)
    other = measures.onset_frames(strokes([(15 * number + 7) / FPS for number in range(6)]), RATE, FPS)
    motions = measures.motion_frames(clip)
    assert measures.av_align(own, motions) == 1.0
    assert measures.av_align(other, motions) == 0.0


def test_loudness_is_the_root_mean_square_of_each_picture():
    sound = np.random.default_rng(0).normal(size=RATE)
    found = measures.loudness(sound, RATE, FPS, 30)
    bounds = [round(number * RATE / FPS) for number in range(31)]
    expected = [np.sqrt((sound[low:high] ** 2).mean()) for low, high in pairwise(bounds)]
    np.testing.assert_allclose(found, expected)


def test_correlation_agrees_with_scipy_and_needs_variation():
    one, other = np.random.default_rng(0).normal(size=(2, 40))
    assert measures.correlation(one, other) == pytest.approx(scipy.stats.pearsonr(one, other).statistic)
    assert measures.correlation(one, np.ones(40)) is None


def test_the_interval_agrees_with_scipy():
    values = np.random.default_rng(0).normal(0.1, 0.05, 9)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert measures.mean_interval(values.tolist()) == pytest.approx((expected.low, expected.high))
    assert measures.mean_interval([1.0]) is None


@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_ssim_agrees_with_torchmetrics(size):
    made, target = torch.rand(2, 5, 3, *size, generator=torch.Generator().manual_seed(0))
    made = 0.6 * made + 0.4 * target
    _, places = structural_similarity_index_measure(
        made, target, data_range=1.0, return_full_image=True, reduction="none"
    )
    expected = places[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))  # the rest sees padding
    torch.testing.assert_close(measures.ssim(made, target), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(measures.ssim(target, target), torch.ones(5))
