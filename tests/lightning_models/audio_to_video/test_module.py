"""Sound to pictures as a whole: its losses, its steps, and that it learns to follow the sound."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer, seed_everything
from torch import nn
from torch.utils.data import DataLoader

from datamodules.batches import AudioVideoBatch
from datamodules.errors import InputError
from lightning_models.audio_to_video import AudioToVideo, AudioToVideoNet, AudioToVideoNetLegacy, video_losses
from lightning_models.audio_to_video.encoders import ConvolutionalEncoder, PretrainedEncoder
from lightning_models.audio_to_video.module import Generated
from lightning_models.training.learning_rate import WarmUpCosine

SIZES = {"fps": 10.0, "sample_rate": 4000, "image_size": 16}
NETS = {
    AudioToVideoNet: {"width": 32, "layers": 1, "heads": 4, "feedforward": 32},
    AudioToVideoNetLegacy: {"width": 32},
}
TERMS = {"l2", "l1", "change", "structure", "mismatch"}
ALL = {"weights": dict.fromkeys(TERMS, 1.0)}


def adam(parameters):
    return torch.optim.Adam(parameters, 3e-3)


def model(net=AudioToVideoNet, network=(), **changes):
    """A small system; ``network`` changes the arguments of its net."""
    torch.manual_seed(0)
    make = partial(net, **{**NETS[net], **dict(network)})
    return AudioToVideo(optimizer=adam, network=make, **{**SIZES, **changes})


def batch(clips=2, seed=0, size=16):
    """Noise whose loudness in each tenth of a second is the brightness of its frame."""
    random = torch.Generator().manual_seed(seed)
    loud, other = torch.rand(2, clips, 10, generator=random)

    def sound(envelope):
        noise = torch.rand(clips, 1, 4000, generator=random) * 2 - 1
        return noise * envelope.repeat_interleave(400, 1)[:, None]

    frames = (loud * 255).byte()[:, :, None, None, None].expand(-1, -1, 3, size, size).contiguous()
    return AudioVideoBatch(
        audio=sound(loud),
        frames=frames,
        valid=torch.ones(clips, 10, dtype=torch.bool),
        other=sound(other),
        name=[f"clip{n}" for n in range(clips)],
        start=torch.zeros(clips, dtype=torch.float64),
        index=torch.arange(clips),
    )


def terms_of(system, clips):
    return system.generator_loss(system.prepare(clips))


def test_every_loss_has_its_name_and_its_weight():
    system = model(**ALL)
    terms = terms_of(system, batch())
    assert set(terms) == TERMS == set(system.weights) - {"silence"}, "only nets that draw on a still picture have that"
    assert system.weights == {**ALL["weights"], "silence": 0.0}
    assert all(torch.isfinite(term) and term > 0 for term in terms.values())


@pytest.mark.parametrize("name", sorted(TERMS))
def test_a_loss_without_weight_is_not_computed(name):
    system = model(weights={**ALL["weights"], name: 0.0})
    assert set(terms_of(system, batch())) == TERMS - {name} == set(filter(system.weights.count, system.weights))


def test_each_term_is_its_formula_on_what_was_drawn():
    system, clips = model(**ALL, network={"dropout": 0.0}), batch()
    prepared = system.prepare(clips)
    terms, generated, real = system.generator_loss(prepared), prepared[0].frames, clips.frames / 255
    torch.testing.assert_close(terms["l1"], (generated - real).abs().mean())
    torch.testing.assert_close(terms["l2"], (generated - real).square().mean())
    torch.testing.assert_close(terms["change"], (generated.diff(dim=1) - real.diff(dim=1)).abs().mean())
    torch.testing.assert_close(terms["structure"], video_losses.structure_distance(generated, real).mean())
    own, other = (
        (side - real[:, ::4]).abs().mean((1, 2, 3, 4)) for side in (generated[:, ::4], prepared[0].mismatched)
    )
    torch.testing.assert_close(terms["mismatch"], (0.05 + own - other).relu().mean())


def test_padding_is_not_learned():
    system, clips = model(**ALL, network={"dropout": 0.0}), batch()
    clips.valid[1, 6:] = False
    before = terms_of(system, clips)
    changed = replace(clips, frames=clips.frames.clone())
    changed.frames[1, 6:] = 255 - changed.frames[1, 6:]
    after = terms_of(system, changed)
    for name, term in before.items():
        assert torch.equal(term, after[name]), name
    changed.frames[1, 4] = 255 - changed.frames[1, 4]
    assert all(not torch.equal(term, before[name]) for name, term in terms_of(system, changed).items())


def test_the_hinge_does_not_cancel_the_loss_of_a_net_that_ignores_the_sound():
    system, clips = model(**ALL, mismatch_margin=0.5), batch()
    picture = torch.rand(1, 1, *clips.frames.shape[2:], requires_grad=True)
    generated = picture.expand(*clips.frames.shape[:2], -1, -1, -1)
    terms = system.generator_loss((Generated(generated, generated[:, ::4]), clips))
    (alone,) = torch.autograd.grad(terms["l1"], picture, retain_graph=True)
    (both,) = torch.autograd.grad(terms["l1"] + terms["mismatch"], picture)
    torch.testing.assert_close(both, alone)


def test_a_clip_that_is_all_padding_has_no_mismatch():
    system, clips = model(**ALL, mismatch_margin=0.5), replace(batch(), frames=torch.zeros_like(batch().frames))
    clips.valid[1] = False
    generated = Generated(torch.zeros(clips.frames.shape), torch.ones(clips.frames[:, ::4].shape))
    assert system.generator_loss((generated, clips))["mismatch"] == 0


def test_mismatched_frames_are_drawn_to_the_other_sound():
    """In evaluation, where frames do not know of the batch, they are those of a call of its own."""
    system, clips = model(**ALL).eval(), batch()
    generated, _ = system.prepare(clips)
    torch.testing.assert_close(generated.frames, system(clips.audio))
    torch.testing.assert_close(generated.mismatched, system(clips.other)[:, ::4])


def test_every_parameter_is_trained():
    for changes in ({}, {"network": {"cross_attention": True}}, {"net": AudioToVideoNetLegacy}):
        system = model(**ALL, **changes)
        sum(terms_of(system, batch()).values()).backward()
        assert [name for name, weight in system.named_parameters() if weight.grad is None] == []


def test_statistics_are_counted_once_a_batch():
    system = model(**{**ALL, "image_size": 32}, network={"chunk": 7})
    sum(terms_of(system, batch(size=32)).values()).backward()
    counted = {name: int(b) for name, b in system.named_buffers() if name.endswith("num_batches_tracked")}
    assert len(counted) > 4
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("net", NETS)
def test_steps_of_evaluation(net):
    system, clips = model(net).eval(), batch()
    with torch.no_grad():
        shown = system.test_step(clips, 0)
        for name, sound in (("frames", clips.audio), ("shuffled", clips.other), ("silent", 0 * clips.audio)):
            assert torch.equal(getattr(shown, name), system(sound)), name
        generated = system.predict_step(clips, 0)
        assert torch.equal(generated.frames, shown.frames)
    assert generated.shuffled is None
    assert generated.silent is None
    assert system.attention(clips).shape == (2, 0 if net is AudioToVideoNetLegacy else 1, 10, 10)
    assert AudioToVideo.validation_step is AudioToVideo.test_step


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"l1": -1.0}}, "weights.l1 is -1.0"),
        ({"weights": {"change": float("nan")}}, "weights.change is nan"),
        ({"weights": {"l2": float("inf")}}, "weights.l2 is inf"),
        ({"mismatch_margin": float("nan")}, "mismatch_margin"),
        ({"mismatch_margin": -0.1}, "mismatch_margin"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"fps": 0.0, "net": AudioToVideoNetLegacy}, "fps is 0"),
        ({"network": {"max_frames": 0}}, "network.max_frames: is 0"),
        *(({"network": {name: 0}}, f"network.{name}: is 0") for name in ("layers", "heads", "feedforward")),
        ({"network": {"heads": -4}}, "network.heads: is -4"),
        ({"network": {"dropout": 1.0}}, "network.dropout: is 1"),
        ({"weights": {"l1": 0.0, "change": 0.0, "structure": 0.0}}, "no loss pulls"),
        ({"network": {"encoder": partial(PretrainedEncoder, name="WHISPER")}}, "network.encoder.name: WHISPER"),
        ({"image_size": 20}, "image_size: is 20"),
    ],
)
def test_arguments_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        model(**changes)


@pytest.mark.parametrize("changes", [{"fps": 12.0}, {"image_size": 32}, {"sample_rate": 8000}])
def test_data_of_another_rate_or_size_are_refused(changes):
    system = model(**changes)
    with pytest.raises(InputError, match="the same under data and under model"):
        system.prepare(batch())
    for step in (system.validation_step, system.test_step, system.predict_step):
        with pytest.raises(InputError, match="the same under data and under model"):
            step(batch(), 0)


class Data(LightningDataModule):
    """Never reached: nothing is to be decoded before the rates are compared."""

    def __init__(self, **changes):
        super().__init__()
        self.fps, self.sample_rate, self.image_size = {**SIZES, **changes}.values()

    def prepare_data(self):
        pytest.fail("was decoded")

    train_dataloader = predict_dataloader = test_dataloader = val_dataloader = None


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize(
    ("changes", "key"), [({"fps": 20.0, "sample_rate": 8000}, "fps"), ({"sample_rate": 8000}, "sample_rate")]
)
def test_rates_are_compared_before_anything_is_decoded(verb, changes, key, tmp_path):
    trainer = Trainer(default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_checkpointing=False)
    for system, data in ((model(), Data(**changes)), (model(**changes), Data())):
        with pytest.raises(InputError, match=rf"data\.{key} is .* but model\.{key} is"):
            getattr(trainer, verb)(system, datamodule=data)


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize(
    ("duration", "message"), [(2.5, r"25 frames.* serves 20: .*data\.duration"), (0.05, "too few for one frame")]
)
def test_a_length_that_is_not_served_is_refused_before_anything_is_decoded(verb, duration, message, tmp_path):
    data = Data()
    data.num_samples = round(duration * data.sample_rate)
    trainer = Trainer(default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(InputError, match=message):
        getattr(trainer, verb)(model(network={"max_frames": 20}), datamodule=data)


def fit(system, clips, steps, tmp_path, epochs=1, **options):
    loader = DataLoader([clips] * steps, batch_size=None)
    trainer = Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(system, loader)
    return trainer


class Repeated(LightningDataModule):
    """One batch again and again."""

    def __init__(self, clips, steps):
        super().__init__()
        self.clips, self.steps = clips, steps

    def train_dataloader(self):
        return DataLoader([self.clips] * self.steps, batch_size=None)


class KnowsItsMean(Repeated):
    def mean_picture(self):
        return torch.linspace(0.1, 0.9, 3 * 16 * 16).view(3, 16, 16)


def test_a_net_starts_from_the_mean_picture_and_goes_on_from_a_checkpoints(tmp_path):
    options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    system, data = model(start_from_mean=True), KnowsItsMean(batch(), 1)
    trainer = Trainer(max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=False, **options)
    trainer.fit(system, datamodule=data)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    learned, odds = system.eval()(batch().audio), system.mean_odds.clone()
    torch.testing.assert_close(odds / (1 + odds), data.mean_picture())
    assert (learned.mean((0, 1)) - data.mean_picture()).abs().mean() < 0.1

    data.mean_picture = None  # it is not asked for again
    other = model(start_from_mean=True)
    trainer = Trainer(max_epochs=2, default_root_dir=tmp_path, enable_checkpointing=False, **options)
    trainer.fit(other, datamodule=data, ckpt_path=tmp_path / "one.ckpt", weights_only=False)
    assert torch.equal(other.mean_odds, odds)


def test_data_without_a_mean_picture_are_refused(tmp_path):
    trainer = Trainer(max_epochs=1, default_root_dir=tmp_path, accelerator="cpu", logger=False)
    with pytest.raises(InputError, match=r"model\.start_from_mean: Repeated has no mean picture"):
        trainer.fit(model(start_from_mean=True), datamodule=Repeated(batch(), 1))


@pytest.mark.parametrize(("net", "network"), [(AudioToVideoNet, {"dropout": 0.0}), (AudioToVideoNetLegacy, {})])
def test_it_learns_to_follow_the_sound(net, network, tmp_path):
    seed_everything(0)
    system, clips = model(net, network, weights={"structure": 0.0}), batch(4, seed=1)
    fit(system, clips, 40, tmp_path)
    system.eval()
    real = clips.frames / 255
    with torch.no_grad():
        shown = system.test_step(clips, 0)
    own, other = ((side - real).abs().mean().item() for side in (shown.frames, shown.shuffled))
    assert own < 0.6 * other


def test_the_rate_moves_with_every_step(tmp_path):
    rates = []

    class Watched(AudioToVideo):
        def on_train_batch_end(self, outputs, batch, batch_idx):
            rates.append(self.optimizers().param_groups[0]["lr"])

    net, schedule = partial(AudioToVideoNet, **NETS[AudioToVideoNet]), partial(WarmUpCosine, total=5, warm_up=2)
    system = Watched(optimizer=adam, network=net, **SIZES, scheduler=schedule)
    fit(system, batch(), 5, tmp_path)
    assert rates == pytest.approx([2e-3, 3e-3, 2.25e-3, 0.75e-3, 0.0])


@pytest.mark.parametrize(
    ("schedule", "accumulate", "options", "units"),
    [
        ("step", 1, {"epochs": 3}, 15),
        ("step", 2, {"epochs": 3}, 9),
        ("step", 1, {"epochs": 3, "max_steps": 7}, 7),
        ("step", 1, {"epochs": -1, "max_steps": 7}, 7),
        ("step", 1, {"epochs": 3, "limit_train_batches": 2}, 6),
        ("epoch", 1, {"epochs": 3}, 3),
    ],
)
def test_a_schedule_without_a_total_ends_with_the_run(schedule, accumulate, options, units, tmp_path):
    made = []

    def make(optimizer):
        made.append(WarmUpCosine(optimizer, warm_up=1, lowest=0.1))
        return made[0]

    fit(model(scheduler=make, schedule=schedule, accumulate=accumulate), batch(), 5, tmp_path, **options)
    assert made[0].total == made[0].last_epoch == units
    assert made[0].get_last_lr() == pytest.approx([3e-4])


def test_a_schedule_without_a_total_needs_an_end(tmp_path):
    system = model(scheduler=WarmUpCosine)
    with pytest.raises(InputError, match=r"nobody knows how many epochs it has: set --trainer\.max_epochs$"):
        fit(system, batch(), 5, tmp_path, epochs=-1)


def saved(system, tmp_path):
    trainer = Trainer(default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.validate(system, DataLoader([batch()], batch_size=None), verbose=False)
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    return tmp_path / "saved.ckpt"


@pytest.mark.parametrize("activation", [nn.GELU, nn.Tanh])
@pytest.mark.parametrize("net", NETS)
def test_a_net_is_rebuilt_from_its_checkpoint(net, activation, tmp_path):
    system = model(net, {"encoder": partial(ConvolutionalEncoder, activation=activation)}).eval()
    path = saved(system, tmp_path)
    arguments = torch.load(path, weights_only=True)["hyper_parameters"]["network"]
    assert arguments["class_path"].endswith(f".{net.__name__}")
    assert arguments["init_args"]["width"] == 32
    loaded = AudioToVideo.load_from_checkpoint(path, optimizer=adam).eval()
    assert type(loaded.network) is net
    sound = batch().audio
    assert torch.equal(loaded(sound), system(sound))


@pytest.mark.parametrize("network", [{"class_path": "os.system"}, "os.system", {"class_path": "torch.nn.Linear"}])
def test_a_checkpoint_cannot_name_what_is_no_net(network, tmp_path):
    path = saved(model(), tmp_path)
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["hyper_parameters"]["network"] = network
    torch.save(checkpoint, path)
    with pytest.raises(InputError, match="is no AudioToFrames that was imported"):
        AudioToVideo.load_from_checkpoint(path, optimizer=adam)


def test_a_checkpoint_of_another_net_says_what_differs(tmp_path):
    path = saved(model(network={"width": 64}), tmp_path)
    with pytest.raises(InputError, match=r"network\.width is 64 in the checkpoint and 32 here"):
        model().on_load_checkpoint(torch.load(path, weights_only=True))
    path = saved(model(AudioToVideoNetLegacy), tmp_path)
    with pytest.raises(InputError, match=r"network is 'AudioToVideoNetLegacy' in the checkpoint and 'AudioToVideoNet'"):
        model().on_load_checkpoint(torch.load(path, weights_only=True))
