"""The first column of the cloth is found whatever the machine's bed looks like and whatever is wrong with the cloth."""

import cv2
import numpy as np
import pytest

from datamodules.parts.margin import common_start, margin_width

HEIGHT, WIDTH, MARGIN = 64, 1024, 224


def cloth(random, width=WIDTH):
    row, column = np.mgrid[:HEIGHT, :width]
    light = 1 + 0.15 * np.cos(np.pi * column / width)  # brighter at both ends
    weave = 110 + 30 * np.sin(2 * np.pi * (column + row) / 6.0)
    return weave * light + random.normal(0, 3, (HEIGHT, width))


def bed(kind, random):
    if kind == "white":
        return np.full((HEIGHT, MARGIN), 255.0)
    streaks = cv2.GaussianBlur(random.normal(0, 60, (HEIGHT, MARGIN)), (0, 0), 25, sigmaY=1)
    return {"grey": 150, "same grey as the cloth": 125}[kind] + streaks + random.normal(0, 1, streaks.shape)


def strip(kind, selvage=0, seed=0):
    random = np.random.default_rng(seed)
    picture = cloth(random)
    if kind != "none":
        picture[:, :MARGIN] = bed(kind, random)
        picture[:, MARGIN : MARGIN + selvage] *= 1.3
    return picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["white", "grey", "same grey as the cloth"])
def test_margin_ends_at_the_edge_of_the_cloth(kind):
    found = margin_width(strip(kind))
    assert MARGIN <= found <= MARGIN + 32


def test_selvage_belongs_to_the_margin():
    assert MARGIN + 64 <= margin_width(strip("grey", selvage=70)) <= MARGIN + 96


def test_cloth_without_a_margin_has_none():
    assert margin_width(strip("none")) == 0


@pytest.mark.parametrize("kind", ["white", "grey"])
def test_defects_do_not_move_the_edge(kind):
    picture = strip(kind)
    picture[20:60, 330:420] = 20
    picture[:, 700:712] = 250
    assert MARGIN <= margin_width(picture) <= MARGIN + 32


def test_edge_needs_no_order_of_rows_and_no_light():
    picture = strip("grey")
    assert margin_width(picture[::-1]) == margin_width(picture) == margin_width((picture * 0.7).astype(np.uint8))


def test_narrow_picture_has_no_margin():
    assert margin_width(strip("white")[:, 500:540]) == 0


def test_common_start_is_a_multiple_of_the_tile_clear_of_all_margins():
    assert common_start([0, 0], 256) == 0
    assert common_start([10, 256], 256) == 256
    assert common_start([257, 3], 256) == 512
