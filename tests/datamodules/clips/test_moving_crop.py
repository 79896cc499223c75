from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from datamodules.clips import moving_crop
from datamodules.clips.moving_crop import BACKGROUND_FRAMES, MovingCrop, background
from datamodules.clips.windows import EvaluationWindows

HEIGHT, WIDTH = 48, 80


def walk(length=40, region=(0, 0, HEIGHT, WIDTH), moving=True, name="walk", side=4):
    """A clip of noise, black outside the region, through which a bright square goes along a row."""
    random = np.random.default_rng(0)
    top, left, height, width = region
    frames = np.zeros((length, 3, HEIGHT, WIDTH), np.uint8)
    frames[..., top : top + height, left : left + width] = random.integers(90, 96, (length, 1, height, width))
    for number in range(length if moving else 0):
        row, column = top + height // 2, left + number % (width - side)
        frames[number, :, row : row + side, column : column + side] = 250
    return SimpleNamespace(
        name=name,
        length=length,
        region=region,
        label=np.zeros(length, np.int8),
        frames=lambda numbers: frames[numbers],
        masks=None,
    )


def numbered():
    """A clip that stands still; the first two colours of each pixel are its number."""
    clip = walk(length=9, moving=False)
    number = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    frames = np.stack([number // 256, number % 256, number * 0]).astype(np.uint8)[None].repeat(9, 0)
    clip.frames = lambda numbers: frames[numbers]
    return clip


def cut(clip, height, width, seed, start=0, num_frames=8):
    """The window before and after, and where it was cut."""
    windows = EvaluationWindows([clip], [[start]], num_frames, 1)
    whole, window = windows[0], windows[0]
    MovingCrop([clip], height, width)(window, np.random.default_rng(seed))
    places = [
        (top, left)
        for top in range(HEIGHT - height + 1)
        for left in range(WIDTH - width + 1)
        if np.array_equal(window.frames, whole.frames[..., top : top + height, left : left + width])
    ]
    return whole, window, places


@pytest.mark.parametrize("length", [7, BACKGROUND_FRAMES, 2 * BACKGROUND_FRAMES + 3])
def test_the_background_is_the_median_over_the_clip(length):
    clip = walk(length)
    found = background(clip)
    shown = clip.frames(slice(0, length, 1 if length <= BACKGROUND_FRAMES else 3))
    exact = np.quantile(shown, 0.5, axis=0, method="lower")
    np.testing.assert_array_equal(found, exact)
    assert found.max() < 100 or length == 7  # in more than a few frames the square is nowhere for long


def test_a_crop_is_a_part_of_every_frame_and_holds_something_that_moves(monkeypatch):
    monkeypatch.setattr(moving_crop, "ELSEWHERE", 0.0)
    places = set()
    for seed in range(60):
        _, window, found = cut(walk(), 16, 24, seed, start=20)
        assert window.frames.shape == (8, 3, 16, 24)
        assert window.region == (0, 0, 16, 24)
        assert (window.frames > 200).any()
        places |= {found[0]} if len(found) == 1 else set()
    tops, lefts = zip(*places, strict=True)
    # the square is in rows 24 to 27, and in columns 20 to 30 of these frames: the crop lies anywhere around it
    assert min(tops) >= 24 - 15
    assert max(tops) <= 27
    assert max(lefts) <= 30
    assert min(len(set(tops)), len(set(lefts))) > 12


def test_half_of_the_crops_lie_anywhere():
    windows, crop, random = (
        EvaluationWindows([walk()], [[20]], 8, 1),
        MovingCrop([walk()], 8, 8),
        np.random.default_rng(0),
    )
    seen = []
    for _ in range(400):
        window = windows[0]
        crop(window, random)
        seen.append((window.frames > 200).any())
    assert 0.44 < np.mean(seen) < 0.6  # some hold it by chance


def test_anywhere_no_pixel_is_seen_less_often_than_those_in_the_middle(monkeypatch):
    monkeypatch.setattr(moving_crop, "ELSEWHERE", 1.0)
    seen, tries, random = np.zeros((HEIGHT, WIDTH)), 6000, np.random.default_rng(0)
    windows, crop = EvaluationWindows([numbered()], [[0]], 8, 1), MovingCrop([numbered()], 16, 24)
    for _ in range(tries):
        window = windows[0]
        crop(window, random)
        seen.flat[window.frames[0, :2].reshape(2, -1).T.astype(int) @ [256, 1]] += 1
    middle = seen[20:28, 32:48].mean()
    assert seen.min() > 0.85 * middle
    assert middle / tries == pytest.approx(16 * 24 / ((HEIGHT + 15) * (WIDTH + 23)), rel=0.1)


def test_where_nothing_moves_any_place_will_do():
    found = {cut(walk(moving=False), 16, 24, seed)[2][0] for seed in range(60)}
    tops, lefts = zip(*found, strict=True)
    assert (min(tops), max(tops)) == (0, HEIGHT - 16)
    assert (min(lefts), max(lefts)) == (0, WIDTH - 24)


def test_the_place_is_a_function_of_the_chance_given():
    first, second = ([cut(walk(), 16, 16, seed)[2] for seed in range(8)] for _ in range(2))
    assert first == second
    assert any(one != other for one, other in pairwise(first))


@pytest.mark.parametrize("region", [(6, 0, 36, 80), (0, 22, 48, 36), (20, 0, 9, 80), (0, 30, 48, 12)])
def test_a_crop_stays_within_the_picture_or_holds_all_of_its_width_or_height(region):
    clip = walk(region=region)
    for seed in range(20):
        whole, window, _ = cut(clip, 16, 16, seed)
        top, left, height, width = window.region
        assert (height, width) == (min(16, region[2]), min(16, region[3]))
        marked = np.zeros((16, 16), bool)
        marked[top : top + height, left : left + width] = True
        np.testing.assert_array_equal((window.frames > 0).all(axis=(0, 1)), marked)  # black are the bars alone
        assert (window.video, window.index) == (whole.video, whole.index)
