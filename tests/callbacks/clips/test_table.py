import cv2
import numpy as np
import pytest

from callbacks.clips.table import FrameTable


def table_of(batches):
    table = FrameTable()
    for batch in batches:
        table.add(batch)
    return table.gather().series()


def same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.video == other.video
        for name in ("frame", "score", "label"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.alternatives.keys() == other.alternatives.keys()
        for name in one.alternatives:
            np.testing.assert_array_equal(one.alternatives[name], other.alternatives[name])
        np.testing.assert_array_equal(one.places.row, other.places.row)
        np.testing.assert_array_equal(one.places.heat, other.places.heat)
        np.testing.assert_array_equal(one.places.mask, other.places.mask)


def split(windows, parts, make_scores):
    return [make_scores([windows[row] for row in part], masks=True) for part in parts]


def test_averages_overlapping_windows(windows, make_scores):
    series = table_of([make_scores(windows)])
    assert [one.video for one in series] == ["clip0", "clip1", "clip2"]
    for one in series:
        for row, frame in enumerate(one.frame):
            hits = [
                np.float32(score)
                for _, video, frames, scores, _ in windows
                for number, score in zip(frames, scores, strict=True)
                if video == one.video and number == frame
            ]
            assert one.score[row] == pytest.approx(np.mean(hits, dtype=np.float64), abs=1e-12)
            assert one.alternatives["baseline"][row] == pytest.approx(np.mean(np.square(hits)), abs=1e-6)
    assert [len(one.frame) for one in series] == [9, 6, 11]
    assert series[0].places is None


def test_any_split_order_and_repetition_gives_the_same_bits(windows, make_scores):
    rng = np.random.default_rng(0)
    whole = table_of(split(windows, [range(len(windows))], make_scores))
    for _ in range(20):
        order = rng.permutation(len(windows))
        repeated = np.append(order, order[: rng.integers(0, 4)])
        cuts = np.sort(rng.choice(np.arange(1, len(repeated)), size=rng.integers(1, 6), replace=False))
        same(table_of(split(windows, np.split(repeated, cuts), make_scores)), whole)


def test_heat_is_averaged_and_upsampled_within_the_picture(windows, make_scores):
    series = table_of(split(windows, [range(len(windows))], make_scores))
    one, frame = series[0], 2
    hits = []
    for window in windows:
        if window[1] == one.video and frame in window[2]:
            hits.append(make_scores([window], masks=True).heat[0, window[2].index(frame)].double().numpy())
    assert len(hits) == 3
    heat, mask = list(one.places)[frame]
    reference = cv2.resize(np.mean(hits, axis=0), (16, 12), interpolation=cv2.INTER_LINEAR)[2:10]
    np.testing.assert_allclose(heat, reference, atol=1e-6)
    assert mask.shape == (8, 16)
    assert not mask.any()
    expected = np.zeros((12, 16), bool)
    expected[4:7, 2:9] = True
    np.testing.assert_array_equal(list(one.places)[-1][1], expected[2:10])


def test_only_some_batches_have_masks(windows, make_scores):
    batches = [make_scores([window], masks=window[1] != "clip1") for window in windows]
    places = [one.places for one in table_of(batches)]
    assert places[1] is None
    assert len(places[0].row) == 9


def test_windows_of_different_length_and_an_empty_table(make_scores):
    series = table_of(
        [
            make_scores([(0, "a", [0, 1, 2], [1.0, 2.0, 3.0], [0, 0, 1])]),
            make_scores([(1, "a", [2, 3], [5.0, 7.0], [1, 1])]),
        ]
    )
    np.testing.assert_array_equal(series[0].score, [1, 2, 4, 7])
    assert table_of([]) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_names_the_frame_of_a_score_that_is_no_number(make_scores, bad):
    with pytest.raises(ValueError, match=r"video 'b', frame 7: 'score' is -?(nan|inf)"):
        table_of([make_scores([(0, "a", [0], [1.0], [0]), (1, "b", [7], [bad], [0])])])


def test_refuses_contradictions(make_scores):
    with pytest.raises(ValueError, match="video 'a', frame 1, is labelled both 0 and 1"):
        table_of([make_scores([(0, "a", [0, 1], [1.0, 1.0], [0, 0]), (1, "a", [1, 2], [1.0, 1.0], [1, 1])])])
    other = make_scores([(1, "a", [1], [1.0], [0])])
    other.alternatives = {}
    with pytest.raises(ValueError, match="name different scores"):
        table_of([make_scores([(0, "a", [0], [1.0], [0])]), other])
