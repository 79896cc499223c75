"""VTA-GAN as a whole: what its switches change, what its losses train, what its scores depend on."""

from types import SimpleNamespace

import pytest
import torch

from datamodules.batches import VideoBatch
from datamodules.errors import InputError
from lightning_models import VTAGAN
from lightning_models.vta_gan.patch_scorer import OF_COMBINED
from lightning_models.vta_gan.reconstructor import from_pixels, shrink_flow, to_unit_range


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3, fused=True)


SMALL = {"ngf": 4, "ndf": 4, "flow_width": 0.0625, "token_width": 16, "patch": 8}


OF_PARTS = {"flow_backend": "flow_width", "temporal_attention": "token_width", "adversarial": "ndf"}
"""Sizes of what a switch leaves out: they are refused where it is left out."""


def model(**changes):
    torch.manual_seed(0)
    out = {OF_PARTS[switch] for switch in OF_PARTS.keys() & changes.keys() if changes[switch] not in ("bce", "hinge")}
    sizes = {name: size for name, size in SMALL.items() if name not in out}
    return VTAGAN(discriminator_optimizer=adam, generator_optimizer=adam, **{**sizes, **changes})


def batch(windows=2, height=64, width=64, frames=8, seed=0, labels=0):
    random = torch.Generator().manual_seed(seed)
    # smooth moving pictures, so that flow and bands have something to see
    base = torch.rand(windows, 3, height // 8, width // 8 + frames, generator=random)
    wide = torch.nn.functional.interpolate(base, scale_factor=8, mode="bilinear")
    clips = torch.stack([wide[..., 2 * t : 2 * t + width] for t in range(frames)], 1)
    clips = (clips * 255).byte()
    pseudo = clips.clone()
    pseudo[..., 8:24, 8:24] = 255 - pseudo[..., 8:24, 8:24]
    changed = torch.zeros(windows, frames, height, width, dtype=torch.uint8)
    changed[..., 8:24, 8:24] = 1
    return VideoBatch(
        frames=clips,
        video=[f"clip{n}" for n in range(windows)],
        frame=torch.arange(frames).repeat(windows, 1),
        label=torch.full((windows, frames), labels),
        region=torch.tensor([[0, 0, height, width]]).repeat(windows, 1),
        index=torch.arange(windows),
        pseudo=pseudo,
        pseudo_mask=changed,
    )


def calibrated(**changes):
    judge = model(**changes).eval()
    with torch.no_grad():
        patches, _ = judge.evidence_patches(batch(4, seed=5))
        judge.scorer.fit(judge.scorer.summarise(patches))
    judge.threshold.fill_(1.0)
    return judge


SWITCHES = {
    "frequency_split": False,
    "channel_selection": "off",
    "flow_backend": "none",
    "temporal_attention": False,
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_box_can_be_left_out_and_then_the_reconstruction_differs(switch):
    whole, without = model().eval(), model(**{switch: SWITCHES[switch]}).eval()
    shared = {
        name: w for name, w in whole.reconstructor.state_dict().items() if name in without.reconstructor.state_dict()
    }
    without.reconstructor.load_state_dict(shared, strict=False)
    frames = batch().frames
    with torch.no_grad():
        assert not torch.equal(whole(frames).reconstructed, without(frames).reconstructed)


def parameter_names(system):
    return {name for name, _ in system.named_parameters()}


@pytest.mark.parametrize(
    ("switch", "value", "gone"),
    [
        ("channel_selection", "off", "reconstructor.generator.selection"),
        ("flow_backend", "none", "reconstructor.flow"),
        ("flow_backend", "farneback", "reconstructor.flow.network"),
        ("temporal_attention", False, "reconstructor.temporal_attention"),
        ("adversarial", "off", "discriminator"),
    ],
)
def test_a_box_left_out_has_no_parameters(switch, value, gone):
    assert any(name.startswith(gone) for name in parameter_names(model()))
    assert not any(name.startswith(gone) for name in parameter_names(model(**{switch: value})))


def losses_of(system, clips):
    torch.manual_seed(1)
    prepared = system.prepare(clips)
    discriminator = {} if system.discriminator is None else system.discriminator_loss(prepared)
    return discriminator, system.generator_loss(prepared)


def test_every_loss_has_its_name_and_its_weight():
    system = model()
    discriminator, generator = losses_of(system, batch())
    assert set(discriminator) == {"real", "reconstructed", "pseudo"}
    assert set(generator) == set(system.weights)
    assert all(torch.isfinite(term) and term > 0 for term in (*discriminator.values(), *generator.values()))


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"flow_backend": "none"}, {"flow_consistency", "photometric", "flow_smoothness"}),
        ({"flow_backend": "farneback"}, {"photometric", "flow_smoothness"}),
        ({"flow_backend": "frame_difference"}, {"flow_consistency", "photometric", "flow_smoothness"}),
        ({"adversarial": "off"}, {"adversarial", "feature"}),
    ],
)
def test_losses_of_parts_left_out_are_gone(changes, absent):
    system = model(**changes)
    _, generator = losses_of(system, batch())
    assert set(generator) == set(model().weights) - absent == set(system.weights)


