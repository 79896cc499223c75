"""Synthetic defects change what their mask marks, and are a function of their random numbers."""

import cv2
import numpy as np
import pytest

from datamodules.parts.synthetic_defects import KINDS, LINES, WIDE, add_defects

START, TILE = 96, 64


def weave(channels=1, height=128, width=480):
    random = np.random.default_rng(3)
    row, column = np.mgrid[:height, :width]
    picture = 120 + 25 * np.sin(2 * np.pi * column / 7) * np.sin(2 * np.pi * row / 6)
    noisy = picture + random.normal(0, 4, (channels, height, width))
    return noisy.clip(0, 255).astype(np.uint8)


def made(kind, seed, channels=1):
    return add_defects(weave(channels), kind, START, TILE, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", [*KINDS, *LINES, *WIDE])
def test_a_marked_pixel_differs_and_the_rest_hardly(kind):
    before = weave().astype(int)
    outside, inside = [], []
    for seed in range(12):
        after, mask = made(kind, seed)
        difference = np.abs(after.astype(int) - before).max(axis=0)
        assert mask.any()
        assert (difference[mask == 1] > 0).all()
        inside.append(difference[mask == 1].mean())
        far = cv2.dilate(mask, np.ones((41, 41))) == 0
        outside.append(difference[far].max())
        assert not mask[:, :START].any()
        assert (after[:, :, :START] == before[:, :, :START]).all()
    assert np.mean(inside) > 8
    assert max(outside) <= 6  # the foot of a soft edge


@pytest.mark.parametrize("kind", [*KINDS, *LINES, *WIDE])
def test_defects_are_a_function_of_the_random_numbers(kind):
    first, second, other = made(kind, 1), made(kind, 1), made(kind, 2)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (first[1] != other[1]).any()


@pytest.mark.parametrize("kind", [*KINDS, *LINES, *WIDE])
def test_the_picture_itself_stays(kind):
    picture = weave()
    kept = picture.copy()
    add_defects(picture, kind, START, TILE, np.random.default_rng(0))
    assert (picture == kept).all()


def test_every_third_cell_gets_a_defect_and_no_two_copies_look_alike():
    counts, areas = [], []
    for seed in range(40):
        _, mask = made("thread", seed)
        _, _, found, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, np.ones((3, 3))))
        counts.append(len(found) - 1)
        areas += list(found[1:, cv2.CC_STAT_AREA])
    assert 2.5 < np.mean(counts) <= 4.5  # 2 x 6 cells; threads may cross or be cut
    assert max(areas) > 3 * min(areas)


def test_patch_changes_contrast_but_not_the_grey_level():
    ratios = []
    for seed in range(10):
        after, mask = made("patch", seed)
        core = cv2.erode(mask, np.ones((9, 9))) == 1
        before = weave()[0][core].astype(float)
        ratios.append(after[0][core].std() / before.std())
        assert abs(after[0][core].mean() - before.mean()) < 4
    assert min(ratios) < 0.6
    assert max(ratios) > 1.4


def test_missing_yarn_lies_along_a_thread():
    for seed in range(8):
        _, mask = made("missing_yarn", seed)
        for _, _, width, height, area in cv2.connectedComponentsWithStats(mask)[2][1:]:
            assert min(width, height) <= 6 or area < 0.7 * width * height  # two that cross
            assert area <= 6 * max(width, height) * 2


def test_colour_changes_in_all_channels():
    after, mask = made("blob", 0, channels=3)
    assert (np.abs(after.astype(int) - weave(3).astype(int))[:, mask == 1] > 0).mean() > 0.9
