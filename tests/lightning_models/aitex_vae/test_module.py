"""AitexVAE as a whole: what it trains, what its scores depend on, what travels in its checkpoint."""

import math
import re
import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.trainer.states import TrainerState

from datamodules.batches import PartBatch, TileBatch
from datamodules.errors import InputError
from lightning_models import AitexVAE
from lightning_models.aitex_vae.tile_scorer import IN_SCORE, KINDS
from lightning_models.training.schedules import WarmUp
from lightning_models.variational import kl_divergence

SMALL = {"tile_size": 32, "width": 4, "latent_dim": 6, "dropout": 0.0}


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3)


def model(**changes):
    torch.manual_seed(0)
    return AitexVAE(optimizer=adam, **{**SMALL, **changes})


@pytest.fixture(autouse=True)
def trainer(monkeypatch):
    trainer = SimpleNamespace(
        world_size=1,
        num_training_batches=100,
        strategy=None,
        sanity_checking=False,
        ckpt_path=None,
        state=TrainerState(),
    )
    monkeypatch.setattr(AitexVAE, "trainer", trainer)
    return trainer


def cloth(height=64, width=160, seed=0, channels=1):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    weave = 100 + 20 * torch.sin(x + 0.1 * seed) * torch.sin(0.8 * y)
    noise = 4 * torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed))
    return (weave + noise).clamp(0, 255).byte()


def part(seed=0, label=0, group="a", start=32, spot=False, **changes):
    image = cloth(seed=seed, **changes)
    mask = torch.zeros(image.shape[1:], dtype=torch.uint8)
    if spot:
        mask[40:48, 100:110] = 1
        image[:, 40:48, 100:110] += 60
    image[:, :, :start] = 255
    return PartBatch(image, f"{group}{seed}", group, "019" if spot else "good", label, start, seed, mask)


def calibrated(groups=("a", "b"), **changes):
    system = model(**changes).eval()
    with torch.no_grad():
        system.on_validation_start()
        for number, group in enumerate(groups):
            for seed in range(3):
                batch = part(seed, group=group)
                batch.index = 3 * number + seed
                assert system.validation_step(batch, 0, 0) is None
        for seed in (3, 4):
            system.validation_step(part(seed), 0, 1)
            system.validation_step(part(seed, 1, spot=True), 0, 1)
        system.on_validation_epoch_end()
    return system


def score(system, batch):
    with torch.no_grad():
        return system.test_step(batch, 0)


def tile_batch(count=4, edge=32, channels=1):
    return TileBatch(
        torch.stack([cloth(edge, edge, seed, channels) for seed in range(count)]), ["a"] * count, torch.arange(count)
    )


# --- training ---


def test_the_default_loss_is_the_negative_evidence_lower_bound():
    system = model()
    torch.manual_seed(1)
    target, reconstruction = system.prepare(tile_batch())
    terms = system.vae_loss((target, reconstruction))
    assert set(terms) == {"bce", "kl"} == set(filter(system.weights.count, system.weights))
    expected = F.binary_cross_entropy(reconstruction.reconstructed, target, reduction="sum") / 4
    torch.testing.assert_close(terms["bce"], expected)
    torch.testing.assert_close(terms["kl"], kl_divergence(reconstruction.posterior).mean())


def test_losses_are_mixed_by_their_weights():
    losses = {"mse": 0.5, "ssim": 2.0, "spectral": 0.1, "log_spectral": 0.2}
    system = model(output="linear", weights={"bce": 0.0, **losses})
    terms = system.vae_loss(system.prepare(tile_batch()))
    assert system.weights == {"bce": 0.0, **losses, "kl": 1.0}
    assert set(terms) == set(system.weights) - {"bce"}
    assert all(torch.isfinite(term) and term > 0 for term in terms.values())


def test_the_divergences_weight_follows_its_schedule():
    system = model(weights={"kl": WarmUp(2.0, 4)})
    seen = []
    for batches in (0, 100, 250, 1000):
        system.batches_seen = batches
        system.weights.follow(system.epochs_seen)
        seen.append(system.weights["kl"])
    assert seen == [0.0, 0.5, 1.25, 2.0]


