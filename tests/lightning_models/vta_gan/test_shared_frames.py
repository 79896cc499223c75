"""What windows share is computed once, and nothing of a score depends on it."""

from dataclasses import replace

import pytest
import torch

from datamodules.batches import VideoBatch
from fulgurite.exports.difference import differences
from lightning_models import VTAGAN
from lightning_models.vta_gan.shared_frames import shared_frames


def windows(places, frames=4, seed=0):
    """Windows that begin at these places, each of a video's name and a frame's number."""
    random = torch.Generator().manual_seed(seed)
    films = {
        video: torch.randint(0, 256, (12, 3, 64, 64), dtype=torch.uint8, generator=random)
        for video in sorted({video for video, _ in places})
    }
    number = torch.stack([torch.arange(first, first + frames) for _, first in places])
    return VideoBatch(
        frames=torch.stack([films[video][first : first + frames] for video, first in places]),
        video=[video for video, _ in places],
        frame=number,
        label=torch.zeros_like(number),
        region=torch.tensor([[8, 0, 48, 64]]).repeat(len(places), 1),
        index=torch.arange(len(places)),
    )


OVERLAPPING = [("a", 0), ("a", 2), ("b", 2), ("a", 3), ("b", 2), ("b", 7)]


def test_every_frame_and_every_pair_is_taken_once_and_put_where_it_stands():
    batch = windows(OVERLAPPING)
    shared = shared_frames(batch.video, batch.frame)
    assert len(shared.frames.first) == 7 + 8  # a0 to a6, b2 to b5 and b7 to b10
    assert len(shared.pairs.first) == 6 + 6
    assert torch.equal(shared.frames.spread(shared.frames.take(batch.frames)), batch.frames)
    neighbours = torch.stack((batch.frames[:, :-1], batch.frames[:, 1:]), 2)
    assert torch.equal(shared.pairs.once(lambda pairs: pairs, neighbours), neighbours)


def test_a_pair_is_known_by_both_of_its_frames():
    far = shared_frames(["a", "a"], torch.tensor([[0, 1, 2], [0, 2, 4]]))
    assert (len(far.frames.first), len(far.pairs.first)) == (4, 4)


VARIANTS = {
    "learned flow": {"flow_width": 0.05},
    "classical flow": {"flow_backend": "farneback"},
    "batch norm, no flow": {"flow_backend": "none", "discriminator_norm": "batch"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_windows_that_overlap_are_scored_as_each_is_alone(variant):
    torch.manual_seed(0)
    model = VTAGAN(**{"num_frames": 4, "ngf": 2, "ndf": 2, "token_width": 16} | VARIANTS[variant]).eval()
    normal = windows([("c", first) for first in range(5)], seed=1)
    model.fit_scale([*model.calibration_rows(normal, model.evidence(normal)).values()])
    together = windows(OVERLAPPING)
    apart = replace(together, video=[*"123456"])  # as if each were of a video of its own
    found = differences(model.test_step(apart, 0), model.test_step(together, 0))
    assert found.keys() >= {"score", "heat", "reconstruction", "baseline"}
    assert max(found.values()) < 1e-5


@torch.no_grad()
def test_a_prediction_leaves_the_baseline_out_and_says_the_same():
    model = VTAGAN(num_frames=4, ngf=2, ndf=2, flow_width=0.05, token_width=16).eval()
    model.baseline_flow.forward = None  # a call would fail
    predicted = model.predict_step(windows(OVERLAPPING), 0)
    assert "baseline" not in predicted.alternatives
    assert set(model.visuals(windows(OVERLAPPING))) == {"input", "reconstruction", "error", "heat"}
    del model.baseline_flow.forward
    tested = model.test_step(windows(OVERLAPPING), 0)
    assert "baseline" in tested.alternatives
    assert max(differences(tested, predicted).values()) == 0
