import cv2
import numpy as np
import pytest

from datamodules.letterbox import Letterbox


@pytest.mark.parametrize(
    ("size", "region"),
    [
        ((240, 360), (10, 0, 43, 64)),
        ((64, 64), (0, 0, 64, 64)),
        ((90, 30), (0, 21, 64, 21)),
        ((1, 500), (31, 0, 1, 64)),
    ],
)
def test_region_keeps_the_shape(size, region):
    assert Letterbox(64, 64).region(*size) == region


def test_picture_is_the_area_average_between_black_bars():
    frame = np.random.default_rng(0).integers(1, 255, (240, 360, 3), np.uint8)
    picture = Letterbox(64, 64).picture(frame)
    assert picture.shape == (3, 64, 64)
    expected = cv2.resize(frame, (64, 43), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(picture[:, 10:53].transpose(1, 2, 0), expected)
    assert not picture[:, :10].any()
    assert not picture[:, 53:].any()


def test_stretch_fills_the_picture():
    box = Letterbox(32, 64, "stretch")
    assert box.region(50, 50) == (0, 0, 32, 64)
    assert (box.picture(np.full((50, 50, 3), 9, np.uint8)) == 9).all()


def test_a_single_anomalous_pixel_survives_shrinking():
    mask = np.zeros((240, 360), np.uint8)
    mask[101, 201] = 1
    small = Letterbox(64, 64).mask(mask)
    assert small.sum() >= 1
    rows, columns = np.nonzero(small)
    assert abs(rows.mean() - (10 + 101 * 43 / 240)) < 1
    assert abs(columns.mean() - 201 * 64 / 360) < 1


def test_masks_fall_where_their_objects_fall():
    frame, mask = np.zeros((60, 90, 3), np.uint8), np.zeros((60, 90), np.uint8)
    frame[10:30, 20:50], mask[10:30, 20:50] = 255, 1
    for box in (Letterbox(64, 64), Letterbox(128, 256), Letterbox(64, 64, "stretch")):
        seen = box.picture(frame)[0] > 0
        assert (seen != (box.mask(mask) == 1)).mean() < 0.02