def test_training_lowers_the_loss():
    system = model(output="linear", weights={"bce": 0.0, "mse": 1.0, "kl": 0.01})
    optimizer = torch.optim.Adam(system.parameters(), 3e-3)
    totals = []
    for _ in range(40):
        terms = system.vae_loss(system.prepare(tile_batch()))
        totals.append(terms["mse"] + 0.01 * terms["kl"])
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[-1] < 0.5 * totals[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "linear"}, "set model.output to sigmoid"),
        ({"data_range": "symmetric"}, "set it to unit"),
        ({"output": "tanh", "weights": {"bce": 0.0, "mse": 1.0}}, "set it to symmetric"),
        ({"weights": {"spectral": 1.0}}, "set model.output to linear"),
        ({"weights": {"mae": 1.0}}, "Did you mean 'mse'"),
        ({"weights": {"mse": -1.0}}, "give a finite number"),
        ({"weights": {"mse": math.nan}}, "give a finite number"),
        ({"weights": {"bce": 0.0}}, "a weight above 0"),
        ({"free_bits": -1.0}, "free_bits is -1.0"),
        ({"free_bits": math.nan}, "free_bits is nan"),
        ({"latent_dim": 0}, "latent_dim 0"),
        ({"width": 0}, "width is 0"),
        ({"channels": 2}, "channels is 2"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"evidence": []}, "name some of"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"posterior": "full", "free_bits": 0.1}, r"without model\.posterior diagonal: .* model\.free_bits to 0"),
        ({"evidence": ["smell"]}, "smell"),
        ({"quantile": 1.0}, "quantile is 1.0"),
        ({"top_k": 0}, "top_k 0"),
    ],
)
def test_what_does_not_go_together_is_refused_at_construction(arguments, message):
    with pytest.raises(InputError, match=message):
        model(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"weights": {"bce": 0.0, "mse": 1.0, "ssim": 0.1}},
        {"output": "tanh", "data_range": "symmetric", "weights": {"bce": 0.0, "mse": 1.0}},
        {"output": "linear", "data_range": "symmetric", "weights": {"bce": 0.0, "log_spectral": 1.0}},
    ],
)
def test_what_goes_together_trains(arguments):
    system = model(**arguments)
    sum(system.vae_loss(system.prepare(tile_batch())).values()).backward()
    assert all(weight.grad is not None for weight in system.parameters())


@pytest.mark.parametrize(("edge", "channels"), [(48, 1), (32, 3)])
def test_tiles_of_another_shape_are_refused(edge, channels):
    with pytest.raises(InputError, match=r"model\.channels and model\.tile_size"):
        model().prepare(tile_batch(2, edge, channels))


# --- scores ---


def test_a_spot_is_found_and_its_neighbours_are_not():
    scores = score(calibrated(), part(9, 1, spot=True))
    assert scores.tile.tolist() == [[top, left, 32, 32] for top in (0, 32) for left in (32, 64, 96, 128)]
    assert scores.tile_label.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    assert scores.tile_score.argmax() == 6
    assert scores.score == scores.tile_score.max()
    row, column = divmod(int(scores.heat.nan_to_num(-99).argmax()), 160)
    assert 36 <= row < 52
    assert 96 <= column < 114


def test_the_machine_is_not_scored():
    scores = score(calibrated(), part(9))
    assert scores.heat.shape == (64, 160)
    assert scores.heat[:, :32].isnan().all()
    assert scores.heat[:, 32:].isfinite().all()
    other = part(9)
    other.image[:, :, :32] = 77
    assert torch.equal(score(calibrated(), other).tile_score, scores.tile_score)


def test_scores_are_the_same_every_time_and_need_no_drawing():
    system = calibrated()
    torch.manual_seed(1)
    first = score(system, part(5)).tile_score
    torch.manual_seed(2)
    assert torch.equal(first, score(system, part(5)).tile_score)


def test_the_baselines_are_exact_in_mixed_precision():
    system = calibrated()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = score(system, part(9))
    assert mixed.heat.dtype == mixed.tile_score.dtype == torch.float32
    for name in ("baseline_blur", "baseline_mahalanobis", "texture"):
        torch.testing.assert_close(mixed.alternatives[name], score(system, part(9)).alternatives[name])


