import numpy as np
import pytest

from datamodules.clips.augmentation import Jitter, cut_paste_and_cut_out, relight

REGION = (8, 0, 48, 64)


def window(channels=3, seed=0):
    frames = np.zeros((8, channels, 64, 64), np.uint8)
    frames[..., 8:56, :] = np.random.default_rng(seed).integers(1, 255, (8, channels, 48, 64))
    return frames


def test_relight_by_hand():
    frames = np.array([0, 100, 200, 255], np.uint8)
    assert relight(frames, 1.0, 0.0).tolist() == frames.tolist()
    assert relight(frames, 1.0, 10.0).tolist() == [10, 110, 210, 255]
    assert relight(frames, 0.5, 0.0).tolist() == [64, 114, 164, 191]


def test_jitter_changes_all_frames_alike_and_keeps_bars_black():
    frames = window()
    changed = Jitter(0.1, 0.1)(frames, REGION, np.random.default_rng(3))
    assert not changed[..., :8, :].any()
    assert not changed[..., 56:, :].any()
    inner, before = changed[..., 8:56, :], frames[..., 8:56, :]
    assert (inner != before).mean() > 0.5
    levels = {int(level): set(inner[before == level].tolist()) for level in (20, 128, 230)}
    assert all(len(values) == 1 for values in levels.values())  # one curve for the whole window
    np.testing.assert_array_equal(frames, window())


def test_flip_mirrors_within_the_picture_or_not_at_all():
    frames, region = window(), (8, 4, 48, 30)
    results = [Jitter(0, 0, flip=True)(frames, region, np.random.default_rng(seed)) for seed in range(20)]
    mirrored = frames.copy()
    mirrored[..., 8:56, 4:34] = frames[..., 8:56, 4:34][..., ::-1]
    kinds = [(np.array_equal(r, frames), np.array_equal(r, mirrored)) for r in results]
    assert all(a != b for a, b in kinds)
    assert 3 < sum(a for a, _ in kinds) < 17


@pytest.mark.parametrize("channels", [1, 3])
def test_pseudo_anomaly_is_where_its_mask_is(channels):
    frames = window(channels)
    shares, moved = [], 0
    for seed in range(60):
        changed, mask = cut_paste_and_cut_out(frames, REGION, np.random.default_rng(seed))
        np.testing.assert_array_equal(mask == 1, (changed != frames).any(axis=1))
        assert not mask[:, :8].any()
        assert not mask[:, 56:].any()
        assert mask.any(axis=(1, 2)).all()
        shares.append(mask.mean() * 64 / 48)
        moved += not (mask == mask[0]).mean() > 0.995
    assert min(shares) > 0.02
    assert max(shares) < 0.15 + 6 * 6 / (48 * 64) + 0.01
    assert 15 < moved < 45
    np.testing.assert_array_equal(frames, window(channels))


def test_pasted_patch_comes_from_the_same_frames():
    """Frame t is filled with a level of its own: what is pasted must be that level, changed alike."""
    frames = np.broadcast_to(np.arange(60, 220, 20, dtype=np.uint8)[:, None, None, None], (8, 1, 64, 64))
    for seed in range(10):
        changed, mask = cut_paste_and_cut_out(frames, (0, 0, 64, 64), np.random.default_rng(seed))
        for number in range(8):
            new = set(changed[number][:, mask[number] == 1].reshape(-1).tolist()) - {0}
            assert len(new) <= 1  # 0 is the blank square
            assert all(abs(level - int(frames[number, 0, 0, 0])) <= 0.1 * 255 + 0.1 * 128 for level in new)


def test_smallest_picture_is_no_trouble():
    frames = np.ones((2, 1, 8, 8), np.uint8)
    for seed in range(50):
        cut_paste_and_cut_out(frames, (3, 0, 1, 8), np.random.default_rng(seed))
