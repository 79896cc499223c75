"""The net that draws on a still picture: what it adds, what it begins with, where its picture comes from."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from datamodules.batches import AudioVideoBatch
from datamodules.errors import InputError
from lightning_models.audio_to_video import AudioToVideo, AudioToVideoNet, AudioToVideoNetStill, video_losses
from lightning_models.audio_to_video.encoders import ConvolutionalEncoder
from lightning_models.audio_to_video.mel_encoder import MelEncoder
from lightning_models.deployment import in_torch
from lightning_models.training.hyperparameters import check_same

SIZES = {"fps": 10.0, "sample_rate": 4000, "image_size": 16}
PULL = {"l2": 100.0, "l1": 0.0, "change": 0.0, "structure": 0.0, "mismatch": 0.0}
MOUTH = (slice(8, 12), slice(4, 12))


def model(network=(), **changes):
    torch.manual_seed(0)
    quiet = partial(MelEncoder, sample_rate=4000, layers=1, dropout=0.0)
    make = partial(AudioToVideoNetStill, **{"width": 16, "movements": 3, "encoder": quiet, **dict(network)})
    optimizer = partial(torch.optim.Adam, lr=1e-2)
    return AudioToVideo(optimizer=optimizer, network=make, **{"weights": PULL, **SIZES, **changes})


def batch(clips=4, seed=0):
    """Faces of a grey of their own, whose mouths are as bright as their sound is loud."""
    random = torch.Generator().manual_seed(seed)
    loud, other = torch.rand(2, clips, 10, generator=random)
    frames = torch.rand(clips, 1, 3, 16, 16, generator=random).mul(100).byte().expand(-1, 10, -1, -1, -1).clone()
    frames[..., *MOUTH] = (loud * 200).byte()[:, :, None, None, None]

    def sound(envelope):
        noise = torch.rand(clips, 1, 4000, generator=random) * 2 - 1
        return noise * envelope.repeat_interleave(400, 1)[:, None]

    return AudioVideoBatch(
        audio=sound(loud),
        frames=frames,
        valid=torch.ones(clips, 10, dtype=torch.bool),
        other=sound(other),
        name=[f"clip{n}" for n in range(clips)],
        start=torch.zeros(clips, dtype=torch.float64),
        index=torch.arange(clips),
        still=frames.float().mean(1).round().byte(),
    )


class Faces(LightningDataModule):
    def train_dataloader(self):
        return DataLoader([batch(seed=seed) for seed in range(8)], batch_size=None)

    def mean_picture(self):
        return torch.cat([batch(seed=seed).frames.flatten(0, 1) for seed in range(8)]).float().mean(0) / 255

    def deviation(self):
        found = torch.zeros(16, 16)
        found[MOUTH] = 0.2
        return found


def fit(system, data, epochs, folder):
    trainer = Trainer(
        max_epochs=epochs,
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(system, datamodule=data)
    return trainer


def test_untrained_it_draws_the_still_picture():
    system, clips = model().eval(), batch()
    drawn = system.predict_step(clips, 0).frames
    torch.testing.assert_close(drawn, (clips.still.float() / 255)[:, None].expand_as(drawn))
    without = system.predict_step(replace(clips, still=None), 0).frames
    torch.testing.assert_close(without, torch.full_like(without, 0.5))


def test_frames_are_the_still_picture_and_movements_in_the_amounts_that_are_heard():
    system, clips = model().eval(), batch()
    random = torch.Generator().manual_seed(1)
    torch.nn.init.normal_(system.network.movements, 0, 0.1, generator=random)
    system.network.deviation.uniform_(0, 1, generator=random)
    amounts, still = system.network.features(clips.audio), clips.still.float() / 255
    moved = still[:, None] + torch.einsum(
        "btk,kchw,hw->btchw", amounts, system.network.movements, system.network.deviation
    )
    torch.testing.assert_close(system.test_step(clips, 0).frames, moved.clamp(0, 1))
    assert not torch.equal(system.test_step(clips, 0).frames, system.test_step(clips, 0).shuffled)


class Made(Faces):
    """Faces that also know in which ways they move: the mouth as a whole, and nothing else."""

    def components(self, most):
        found = torch.zeros(1, 3, 16, 16)
        found[..., *MOUTH] = 1
        return found / found.norm()


@pytest.mark.parametrize("movements", [3, None])
def test_movements_of_components_move_nothing_else(movements, tmp_path):
    network = {"components": 2, "movements": movements}
    system, clips = model(network), batch(seed=99)
    still = (clips.still.float() / 255)[:, None]
    torch.testing.assert_close(system.eval().test_step(clips, 0).frames, still.expand_as(clips.frames))
    fit(system, Made(), 15, tmp_path).save_checkpoint(tmp_path / "one.ckpt")
    assert not system.network.components[1].any(), "there is one only"
    with torch.no_grad():
        amounts, shown = system.eval().network.features(clips.audio), system.test_step(clips, 0)
    real, mixed = clips.frames / 255, system.network.components.flatten(1)
    if movements is not None:
        mixed = system.network.movements @ mixed
    moved = still + (amounts @ mixed).unflatten(2, (3, 16, 16))
    torch.testing.assert_close(shown.frames, moved.clamp(0, 1))
    own, other = ((side - real).abs()[..., *MOUTH].mean() for side in (shown.frames, shown.shuffled))
    assert own < 0.6 * other
    assert torch.equal(shown.frames[..., :8, :], still.expand_as(shown.frames)[..., :8, :])
    again = model(network)
    again.load_state_dict(torch.load(tmp_path / "one.ckpt", weights_only=True)["state_dict"])
    with torch.no_grad():
        assert torch.equal(again.eval().test_step(clips, 0).frames, shown.frames)
    with pytest.raises(InputError, match=r"model\.network\.components: Faces does not know those of its pictures; set"):
        fit(model(network), Faces(), 1, tmp_path)


def test_movements_are_drawn_more_strongly_outside_of_training_alone():
    clips, still = batch(), batch().still.float()[:, None] / 255
    moved = []
    for strength in (1.0, 1.5):
        system = model({"strength": strength})
        torch.nn.init.constant_(system.network.movements, 0.01)
        moved.append([system.train(way)(clips.audio, clips.still / 255) - still for way in (True, False)])
    torch.testing.assert_close(moved[1][0], moved[0][0])
    torch.testing.assert_close(moved[1][1], 1.5 * moved[0][1], atol=1e-5, rtol=1e-4)
    with pytest.raises(InputError, match=r"model\.network\.strength: is 0\.0; give a factor above 0"):
        model({"strength": 0.0})


def test_a_checkpoint_may_be_drawn_by_another_strength_but_not_by_another_width():
    def named(**arguments):
        path = f"{AudioToVideoNetStill.__module__}.AudioToVideoNetStill"
        return {"class_path": path, "init_args": {"width": 16, **arguments}}

    saved = {"hyper_parameters": {"network": named(strength=1.25)}}
    check_same(saved, AudioToVideo, {"network": named(strength=2.0)})
    with pytest.raises(InputError, match=r"model\.network\.width = 8 \(16 in training\)"):
        check_same(saved, AudioToVideo, {"network": named(strength=1.25, width=8)})


def test_it_learns_which_movement_a_sound_calls_for(tmp_path):
    system = model(weigh_moving=True)
    trainer = fit(system, Faces(), 15, tmp_path)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    assert system.network.deviation.max() == 1
    torch.testing.assert_close(system.network.mean_picture, Faces().mean_picture())
    assert system.moving.mean() == pytest.approx(1, abs=1e-5)
    clips = batch(seed=99)
    real = clips.frames / 255
    with torch.no_grad():
        shown = system.eval().test_step(clips, 0)
    own, other, still = (
        (side - real).abs()[..., *MOUTH].mean() for side in (shown.frames, shown.shuffled, (clips.still / 255)[:, None])
    )
    assert own < 0.6 * other
    assert own < 0.6 * still
    assert (shown.frames - real)[..., :8, :].abs().max() < 0.01, "only what moves is drawn"
    again = model(weigh_moving=True)
    again.load_state_dict(torch.load(tmp_path / "one.ckpt", weights_only=True)["state_dict"])
    with torch.no_grad():
        assert torch.equal(again.eval().test_step(clips, 0).frames, shown.frames)


def test_a_pixel_counts_by_how_much_it_moves():
    system, clips = model(weigh_moving=True, weights={**PULL, "l1": 1.0, "change": 1.0}), batch()
    system.moving.copy_(torch.rand(16, 16, generator=torch.Generator().manual_seed(0)))
    prepared = system.prepare(clips)
    drawn, real, weight = prepared[0].frames, clips.frames / 255, system.moving
    terms = system.generator_loss(prepared)
    torch.testing.assert_close(terms["l1"], ((drawn - real).abs() * weight).mean())
    torch.testing.assert_close(terms["l2"], ((drawn - real).square() * weight).mean())
    torch.testing.assert_close(terms["change"], ((drawn - real).diff(dim=1).abs() * weight).mean())
    plain = video_losses.distance("l2", drawn, real)
    torch.testing.assert_close(video_losses.distance("l2", drawn, real, torch.ones(16, 16)), plain)


def test_the_mismatched_sound_is_drawn_on_the_same_picture():
    system, clips = model(weights={**PULL, "mismatch": 1.0}), batch()
    torch.nn.init.normal_(system.network.movements, 0, 0.1)
    generated, _ = system.eval().prepare(clips)
    torch.testing.assert_close(generated.frames, system.test_step(clips, 0).frames)
    torch.testing.assert_close(generated.mismatched, system.test_step(clips, 0).shuffled[:, ::4])


def test_silence_is_compared_with_the_still_picture():
    system, clips = model(weights={**PULL, "mismatch": 1.0, "silence": 2.0}), batch()
    torch.nn.init.normal_(system.network.movements, 0, 0.1)
    generated, _ = prepared = system.eval().prepare(clips)
    shown = system.test_step(clips, 0)
    torch.testing.assert_close(generated.frames, shown.frames)
    torch.testing.assert_close(generated.mismatched, shown.shuffled[:, ::4])
    torch.testing.assert_close(generated.silent, shown.silent[:1, ::4])
    expected = (shown.silent[:1, ::4] - clips.still[:1, None] / 255).square().mean()
    torch.testing.assert_close(system.generator_loss(prepared)["silence"], expected)
    plain = partial(AudioToVideoNet, width=16, heads=4)
    with pytest.raises(InputError, match=r"model\.weights\.silence: AudioToVideoNet draws on no still picture"):
        AudioToVideo(**SIZES, network=plain, weights={**PULL, "silence": 1.0})


def test_what_it_is_outside_draws_the_same():
    system, clips = model().eval(), batch()
    torch.nn.init.normal_(system.network.movements, 0, 0.1)
    deployed = system.deployed()
    for given in (clips, replace(clips, still=None)):
        told = deployed.answer(given, in_torch(deployed)).frames
        torch.testing.assert_close(told, system.predict_step(given, 0).frames)


def test_what_would_change_nothing_or_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"model\.start_from_mean is true, but changes nothing"):
        model(start_from_mean=True)
    with pytest.raises(InputError, match=r"the encoder listens at 16000 Hz: set"):
        model({"encoder": MelEncoder})

    class Still:
        still = "face.png"

    plain = AudioToVideo(**SIZES, network=partial(AudioToVideoNet, width=16, heads=4))
    with pytest.raises(InputError, match=r"data\.still is face\.png, but AudioToVideoNet draws on no picture"):
        plain.check_data(Still())
    model().check_data(Still())

    class Blind(LightningDataModule):
        train_dataloader = Faces.train_dataloader

    with pytest.raises(InputError, match=r"AudioToVideoNetStill needs the mean picture .*, and Blind does not know"):
        fit(model(), Blind(), 1, tmp_path)
    plain = AudioToVideo(**SIZES, weigh_moving=True, network=partial(AudioToVideoNet, width=16, heads=4))
    with pytest.raises(InputError, match=r"model\.weigh_moving: Blind has no deviation; set it to false"):
        fit(plain, Blind(), 1, tmp_path)


@pytest.mark.parametrize("encoder", [MelEncoder, ConvolutionalEncoder])
def test_both_nets_listen_by_either_encoder(encoder):
    for net in (AudioToVideoNet, AudioToVideoNetStill):
        frames = net(fps=10.0, image_size=16, width=16, encoder=encoder).eval()(torch.zeros(1, 1, 16_000))
        assert frames.shape == (1, 10, 3, 16, 16)


def test_a_feature_of_the_mel_encoder_hears_what_is_near():
    torch.manual_seed(0)
    encoder = MelEncoder(8).eval()
    sound = torch.randn(1, 1, 32_000, generator=torch.Generator().manual_seed(0)) / 4
    changed = sound.clone()
    changed[..., 16_000:16_320] = 0
    differs = (encoder(sound) != encoder(changed)).any(1)[0].nonzero()[:, 0]
    assert encoder(sound).shape == (1, 8, 100)
    assert (differs.min(), differs.max()) == (50 - 17, 50 + 17)  # 16 on each side, and windows that overlap by 6 ms
