import numpy as np
import pytest
import torch

from callbacks.colour_bar import PLAIN, colour_bar, heat_marks, scales_of, with_bars
from callbacks.heat import heat_colours


class Told:
    def __init__(self):
        self.visual_scales = {"heat": ("0", "threshold", "2"), "unused": ("a", "b", "c")}


def test_maps_have_a_bar_and_pictures_none():
    visuals = {"input": torch.zeros(1, 3, 4, 4), "heat": torch.zeros(1, 1, 4, 4), "error": torch.zeros(1, 2, 1, 4, 4)}
    assert scales_of(Told(), visuals) == {"heat": ("0", "threshold", "2"), "error": PLAIN}
    assert scales_of(object(), visuals) == {"heat": PLAIN, "error": PLAIN}


def test_a_bar_has_every_colour_from_left_to_right():
    bar = colour_bar(512, PLAIN)
    colours = heat_colours(np.linspace(0, 255, 512).round().astype(np.uint8)[None])[0]
    seen = np.delete(np.arange(512), [256, 257])  # there the middle is marked
    np.testing.assert_array_equal(bar[8, seen], colours[seen])
    assert (bar[8, 256:258] == 255).all()
    dark = (bar[14:] < 128).any(axis=(0, 2)).nonzero()[0]
    assert dark.min() < 10  # the marks stand at its beginning, its middle and its end
    assert dark.max() > 500
    assert ((dark > 245) & (dark < 267)).any()


@pytest.mark.parametrize("width", [40, 400])
def test_bars_stand_below_a_picture_as_wide_as_they_need(width):
    picture = np.full((7, width, 3), 9, np.uint8)
    whole = with_bars(picture, {"heat": PLAIN, "error": PLAIN})
    assert whole.shape == (7 + 2 * 34, max(width, 260), 3)
    np.testing.assert_array_equal(whole[:7, :width], picture)
    np.testing.assert_array_equal(with_bars(picture, {}), picture)


def test_marks_are_the_scores_of_the_colours():
    assert heat_marks(1.5) == ("0", "threshold 1.5", "3 or more")
    assert heat_marks(-2.0) == ("-3", "threshold -2", "-1 or more")
    assert heat_marks(None) == ("0", "1", "2 or more")
