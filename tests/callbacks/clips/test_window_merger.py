import numpy as np
import pytest

from callbacks.clips.window_merger import WindowMerger


def windows_of(frames, length, stride, step=1):
    reach = (length - 1) * step + 1
    starts = sorted({*range(0, frames - reach + 1, stride), *range(frames - reach - step + 1, frames - reach + 1)})
    return [start + step * np.arange(length) for start in starts if start >= 0]


def merge(windows, rng):
    merger, scores, merged, most = WindowMerger("clip"), [], [], 0
    for frame in windows:
        score, heat = rng.normal(size=len(frame)), rng.random((len(frame), 2, 3), dtype=np.float32)
        scores.append((frame, score, heat))
        merged += merger.add(frame, score, heat)
        most = max(most, len(merger))
    return [*merged, *merger.rest()], scores, most


@pytest.mark.parametrize(("length", "stride", "step"), [(4, 1, 1), (4, 3, 1), (4, 4, 1), (3, 1, 2), (1, 1, 1)])
def test_means_in_order_whatever_the_stride(length, stride, step):
    merged, scores, _ = merge(windows_of(23, length, stride, step), np.random.default_rng(0))
    assert [one.frame for one in merged] == list(range(23))
    for one in merged:
        hits = [(s[f == one.frame][0], h[f == one.frame][0]) for f, s, h in scores if one.frame in f]
        assert one.score == pytest.approx(np.mean([score for score, _ in hits]), abs=1e-12)
        np.testing.assert_allclose(one.heat, np.mean([heat for _, heat in hits], axis=0), atol=1e-6)


@pytest.mark.parametrize("frames", [50, 20_000])
def test_holds_no_more_than_a_window_however_long_the_video(frames):
    _, _, most = merge(windows_of(frames, 8, 1), np.random.default_rng(0))
    assert most == 8


def test_yields_a_frame_as_soon_as_no_window_can_change_it():
    merger = WindowMerger("clip")
    window = (np.zeros(3), np.zeros((3, 1, 1), np.float32))
    assert list(merger.add(np.array([0, 1, 2]), *window)) == []
    assert [one.frame for one in merger.add(np.array([2, 3, 4]), *window)] == [0, 1]


def test_refuses_disorder_gaps_and_scores_that_are_no_numbers():
    window = (np.zeros(2), np.zeros((2, 1, 1), np.float32))
    merger = WindowMerger("clip")
    list(merger.add(np.array([3, 4]), *window))
    with pytest.raises(RuntimeError, match="'clip' are out of order: 2 after 3"):
        list(merger.add(np.array([2, 3]), *window))
    with pytest.raises(RuntimeError, match="no window holds frame 0 of 'clip'"):
        list(merger.rest())
    with pytest.raises(ValueError, match="video 'clip', frame 6, is nan"):
        list(merger.add(np.array([5, 6]), np.array([0, np.nan]), window[1]))
