"""The disc of the generated music is measured as it was drawn."""

import numpy as np
import pytest
import torch

from benchmarks.trainings.music_disc import find_disc, follows
from datamodules.sound.music import compose, listen, visualise


@pytest.fixture(scope="module")
def piece():
    sound = compose(np.random.default_rng(0), 20.0)
    shown = torch.from_numpy(np.stack(visualise(sound))).permute(0, 3, 1, 2).float() / 255
    return listen(sound), shown


def test_what_is_measured_is_what_the_rule_drew(piece):
    (loudness, pitch, *_), shown = piece[0].T, piece[1]
    seen = find_disc(shown)
    assert not np.isnan(seen.height).any()
    assert np.corrcoef(seen.height, pitch)[0, 1] > 0.98
    assert np.corrcoef(seen.hue, pitch)[0, 1] > 0.98
    above = pitch > 0.3  # a low one is partly before the ground
    assert np.corrcoef(seen.size[above], loudness[above])[0, 1] > 0.95


def test_a_blurred_disc_follows_and_that_of_another_sound_does_not(piece):
    shown = piece[1]
    small = torch.nn.functional.avg_pool2d(shown, 4)
    real, other = find_disc(shown), find_disc(small.flip(0))
    assert min(follows(find_disc(small), real)) > 0.95
    assert max(follows(other, real)[:3]) < 0.5


def test_a_picture_without_disc_counts_as_not_drawn(piece):
    shown = piece[1][:10]
    grey = torch.full_like(shown, 0.5)
    half = torch.cat([shown[:5], grey[5:]])
    assert np.isnan(find_disc(grey).height).all()
    assert follows(find_disc(half), find_disc(shown))[3] == pytest.approx(0.5)
