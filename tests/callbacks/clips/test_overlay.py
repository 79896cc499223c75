import cv2
import numpy as np
import pytest

from callbacks.clips.overlay import Overlay, heat_on_frame
from callbacks.heat import heat_over
from datamodules.letterbox import Letterbox


@pytest.mark.parametrize("frame_size", [(90, 160), (75, 41), (20, 30)])
@pytest.mark.parametrize("grid", [(8, 8), (15, 31), (64, 128)])
def test_heat_on_a_frame_is_heat_in_the_letterbox_cut_and_enlarged(grid, frame_size):
    heat = np.random.default_rng(0).normal(size=grid).astype(np.float32)
    top, left, height, width = region = Letterbox(64, 128).region(*frame_size)
    boxed = cv2.resize(heat, (128, 64))[top : top + height, left : left + width]
    expected = cv2.resize(boxed, frame_size[::-1])
    np.testing.assert_allclose(heat_on_frame(heat, (64, 128), region, frame_size), expected, atol=2e-6)


@pytest.mark.parametrize("cold", [0, 1, 2])
def test_only_what_is_warm_is_drawn_and_as_if_all_of_it_were(cold):
    rng = np.random.default_rng(cold)
    size, region = (64, 64), (8, 0, 48, 64)
    frame = rng.integers(0, 256, (192, 256, 3), dtype=np.uint8)
    heat = rng.uniform(0, 2, (15, 15)).astype(np.float32)
    heat[:, : 5 * cold], heat[10:], heat[:5, 12:] = 0.3, 0.2, np.nan
    drawn = Overlay(1.0).draw(frame, 0.1, heat, size, region)
    full = heat_on_frame(np.nan_to_num(heat), size, region, frame.shape[:2])
    expected = heat_over(frame, full, (0.0, 2.0))
    np.testing.assert_array_equal(drawn[40:170], expected[40:170])  # below the text, above the strip
    assert (drawn[40:100, 200:] != frame[40:100, 200:]).any()


def test_heat_in_the_bars_of_the_letterbox_is_not_drawn():
    frame = np.full((192, 256, 3), 90, np.uint8)
    heat = np.zeros((64, 64), np.float32)
    heat[:6] = 2.0  # the picture begins in row 8
    drawn = Overlay(1.0).draw(frame, 0.1, heat, (64, 64), (8, 0, 48, 64))
    np.testing.assert_array_equal(drawn[40:170], frame[40:170])


def test_frames_stay_as_they_are_and_may_change_their_size():
    overlay = Overlay(1.0)
    for height in (90, 90, 120):
        frame = np.full((height, 160, 3), 90, np.uint8)
        drawn = overlay.draw(frame, 0.1, np.full((8, 8), 2, np.float32), (32, 32), (7, 0, 18, 32))
        assert drawn.shape == frame.shape
        assert (frame == 90).all()
        assert (drawn != 90).mean() > 0.9