def test_thresholds_are_quantiles_of_held_out_normal_tiles():
    system = calibrated(quantile=0.9)
    normal = [score(system, part(seed)) for seed in (3, 4)]
    expected = torch.cat([one.tile_score for one in normal]).quantile(0.9)
    torch.testing.assert_close(system.threshold, expected)
    peaks = [
        one.heat[top : top + 32, left : left + 32].max() for one in normal for top, left, _, _ in one.tile.tolist()
    ]
    torch.testing.assert_close(system.pixel_threshold, torch.stack(peaks).quantile(0.9))


def test_normal_tiles_lie_at_zero_in_every_channel():
    system = calibrated()
    with torch.no_grad():
        tops = torch.cat([system.scorer.tops(system.evidence(part(seed))) for seed in range(3)])
    scaled = torch.stack([system.scorer.scale(row, "a") for row in tops])
    torch.testing.assert_close(scaled.mean(0), torch.zeros(scaled.shape[1]), atol=1e-3, rtol=0)
    assert scaled.std(0)[:-1].sub(1).abs().max() < 1e-2  # the last, kl, varies too little here for its scale


def test_a_single_group_may_be_called_otherwise():
    system = calibrated(["a"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        renamed = score(system, part(9, group="renamed"))
    torch.testing.assert_close(renamed.heat, score(system, part(9, group="a")).heat, equal_nan=True)
    assert renamed.alternatives["baseline_mahalanobis"].equal(
        score(system, part(9, group="a")).alternatives["baseline_mahalanobis"]
    )


def test_an_unknown_group_is_judged_by_all_together_and_said_so():
    system = calibrated()
    with pytest.warns(UserWarning, match="'new'"):
        scores = score(system, part(9, group="new"))
    assert scores.tile_score.isfinite().all()


def test_every_kind_of_evidence_and_both_baselines_are_reported():
    scores = score(calibrated(), part(9))
    assert set(scores.alternatives) == {*KINDS, "baseline_blur", "baseline_mahalanobis"}
    assert all(values.shape == scores.tile_score.shape for values in scores.alternatives.values())
    loudest = torch.stack([scores.alternatives[kind] for kind in IN_SCORE]).amax(0)
    torch.testing.assert_close(scores.tile_score, loudest)


def test_chosen_evidence_alone_makes_up_the_score():
    scores = score(calibrated(evidence=["energy"]), part(9))
    assert torch.equal(scores.tile_score, scores.alternatives["energy"])


@pytest.mark.parametrize("evidence", [None, ["kl", "features"]])
def test_a_prediction_leaves_out_what_only_an_evaluation_reports(evidence):
    system, batch = calibrated(evidence=evidence), part(9, 1, spot=True)
    with torch.no_grad():
        evaluated, predicted = system.test_step(batch, 0), system.predict_step(batch, 0)
    torch.testing.assert_close(predicted.tile_score, evaluated.tile_score, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(predicted.heat, evaluated.heat, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert not predicted.alternatives


def test_the_divergence_can_be_part_of_the_score():
    chosen = calibrated(evidence=["energy", "kl"])
    scores = score(chosen, part(9))
    by_kind = torch.stack([scores.alternatives["energy"], scores.alternatives["kl"]])
    assert torch.equal(scores.tile_score, by_kind.amax(0))
    assert (scores.alternatives["kl"] > scores.alternatives["energy"]).any()


def test_parts_before_a_background_are_told():
    y, x = torch.meshgrid(torch.arange(64), torch.arange(160), indexing="ij")
    round_parts = [part(seed, start=0) for seed in range(4)]
    for number, batch in enumerate(round_parts):
        batch.index = number
        batch.image[:, (y - 32) ** 2 + (x - 80) ** 2 > 24**2] = 230
        batch.image += (2 * torch.rand(batch.image.shape, generator=torch.Generator().manual_seed(number))).byte()
    system = model().eval()
    with torch.no_grad():
        system.on_validation_start()
        for batch in round_parts:
            system.validation_step(batch, 0, 0)
        with pytest.warns(UserWarning, match=r"group 'a': \d+% of the area .* before a background"):
            system.validation_step(round_parts[0], 0, 1)


def test_the_baselines_do_not_depend_on_the_network():
    first, second = calibrated(), calibrated(latent_dim=3)
    for name in ("baseline_blur", "baseline_mahalanobis"):
        one, two = (score(system, part(9)).alternatives[name] for system in (first, second))
        torch.testing.assert_close(one, two)


def test_top_k_is_the_mean_of_the_largest_cells():
    system = calibrated(top_k=5)
    maps = torch.rand(2, 16, 32)
    tops = system.scorer.tops(maps)
    assert tops.shape == (8, 2)
    expected = maps[1, 8:, 16:24].flatten().sort(descending=True).values[:5].mean()
    torch.testing.assert_close(tops[6, 1], expected)


@pytest.mark.parametrize("size", [(64, 150), (50, 131), (20, 60)])
def test_pictures_of_any_size(size):
    scores = score(calibrated(), part(9, height=size[0], width=size[1]))
    assert scores.heat.shape == size
    assert scores.tile[:, 2:].prod(1).sum() == size[0] * (size[1] - 32)
    assert scores.tile_score.shape == (len(scores.tile),)
    assert scores.heat[:, 32:].isfinite().all()


def test_a_map_scores_pictures_and_travels(monkeypatch):
    """Of a size that no tile divides, so that some tiles are encoded alone."""
    system, batch = calibrated(latent="map"), part(9, 1, spot=True, height=64, width=150)
    scores = score(system, batch)
    assert scores.tile_score.argmax() == 6
    again = loaded(checkpoint_of(system, monkeypatch), latent="map")
    torch.testing.assert_close(score(again, batch).heat, scores.heat, equal_nan=True)


def test_colour():
    system = model(channels=3).eval()
    with torch.no_grad():
        system.on_validation_start()
        for seed in range(3):
            system.validation_step(part(seed, channels=3), 0, 0)
        system.validation_step(part(3, channels=3), 0, 1)
        system.on_validation_epoch_end()
    assert score(system, part(4, channels=3)).tile_score.isfinite().all()
    with pytest.raises(InputError, match=r"set model\.channels"):
        score(system, part(4))


def test_labels_are_unknown_where_nobody_says():
    batch = part(9, label=-1)
    batch.mask = None
    assert score(calibrated(), batch).tile_label.eq(-1).all()
    batch.label = 0
    assert score(calibrated(), batch).tile_label.eq(0).all()


def test_a_model_without_calibration_does_not_judge():
    with pytest.raises(InputError, match="never validated, which gives its scores their scale"):
        model().on_test_start()
    calibrated().on_predict_start()


def test_a_picture_that_comes_twice_counts_once(monkeypatch):
    once, twice = calibrated(("a",)), model().eval()
    with torch.no_grad():
        twice.on_validation_start()
        for seed in (2, 0, 1, 0, 0):
            twice.validation_step(part(seed), 0, 0)
        for seed in (4, 3, 4):
            twice.validation_step(part(seed), 0, 1)
        twice.on_validation_epoch_end()
    assert torch.equal(twice.scorer.scale.location, once.scorer.scale.location)
    assert torch.equal(twice.threshold, once.threshold)


def test_the_sanity_check_calibrates_nothing(trainer):
    trainer.sanity_checking = True
    system = calibrated()
    assert system.threshold.isnan()
    assert system.calibrated_at is None
    trainer.sanity_checking = False
    assert calibrated().calibrated_at == 0


def test_too_few_normal_tiles_are_told():
    system = model(tile_size=256).eval()
    with torch.no_grad():
        system.validation_step(part(0), 0, 0)
        with pytest.raises(InputError, match=r"two normal tiles of group .* not 1: .*fast_dev_run"):
            system.validation_step(part(3), 0, 1)


def test_visuals_are_pictures():
    shown = calibrated().visuals(part(9, 1, spot=True))
    channels = {"input": 3, "reconstruction": 3, "heat": 1}  # a single one would be shown in the colours of heat
    assert {name: picture.shape for name, picture in shown.items()} == {
        name: (1, count, 64, 128) for name, count in channels.items()
    }
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in shown.values())
    expected = part(9, 1, spot=True).image[:, :, 32:] / 255
    torch.testing.assert_close(shown["input"][0], expected.expand(3, -1, -1))


@pytest.mark.parametrize("data_range", ["unit", "symmetric"])
def test_grey_levels_make_the_round_trip(data_range):
    system = model(output="linear", data_range=data_range, weights={"bce": 0.0, "mse": 1.0})
    levels = torch.arange(256, dtype=torch.uint8)
    seen = system.from_pixels(levels)
    assert (seen.min(), seen.max()) == ((0, 1) if data_range == "unit" else (-1, 1))
    assert torch.equal((system._to_unit_range(seen) * 255).round().byte(), levels)


def test_texture_does_not_depend_on_the_range():
    found = {}
    for data_range in ("unit", "symmetric"):
        system = calibrated(output="linear", data_range=data_range, weights={"bce": 0.0, "mse": 1.0})
        found[data_range] = score(system, part(9, 1, spot=True)).alternatives["texture"]
    torch.testing.assert_close(found["symmetric"], found["unit"], rtol=1e-3, atol=1e-3)


# --- the checkpoint ---


def test_scale_groups_and_thresholds_travel_in_the_checkpoint(monkeypatch):
    fitted, fresh = calibrated(("a", "b")), model().eval()
    checkpoint = checkpoint_of(fitted, monkeypatch)
    fresh.on_load_checkpoint(checkpoint)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert fresh.scorer.scale.groups[1:] == ["a", "b"]
    assert math.isclose(fresh.threshold, fitted.threshold)
    for group in ("a", "b"):
        torch.testing.assert_close(
            score(fresh, part(9, group=group)).heat, score(fitted, part(9, group=group)).heat, equal_nan=True
        )


def test_a_checkpoint_with_the_former_names_of_the_buffers_is_taken(monkeypatch):
    fitted, fresh = calibrated(("a", "b")), model().eval()
    checkpoint = checkpoint_of(fitted, monkeypatch)
    former = {"threshold": "tile_threshold"}
    former |= {
        name: name.removeprefix("scorer.").replace("baseline.", "reference.")
        for name in checkpoint["state_dict"]
        if name.startswith("scorer.")
    }
    assert len(former) == 5
    checkpoint["state_dict"] = {former.get(name, name): value for name, value in checkpoint["state_dict"].items()}
    fresh.on_load_checkpoint(checkpoint)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(score(fresh, part(9)).tile_score, score(fitted, part(9)).tile_score)
    assert torch.equal(fresh.threshold, fitted.threshold)


CHANNELS = sum(KINDS.values())


def older(checkpoint, newest):
    """The checkpoint as it was before there were the newest kinds of evidence, whose channels are the last."""
    kept = CHANNELS - sum(KINDS[kind] for kind in newest)
    for name in ("scorer.scale.location", "scorer.scale.scale"):
        checkpoint["state_dict"][name] = checkpoint["state_dict"][name][:, :kept].clone()
    return checkpoint


def loaded(checkpoint, **changes):
    system = model(**changes).eval()
    system.on_load_checkpoint(checkpoint)
    system.load_state_dict(checkpoint["state_dict"])
    return system


@pytest.mark.parametrize(
    ("newest", "evidence"),
    [
        (["lines", "shade"], None),
        (["lines", "shade"], [*IN_SCORE, "lines"]),
        (["shade"], None),
        (["shade"], [*IN_SCORE, "shade"]),
    ],
)
@pytest.mark.filterwarnings("ignore:the checkpoint's scale")
def test_a_checkpoint_from_before_there_was_some_evidence_scores_as_it_did(monkeypatch, newest, evidence):
    fitted, batch = calibrated(), part(9)
    expected = score(fitted, batch)
    told = pytest.warns(UserWarning, match="before there was any: its score is without")
    with told if evidence else nullcontext():
        once = loaded(older(checkpoint_of(fitted, monkeypatch), newest), evidence=evidence)
        again = loaded(checkpoint_of(once, monkeypatch), evidence=evidence)  # kept before the next validation
    for system in (once, again):
        torch.testing.assert_close(score(system, batch).tile_score, expected.tile_score)
        assert set(score(system, batch).alternatives) == set(expected.alternatives) - set(newest)
        with torch.no_grad():
            torch.testing.assert_close(system.predict_step(batch, 0).tile_score, expected.tile_score)
            rows = [system.scorer.calibration_row(part(seed), system.evidence(part(seed))) for seed in range(2)]
        system.scorer.fit(rows)
        assert all(score(system, batch).alternatives[kind].isfinite().all() for kind in newest)


SYMMETRIC = {"output": "tanh", "data_range": "symmetric", "weights": {"bce": 0.0, "mse": 1.0}}


def before_one_range(checkpoint):
    """The checkpoint as it was when evidence was computed in the network's own range."""
    del checkpoint["evidence_range"]
    return checkpoint


def test_a_calibration_by_evidence_in_another_range_is_forgotten(monkeypatch):
    fitted = calibrated(**SYMMETRIC)
    assert score(loaded(checkpoint_of(fitted, monkeypatch), **SYMMETRIC), part(9)).score == score(fitted, part(9)).score
    with pytest.warns(UserWarning, match=r"symmetric.* are forgotten.* up to its next validation"):
        system = loaded(before_one_range(checkpoint_of(fitted, monkeypatch)), **SYMMETRIC)
    with pytest.raises(InputError, match="never validated"):
        system.on_test_start()
    with torch.no_grad():  # the next validation
        for number in range(6):
            batch = part(number % 3, group="ab"[number // 3])
            batch.index = number
            system.validation_step(batch, 0, 0)
        for seed in (3, 4):
            system.validation_step(part(seed), 0, 1)
        system.on_validation_epoch_end()
    system.on_test_start()
    assert score(system, part(9)).score == score(fitted, part(9)).score


def test_a_calibration_in_the_same_range_is_kept(monkeypatch):
    fitted = calibrated()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        system = loaded(before_one_range(checkpoint_of(fitted, monkeypatch)))
        never = before_one_range(checkpoint_of(model(**SYMMETRIC), monkeypatch))
        assert loaded(never, **SYMMETRIC).threshold.isnan()
    expected, found = score(fitted, part(9)), score(system, part(9))
    assert torch.equal(found.tile_score, expected.tile_score)
    assert torch.equal(system.threshold, fitted.threshold)


def test_lines_alone_cannot_be_judged_by_an_older_checkpoint(monkeypatch):
    checkpoint = older(checkpoint_of(calibrated(evidence=["lines"]), monkeypatch), ["lines", "shade"])
    with pytest.raises(InputError, match="before there was any: leave"):
        model(evidence=["lines"]).on_load_checkpoint(checkpoint)


def checkpoint_of(system, monkeypatch):
    monkeypatch.setattr("lightning_models.training.saved_training.check_finite", lambda *_: None)
    checkpoint = {"state_dict": system.state_dict(), "hyper_parameters": dict(system.hparams)}
    system.on_save_checkpoint(checkpoint)
    return checkpoint


@pytest.mark.parametrize(
    ("trained", "changed"),
    [({"output": "tanh", "data_range": "symmetric"}, "output"), ({"output": "linear"}, "data_range")],
)
def test_weights_that_draw_something_else_are_refused(monkeypatch, trained, changed):
    checkpoint = checkpoint_of(model(weights={"bce": 0.0, "mse": 1.0}, **trained), monkeypatch)
    with pytest.raises(InputError, match=f"model.{changed} is"):
        model(output="linear", data_range="symmetric", weights={"bce": 0.0, "mse": 1.0}).on_load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "changed", [{"overlap": 0.0}, {"top_k": 9}, {"evidence": ["energy"]}, {"quantile": 0.9}], ids=str
)
def test_a_scale_of_other_scores_is_told(monkeypatch, changed):
    checkpoint = checkpoint_of(model(), monkeypatch)
    ((name, value),) = changed.items()
    with pytest.warns(UserWarning, match=re.escape(f"model.{name} is {value} here and was")):
        model(**changed).on_load_checkpoint(checkpoint)
