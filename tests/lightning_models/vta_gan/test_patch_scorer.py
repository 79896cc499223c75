import numpy as np
import pytest
import torch
from scipy import spatial
from sklearn import covariance

from lightning_models.vta_gan import patch_scorer
from lightning_models.vta_gan.patch_scorer import PatchScorer, picture_mask


def scorer(**options):
    return PatchScorer(["motion", "error"], ["motion", "error"], patch=4, **options)


def fit(judge, windows):
    judge.fit(judge.summarise(windows))


def normal_patches(frames=200, slope=0.5, seed=0):
    """Evidence whose size grows from the first to the last row, as perspective makes it."""
    noise = torch.rand(frames, 2, 8, 6, generator=torch.Generator().manual_seed(seed)) + 0.5
    row = torch.linspace(-1, 1, 8)[None, None, :, None]
    return noise * (1 + slope * row) * torch.tensor([3.0, 0.01])[None, :, None, None]


def normal_windows(**options):
    return normal_patches(**options).unflatten(0, (-1, 2))


def whole(height, width, batch=1):
    return torch.tensor([[0, 0, height, width]]).repeat(batch, 1)


def test_pool_is_the_mean_of_every_patch():
    maps = torch.rand(2, 3, 2, 16, 24)
    pooled = scorer().pool(maps, whole(16, 24, 2))
    expected = maps.numpy().reshape(2, 3, 2, 4, 4, 6, 4).mean((4, 6))
    np.testing.assert_allclose(pooled.numpy(), expected, rtol=1e-5)


def test_letterbox_bars_score_nothing_and_dilute_nothing():
    maps = torch.ones(1, 1, 2, 16, 16)
    maps[..., :6, :] = 1000.0  # the bar
    pooled = scorer().pool(maps, torch.tensor([[6, 0, 10, 16]]))
    assert pooled[..., 0, :].eq(0).all()
    # half of the second row of patches is bar: too little picture remains above one half, or its own mean
    assert pooled[..., 1, :].eq(0).all()
    assert pooled[..., 2:, :].eq(1).all()


def test_picture_mask_is_the_rectangle():
    mask = picture_mask(torch.tensor([[1, 2, 3, 4]]), 6, 8)[0]
    expected = torch.zeros(6, 8)
    expected[1:4, 2:6] = 1
    assert torch.equal(mask, expected)


