import cv2
import numpy as np
import pytest

from callbacks.heat import heat_colours, heat_over, heat_scale, is_drawn


@pytest.mark.parametrize(
    ("threshold", "scale"), [(None, (0.0, 2.0)), (2.0, (0.0, 4.0)), (-5.0, (-6.0, -4.0)), (0.0, (-1.0, 1.0))]
)
def test_the_threshold_lies_half_way(threshold, scale):
    assert heat_scale(threshold) == scale


def test_colours_run_from_black_to_bright_yellow():
    colours = heat_colours(np.arange(256, dtype=np.uint8)[None])[0].astype(int)
    assert colours[0].max() < 10
    assert colours[-1, 0] > 240
    assert colours[-1, 1] > 240
    assert (np.diff(colours.sum(axis=1)) >= -2).all()  # ever brighter
    assert (colours[110:160, 0] > colours[110:160, 2]).all()  # red, not blue, half way


def test_heat_covers_the_picture_as_it_rises():
    picture = np.full((1, 5, 3), 100, np.uint8)
    heat = np.array([[np.nan, 0.0, 0.25, 0.75, 9.0]], np.float32)
    drawn = heat_over(picture, heat, (0.0, 1.0))
    np.testing.assert_array_equal(drawn[0, :3], picture[0, :3])
    colours = heat_colours((np.array([[0.75, 1.0]]) * 255).astype(np.uint8))[0]
    np.testing.assert_allclose(drawn[0, 3:], 0.35 * 100 + 0.65 * colours, atol=1)
    assert (picture == 100).all()


@pytest.mark.parametrize("scale", [(0.0, 2.0), (-6.0, -4.0)])
def test_the_table_draws_what_the_formula_says(scale):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    heat = rng.uniform(scale[0] - 1, scale[1] + 1, (60, 80)).astype(np.float32)
    strength = np.clip((heat - scale[0]) / 2, 0, 1)
    opacity = 0.65 * np.clip((strength - 0.25) / 0.5, 0, 1)
    expected = cv2.blendLinear(picture, heat_colours((strength * 255).astype(np.uint8)), 1 - opacity, opacity)
    drawn = heat_over(picture, heat, scale)
    distance = np.abs(drawn.astype(int) - expected)
    assert distance.max() <= 3
    assert np.mean(distance <= 1) > 0.999
    np.testing.assert_array_equal(drawn[~is_drawn(heat, scale)], picture[~is_drawn(heat, scale)])
