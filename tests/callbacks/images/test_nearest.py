import numpy as np
import pytest
import torch

from callbacks.images import nearest
from callbacks.images.nearest import Nearest, SampleNovelty, small
from datamodules.batches import ImageBatch

TRAINED, HELD_OUT = 40, 12


def pictures(count, seed):
    """Noise that is coarse enough to survive at 32 x 32 pixels."""
    coarse = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (64, 64))


def batches(images, size=7):
    levels = (images * 255).round().byte()
    for first in range(0, len(levels), size):
        part = levels[first : first + size]
        yield ImageBatch(part, [""] * len(part), torch.zeros(len(part), dtype=torch.long), torch.arange(len(part)))


@pytest.fixture
def training():
    return pictures(TRAINED, 0)


def novelty_of(samples, training, shown=4):
    compared = SampleNovelty(small(samples), small(pictures(HELD_OUT, 1)), samples[:shown])
    compared.compare(batches(training))
    return compared


def test_distances_are_those_of_all_pairs(training):
    samples = pictures(HELD_OUT, 2)
    found = Nearest(small(samples), HELD_OUT)
    for batch in batches(training):
        found.look(batch.images)
    pairs = (small(samples).double()[:, None] - small(training).double()[None]).square().mean(2).sqrt().numpy()
    np.testing.assert_allclose(found.distance, pairs.min(1), atol=1e-3)  # pictures are handed over as bytes
    for number, row in enumerate(pairs.argmin(1)):
        torch.testing.assert_close(found.nearest[number], (training[row] * 255).round().byte())


def test_copies_have_no_novelty_and_new_pictures_have_one(training):
    assert novelty_of(training[:HELD_OUT], training).novelty == pytest.approx(0, abs=0.01)
    assert novelty_of(pictures(HELD_OUT, 3), training).novelty == pytest.approx(1, abs=0.1)
    averages = training.mean(0, keepdim=True).expand(HELD_OUT, -1, -1, -1)
    assert 0.5 < novelty_of(averages, training).novelty < 0.9  # what is blurred lies near every picture, and is no copy


def test_the_sheet_has_the_nearest_picture_below_each_sample(training):
    alone = novelty_of(training[5:6].repeat(HELD_OUT, 1, 1, 1), training, shown=1).sheet()
    height = alone.shape[0] // 2
    np.testing.assert_allclose(alone[24:height].astype(float), alone[height + 24 :], atol=1)
    assert alone[24:height].std() > 20


def test_without_training_pictures_there_is_nothing_to_say(training):
    nothing = novelty_of(pictures(HELD_OUT, 3), training[:0])
    assert nothing.novelty is None
    assert nothing.sheet() is None


def test_processes_find_together_what_one_finds(training, monkeypatch):
    samples = pictures(HELD_OUT, 2)
    alone = novelty_of(samples, training)
    found = []
    monkeypatch.setattr(nearest, "gather_objects", lambda own: found.append(own) or [own])
    for rank in range(2):
        one = SampleNovelty(small(samples), small(pictures(HELD_OUT, 1)), samples[:4])
        one.compare(batches(training), rank, 2)
    for parts, whole in ((found[::2], alone._samples), (found[1::2], alone._held_out)):
        monkeypatch.setattr(nearest, "gather_objects", lambda _, parts=parts: parts)
        shared = Nearest(torch.zeros(HELD_OUT, 1024), 4).joined()
        torch.testing.assert_close(shared.distance, whole.distance)
        assert shared.nearest.keys() == whole.nearest.keys()
        assert all(torch.equal(shared.nearest[number], one) for number, one in whole.nearest.items())