def test_the_row_scale_is_the_self_weighted_least_squares_line():
    judge = scorer()
    patches = normal_patches()
    fit(judge, patches.unflatten(0, (-1, 2)))
    row = np.broadcast_to(np.linspace(-1, 1, 8)[:, None], (8, 6))
    for kind in range(2):
        x = patches[:, kind].double().numpy()
        r = np.broadcast_to(row, x.shape)
        design = np.stack([np.ones(x.size), r.ravel()], 1) * np.sqrt(x.ravel())[:, None]
        expected = np.linalg.lstsq(design, x.ravel() * np.sqrt(x.ravel()), rcond=None)[0]
        np.testing.assert_allclose(judge.line[kind].numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(("top_k", "width"), [(3, 6), (3, 2), (1, 6), (50, 6)])
def test_a_summary_is_all_that_the_fit_needs(top_k, width):
    """The same digits as from all patches at once, the way it is written in the paper."""
    judge, windows = scorer(top_k=top_k), normal_windows(slope=0.8)[..., :width]
    fit(judge, windows)
    assert sum(tensor.numel() for tensor in judge.summarise(windows)[0]) <= 2 * 2 * 8 + 2 * 2 * 8 * min(top_k, width)
    scale = judge.line[:, :1] + judge.line[:, 1:] * torch.linspace(-1, 1, 8)
    scale = torch.maximum(scale, 0.1 * judge.line[:, :1].abs())
    flat = (windows / scale[:, :, None]).flatten(-2)
    tops = flat.topk(min(top_k, flat.shape[-1]), dim=-1).values.mean(-1).mean(1)
    assert torch.equal(judge.location, tops.mean(0))
    assert torch.equal(judge.location + judge.scale, judge.location + (tops.quantile(0.99, dim=0) - tops.mean(0)))


def test_windows_are_taken_in_parts_without_a_trace(monkeypatch):
    whole, parts = scorer(), scorer()
    fit(whole, normal_windows())
    monkeypatch.setattr(patch_scorer, "AT_ONCE", 7)
    fit(parts, normal_windows())
    assert all(torch.equal(one, parts.state_dict()[name]) for name, one in whole.state_dict().items())


def test_a_part_is_measured_by_what_few_normal_windows_exceed():
    judge = scorer()
    windows = normal_windows()
    fit(judge, windows)
    parts = judge(windows).parts[:, 0]
    np.testing.assert_allclose(parts.mean(0).numpy(), 0, atol=1e-4)
    np.testing.assert_allclose(np.quantile(parts.numpy(), 0.99, axis=0), 1, rtol=1e-3)


def test_the_loudest_part_decides():
    judge = scorer()
    fit(judge, normal_windows())
    scored = judge(normal_windows(frames=6, seed=4))
    assert torch.equal(scored.score, scored.parts.amax(-1))


def tied_windows(count, seed):
    """Windows of one frame in which the error goes with the motion, but for a little."""
    random = torch.Generator().manual_seed(seed)
    common = 1 + torch.rand(count, 1, generator=random)
    levels = torch.cat([common, common * (1 + 0.05 * torch.rand(count, 1, generator=random))], 1)
    return levels[:, None, :, None, None].expand(-1, 1, -1, 8, 6).clone()


def test_the_density_is_the_distance_that_scikit_learn_finds():
    judge = PatchScorer(["motion", "baseline", "error"], ["motion", "error"], patch=4, joint="density")
    random = torch.Generator().manual_seed(0)
    windows = torch.rand(60, 4, 3, 8, 6, generator=random) * torch.tensor([1.0, 9.0, 0.1])[:, None, None]
    windows[:, :, 2] += 0.2 * windows[:, :, 0]
    fit(judge, windows)
    row = torch.linspace(-1, 1, 8)
    scale = judge.line[:, :1] + judge.line[:, 1:] * row
    tops = (windows / scale[:, :, None]).flatten(-2).topk(3, dim=-1).values.mean((1, 3))
    roots = tops[:, [0, 2]].sqrt().double().numpy()
    spread = roots.std(0)
    shrunk = 0.99 * covariance.LedoitWolf().fit(roots / spread).covariance_ + 0.01 * np.eye(2)
    inverse = np.linalg.inv(shrunk * np.outer(spread, spread))
    distance = np.array([spatial.distance.mahalanobis(one, roots.mean(0), inverse) for one in roots])
    expected = (distance - distance.mean()) / (np.quantile(distance, 0.99) - distance.mean())
    scored = judge(windows).score
    np.testing.assert_allclose(scored[:, 0].numpy(), expected, rtol=1e-3, atol=1e-4)
    assert torch.equal(scored, scored[:, :1].expand(-1, 4))


def test_a_combination_counts_that_no_part_shows_alone():
    judge = scorer(joint="density")
    fit(judge, tied_windows(200, 0))
    assert judge(tied_windows(200, 1)).score.quantile(0.9) < 1
    torn = tied_windows(1, 2)
    torn[:, :, 0], torn[:, :, 1] = 1.8, 1.2  # both are as usual, together they never were
    scored = judge(torn)
    assert scored.parts.amax() < 1
    assert scored.score.item() > 2


def test_two_windows_are_enough_for_a_density():
    judge = scorer(joint="density")
    fit(judge, tied_windows(2, 0))
    assert torch.isfinite(judge(tied_windows(9, 1)).score).all()


@pytest.mark.parametrize("joint", ["density", "largest"])
def test_a_scorer_without_its_baseline_scores_the_same(joint):
    judge = PatchScorer(["baseline", "motion", "error"], ["error", "motion"], patch=4, joint=joint)
    windows = torch.cat([normal_windows()[:, :, :1] * 7, normal_windows(seed=3)], 2)
    fit(judge, windows)
    fewer = judge.without("baseline")
    assert fewer.joint == joint
    assert torch.equal(fewer(windows[:, :, 1:]).score, judge(windows).score)


def test_perspective_lets_a_far_anomaly_count_as_much_as_a_near_one():
    judge = scorer()
    fit(judge, normal_windows(slope=0.8))
    scores = []
    for place, scale in ((0, 0.2), (7, 1.8)):
        frame = normal_patches(frames=1, slope=0.8, seed=5)[:, None]
        frame[0, 0, 0, place, 1:4] = 3.0 * scale * 4  # four times what is usual in that row
        scores.append(judge(frame).score.item())
    assert min(scores) > 3 * judge(normal_patches(frames=1, slope=0.8, seed=5)[:, None]).score.item()
    assert scores[0] == pytest.approx(scores[1], rel=0.25)


def test_units_of_the_evidence_do_not_matter():
    patches, anomaly = normal_windows(), normal_patches(frames=8, seed=3)[None] * 1.3
    scores = []
    for factor in (1.0, 1e4):
        judge = scorer()
        unit = torch.tensor([factor, 1.0])[:, None, None]
        fit(judge, patches * unit)
        scores.append(judge(anomaly * unit).score)
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-3, atol=1e-3)


def test_the_mean_over_a_window_smooths():
    judge = scorer()
    fit(judge, normal_windows())
    window = normal_patches(frames=8, seed=2)[None]
    alone = torch.cat([judge(window[:, t : t + 1]).parts for t in range(8)], 1)
    torch.testing.assert_close(judge(window).parts, alone.mean(1, keepdim=True).expand_as(alone))


def test_only_combined_kinds_make_up_the_score():
    judge = PatchScorer(["motion", "error"], ["error"], patch=4)
    fit(judge, normal_windows())
    frame = normal_patches(frames=1)[:, None]
    loud = frame.clone()
    loud[:, :, 0] *= 100
    before, after = judge(frame), judge(loud)
    assert torch.equal(before.score, after.score)
    assert torch.equal(before.heat, after.heat)
    assert (after.parts[..., 0] > before.parts[..., 0]).all()


def test_the_calibration_travels_in_the_state():
    judge, other = scorer(), scorer()
    fit(judge, normal_windows())
    other.load_state_dict(judge.state_dict())
    window = normal_patches(frames=4, seed=9)[None]
    assert torch.equal(judge(window).score, other(window).score)


def test_a_dead_row_does_not_turn_noise_into_an_anomaly():
    """Nothing ever moves in the upper half; the least noise there must not outvote a real event below."""
    normal = normal_patches(slope=0)
    normal[:, :, :4] *= 1e-3
    judge = scorer()
    fit(judge, normal.unflatten(0, (-1, 2)))
    noise, event = normal[:1, None].clone(), normal[:1, None].clone()
    noise[..., 0, :3] *= 3
    event[..., 7, :3] *= 3
    assert judge(event).score > 2 * judge(noise).score


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_evidence_that_is_not_finite_is_refused(broken):
    patches = normal_windows()
    patches[3, 0, 1, 2, 2] = broken
    with pytest.raises(ValueError, match="not finite"):
        fit(scorer(), patches)


def test_too_little_normal_data_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        fit(scorer(), normal_windows(frames=2))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="smell"):
        PatchScorer(["motion"], ["smell"])
