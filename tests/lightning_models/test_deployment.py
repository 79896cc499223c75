"""What a system is outside of this project answers as its own step does."""

from functools import partial

import pytest
import torch

from datamodules.batches import (
    AudioVideoBatch,
    FrameScores,
    GeneratedClips,
    ImageBatch,
    PartBatch,
    PartScores,
    Reconstructions,
    VideoBatch,
)
from fulgurite.exports.difference import differences
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.audio_to_video import AudioToVideoNet, AudioToVideoNetLegacy
from lightning_models.deployment import Graph, Port, in_torch


def random_bytes(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def windows(size=2):
    return VideoBatch(
        frames=random_bytes(size, 3, 3, 64, 64),
        video=["street"] * size,
        frame=torch.arange(3 * size).reshape(size, 3),
        label=torch.zeros(size, 3, dtype=torch.int64),
        region=torch.tensor([[8, 0, 48, 64]]).repeat(size, 1),
        index=torch.arange(size),
    )


def pictures(size=2, edge=32, colours=1):
    return ImageBatch(random_bytes(size, colours, edge, edge), ["a"] * size, torch.zeros(size), torch.arange(size))


def part(height=37, width=90, start=5, group="b", seed=0):
    return PartBatch(random_bytes(1, height, width, seed=seed), "strip", group, "good", 0, start, seed)


def sound(size=2, samples=2000, frames=15):
    waves = 2 * torch.rand(size, 1, samples, generator=torch.Generator().manual_seed(0)) - 1
    empty = torch.zeros(size, frames, 3, 16, 16, dtype=torch.uint8)
    valid = torch.ones(size, frames, dtype=torch.bool)
    return AudioVideoBatch(waves, empty, valid, waves.flip(0), ["s"] * size, torch.zeros(size), torch.arange(size))


def video_gan(**changes):
    system = VTAGAN(**{"num_frames": 3, "ngf": 2, "ndf": 2, "flow_width": 0.05, "token_width": 16, **changes}).eval()
    with torch.no_grad():
        normal = windows(4)
        system.fit_scale([*system.calibration_rows(normal, system.evidence(normal)).values()])
    system.threshold.fill_(1.5)
    return system


def fabric_vae(**changes):
    system = AitexVAE(**{"tile_size": 32, "width": 2, "latent_dim": 3, **changes}).eval()
    batches = [part(group=group, seed=seed) for group in ("a", "b") for seed in range(2)]
    with torch.no_grad():
        rows = [row for batch in batches for row in system.calibration_rows(batch, system.evidence(batch)).values()]
        system.fit_scale(rows)
    system.threshold.fill_(1.5)
    system.pixel_threshold.fill_(2.5)
    return system


def sound_net(network, **changes):
    return AudioToVideo(sample_rate=4000, image_size=16, network=network, **changes).eval()


TRANSFORMER = partial(AudioToVideoNet, width=32, layers=1, heads=4, feedforward=32)

SYSTEMS = {
    "VTAGAN": (video_gan, windows),
    "VTAGAN, classical flow": (lambda: video_gan(flow_backend="farneback", flow_width=None), windows),
    "VTAGAN, parts left out": (
        lambda: video_gan(
            flow_backend="none",
            flow_width=None,
            adversarial="off",
            ndf=None,
            temporal_attention=False,
            token_width=None,
        ),
        windows,
    ),
    "AitexVAE": (fabric_vae, part),
    "AitexVAE, several cells": (lambda: fabric_vae(top_k=3, evidence=["energy", "kl"], overlap=0.25), part),
    "AitexVAE, symmetric": (
        lambda: fabric_vae(
            output="tanh", data_range="symmetric", weights={"bce": 0.0, "mse": 1.0}, evidence=["texture", "shade"]
        ),
        part,
    ),
    "MotorVAEGAN": (lambda: MotorVAEGAN(image_size=32, latent_dim=4, width=2).eval(), pictures),
    "CNNParamTanh": (
        lambda: CNNParamTanh(image_size=16, latent_dim=4, num_frames=2).eval(),
        partial(pictures, edge=16, colours=3),
    ),
    "AudioToVideo": (partial(sound_net, TRANSFORMER, start_from_mean=True), sound),
    "AudioToVideo, predecessor": (partial(sound_net, partial(AudioToVideoNetLegacy, width=8)), sound),
}


ANSWERS = {
    FrameScores: {"score", "heat", "reconstruction"},
    PartScores: {"score", "heat", "tile_score"},
    Reconstructions: {"images", "reconstructed", "mean", "kl"},
    GeneratedClips: {"frames"},
}
"""What is compared at least."""


@pytest.mark.parametrize("name", SYSTEMS)
@torch.no_grad()
def test_the_answer_through_the_graphs_is_that_of_the_step(name):
    make, batch = SYSTEMS[name]
    torch.manual_seed(0)
    system = make()
    deployment = system.deployed()
    expected = system.predict_step(batch(), 0)
    found = differences(expected, deployment.answer(batch(), in_torch(deployment)))
    assert found.keys() >= ANSWERS[type(expected)]
    assert max(found.values()) < 1e-5


def test_what_has_to_be_known_is_said():
    video, fabric = video_gan().deployed(), fabric_vae().deployed()
    assert video.facts["threshold"] == 1.5
    assert "baseline" not in video.facts["evidence"]
    assert fabric.facts["pixel_threshold"] == 2.5
    assert fabric.facts["groups"] == ["(all groups)", "a", "b"]
    for deployment in (video, fabric):
        for graph in deployment.graphs.values():
            dims = {dim for port in graph.inputs for dim in port.dims}
            assert graph.may_vary.keys() <= dims


def test_a_part_of_another_group_is_judged_by_the_statistics_of_all():
    system = fabric_vae()
    deployment = system.deployed()
    batch = part(group="never seen")
    with pytest.warns(UserWarning, match="was not among the normal pictures"):
        found = deployment.answer(batch, in_torch(deployment))
    with torch.no_grad():
        expected = system.predict_step(batch, 0)
    assert max(differences(expected, found).values()) < 1e-5


def test_a_graph_takes_any_batch_but_no_other_picture():
    port = Port("frames", ("batch", "height"), "uint8", "0 to 255", "rows")
    graph = Graph(torch.nn.Identity(), (port,), (port,))
    example = {"frames": torch.zeros(2, 8)}
    assert graph.fits({"frames": torch.zeros(5, 8)}, example)
    assert not graph.fits({"frames": torch.zeros(2, 9)}, example)