def test_pseudo_fakes_can_be_left_out():
    assert "pseudo" not in losses_of(model(pseudo_fakes=False), batch())[0]


def test_only_the_changed_part_of_a_falsified_clip_is_called_false():
    system = model(discriminator_norm="group")
    clips = batch(1, 192, 192)
    prepared = system.prepare(clips)
    before = system.discriminator_loss(prepared)["pseudo"]
    # the discriminator sees the far corner through other patches than the changed one
    clips.pseudo[..., 160:, 160:] = 0
    far = system.discriminator_loss(prepared)["pseudo"]
    clips.pseudo[..., 8:24, 8:24] = 0
    near = system.discriminator_loss(prepared)["pseudo"]
    assert (near - far).abs() > 10 * (far - before).abs()


@pytest.mark.parametrize("objective", ["bce", "hinge"])
def test_the_health_of_the_game_is_what_the_discriminator_says_of_each_kind(objective):
    system, clips = model(adversarial=objective), batch(height=128, width=128)
    terms = system.discriminator_loss(prepared := system.prepare(clips))
    reconstructed = prepared[0].reconstructed.detach()
    logits = {}
    with torch.no_grad():
        for name, kind in {
            "real": from_pixels(clips.frames),
            "false": reconstructed,
            "pseudo": from_pixels(clips.pseudo),
        }.items():
            logits[name] = system.discriminator(kind.flatten(0, 1)).logits
    changed = torch.nn.functional.adaptive_max_pool2d(clips.pseudo_mask.flatten(0, 1).float(), logits["real"].shape[1:])
    pseudo = logits["pseudo"][changed == 1]
    false = (logits["false"] <= 0).float().mean() / 2 + (pseudo <= 0).float().mean() / 2
    assert {name: value.item() for name, value in system.health.items()} == pytest.approx(
        {
            "real": logits["real"].sigmoid().mean().item(),
            "reconstruction": logits["false"].sigmoid().mean().item(),
            "pseudo": pseudo.sigmoid().mean().item(),
            "accuracy": ((logits["real"] > 0).float().mean() + false).item() / 2,
            "objective": sum(terms.values()).item(),
        },
        rel=1e-5,
    )
    assert not any(value.requires_grad or value.dim() for value in system.health.values())
    without = model(pseudo_fakes=False)
    without.discriminator_loss(without.prepare(clips))
    assert set(without.health) == {"real", "reconstruction", "accuracy", "objective"}
    assert model(adversarial="off").health == {}


def test_falsified_clips_that_are_missing_are_an_error():
    clips = batch()
    clips.pseudo = None
    system = model()
    with pytest.raises(InputError, match="pseudo_fakes"):
        system.discriminator_loss(system.prepare(clips))


def test_every_parameter_of_the_reconstructor_is_trained():
    system = model()
    _, generator = losses_of(system, batch())
    sum(generator.values()).backward()
    untrained = [name for name, weight in system.reconstructor.named_parameters() if weight.grad is None]
    assert untrained == []


def test_the_discriminator_phase_leaves_the_reconstructor_alone():
    system = model()
    discriminator, _ = losses_of(system, batch())
    sum(discriminator.values()).backward()
    assert all(weight.grad is None for weight in system.reconstructor.parameters())
    assert all(weight.grad is not None for weight in system.discriminator.parameters())


def test_the_reconstruction_does_not_bend_the_flow():
    system = model()
    _, generator = losses_of(system, batch())
    (generator["reconstruction"] + generator["flow_consistency"]).backward()
    assert all(weight.grad is None for weight in system.reconstructor.flow.parameters())


def test_noise_belongs_to_training_alone():
    system = model()
    frames = batch().frames
    system.reconstructor.eval()
    assert torch.equal(system(frames).reconstructed, system(frames).reconstructed)
    system.reconstructor.train()
    assert not torch.equal(system(frames).reconstructed, system(frames).reconstructed)


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (64, 128), (128, 192)])
def test_any_multiple_of_the_stride_is_scored(size):
    judge = model().eval()
    with torch.no_grad():
        patches, clip = judge.evidence_patches(batch(1, *size))
    assert clip.reconstructed.shape == (1, 8, 3, *size)
    assert patches.shape == (1, 8, len(judge.scorer.names), size[0] // 8, size[1] // 8)


def test_scores_do_not_depend_on_the_company_in_a_batch():
    judge = calibrated()
    together = batch(3)
    with torch.no_grad():
        joint = judge.test_step(together, 0)
        alone = judge.test_step(
            VideoBatch(
                *(getattr(together, name)[:1] for name in ("frames", "video", "frame", "label", "region", "index"))
            ),
            0,
        )
    torch.testing.assert_close(joint.score[:1], alone.score, rtol=1e-4, atol=1e-4)


def test_every_kind_of_evidence_is_reported_beside_the_score():
    scored = calibrated().test_step(batch(), 0)
    expected = {"baseline", "reconstruction", "high_band", "temporal", "feature", "discriminator"}
    expected |= {"flow", "flow_error", "flow_right", "flow_left", "flow_down", "flow_up"}
    assert set(scored.alternatives) == expected
    assert all(values.shape == scored.score.shape for values in scored.alternatives.values())


def test_the_baseline_is_no_part_of_the_score():
    judge = calibrated()
    assert judge.scorer.names.index("baseline") not in judge.scorer.chosen


def test_chosen_evidence_alone_makes_up_the_score():
    judge = calibrated(evidence=["flow"])
    scored = judge.test_step(batch(), 0)
    torch.testing.assert_close(scored.score, scored.alternatives["flow"])


def test_unknown_evidence_is_refused():
    with pytest.raises(InputError, match="smell"):
        model(evidence=["smell"])


def test_a_model_without_calibration_does_not_judge():
    with pytest.raises(InputError, match="never validated, which gives its scores their scale"):
        model().on_test_start()
    calibrated().on_predict_start()


def test_the_threshold_comes_from_windows_that_are_normal_throughout(monkeypatch):
    judge = calibrated()
    trainer = SimpleNamespace(world_size=1, sanity_checking=True)
    monkeypatch.setattr(type(judge), "trainer", trainer)
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    judge.on_validation_start()
    assert judge.validation_step(batch(1), 0) is judge.validation_step(batch(1), 0, dataloader_idx=1) is None
    judge.on_validation_epoch_end()
    assert all(torch.equal(value, before[name]) for name, value in judge.state_dict().items())
    assert judge.calibrated_at is None
    trainer.sanity_checking = False
    judge.batches_seen = 7
    clips = batch(2)
    clips.label[1, 3:] = 1  # its first frames are normal, but share the window's score
    judge.on_validation_start()
    scores = judge.validation_step(clips, 0, dataloader_idx=1)
    judge.on_validation_epoch_end()
    assert judge.threshold == scores.score[0, 0]
    assert judge.calibrated_at == 7
    assert scores.score[0, 0] != scores.score[1, 0]


def test_a_checkpoint_from_before_the_density_scores_as_it_was_calibrated():
    judge, fresh = calibrated(), model(joint="density").eval()
    state = {
        name: value for name, value in judge.state_dict().items() if name.removeprefix("scorer.") not in OF_COMBINED
    }
    checkpoint = {"state_dict": state, "phased_training": {"batches_seen": 0, "windows_seen": 0}}
    with pytest.warns(UserWarning, match="calibrated before model.joint could be density"):
        fresh.on_load_checkpoint(checkpoint)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(fresh.test_step(batch(), 0).score, judge.test_step(batch(), 0).score)


def test_a_checkpoint_with_the_former_name_of_the_threshold_is_taken():
    judge, fresh = calibrated(), model()
    state = judge.state_dict()
    state["score_threshold"] = state.pop("threshold")
    checkpoint = {"state_dict": state, "phased_training": {"batches_seen": 0, "windows_seen": 0}}
    fresh.on_load_checkpoint(checkpoint)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert fresh.threshold == 1


def test_windows_of_another_length_are_refused():
    with pytest.raises(InputError, match=r"data\.num_frames"):
        model().prepare(batch(frames=4))


def test_attention_has_a_layer_where_there_is_temporal_attention():
    shown = calibrated().attention(batch())
    assert shown.shape == (len(batch()), 1, batch().frames.shape[1], batch().frames.shape[1])
    torch.testing.assert_close(shown.sum(-1), torch.ones_like(shown[..., 0]))
    assert calibrated(temporal_attention=False).attention(batch()).shape == (2, 0, 8, 8)


def test_visuals_are_pictures():
    shown = calibrated().visuals(batch())
    assert set(shown) == {"input", "reconstruction", "error", "heat"}
    for clip in shown.values():
        assert clip.shape[:2] == (2, 8)
        assert clip.shape[2] in (1, 3)
        assert clip.shape[-2:] == (64, 64)
        assert clip.min() >= 0
        assert clip.max() <= 1


def test_pixels_make_the_round_trip():
    frames = torch.arange(256, dtype=torch.uint8)
    assert from_pixels(frames).min() == -1
    assert from_pixels(frames).max() == 1
    assert torch.equal((to_unit_range(from_pixels(frames)) * 255).round().byte(), frames)


def test_shrunk_flow_is_in_pixels_of_its_own_size():
    flow = torch.full((1, 7, 2, 64, 64), 8.0)
    assert torch.equal(shrink_flow(flow), torch.full((1, 7, 2, 16, 16), 2.0))


@pytest.mark.slow
def test_flow_is_learned_from_motion():
    """A picture that slides by one pixel a frame: training finds about that flow."""
    system = model(flow_width=0.125)
    clips = batch(2)
    # two pixels to the left a frame
    optimizer = torch.optim.Adam(system.reconstructor.flow.parameters(), 1e-3)
    start = None
    for _ in range(60):
        frames = from_pixels(clips.frames)
        clip = system.reconstructor(frames)
        terms = system.generator_loss((clip, clips))
        loss = terms["photometric"] + 0.01 * terms["flow_smoothness"]
        start = terms["photometric"].item() if start is None else start
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert terms["photometric"].item() < 0.7 * start
    assert clip.flows[0][:, :, 0].mean().item() < -0.5


@pytest.mark.parametrize(
    ("off", "term"),
    [
        ({"adversarial": "off"}, "adversarial"),
        ({"adversarial": "off"}, "feature"),
        ({"flow_backend": "none"}, "flow_consistency"),
        ({"flow_backend": "frame_difference"}, "flow_consistency"),
        ({"flow_backend": "farneback"}, "photometric"),
        ({"flow_backend": "none"}, "flow_smoothness"),
    ],
)
def test_a_weight_of_a_part_that_is_off_is_refused(off, term):
    with pytest.raises(InputError, match=rf"model\.weights\.{term} is 3, but changes nothing without model\."):
        VTAGAN(ngf=8, token_width=16, weights={term: 3}, **off)
    assert term not in VTAGAN(ngf=8, token_width=16, weights={term: 0}, **off).weights
