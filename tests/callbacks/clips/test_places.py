"""Heat maps beside masks: of an even sample of frames where not all fit, and the same one for any split of the work."""

import threading

import numpy as np
import pytest
from sklearn import metrics

from callbacks.clips import evaluation, places, table
from callbacks.clips.evaluation import evaluate
from callbacks.clips.places import ARRAY_BYTES, PlaceTable
from callbacks.clips.table import FrameTable

SEEN = 3 * 4 * 4 + 12 * 16 // 8 + ARRAY_BYTES  # bytes of a frame in a window: heat 3 x 4, mask 12 x 16


def table_of(batches, windows):
    collected = FrameTable(PlaceTable(windows * SEEN))
    for batch in batches:
        collected.add(batch)
    return collected


def shown(series):
    return {one.video: one.places.row.tolist() for one in series if one.places is not None}


def on_processes(tables, monkeypatch):
    """The series that every process gets, each in a thread of its own."""
    meeting, offered, results = threading.Barrier(len(tables)), [None] * len(tables), [None] * len(tables)

    def exchange(own):
        offered[int(threading.current_thread().name)] = own
        meeting.wait(10)
        found = list(offered)
        meeting.wait(10)
        return found

    for module in (places, table):
        monkeypatch.setattr(module, "gather_objects", exchange)

    def work(rank):
        results[rank] = tables[rank].gather().series()

    threads = [threading.Thread(target=work, args=(rank,), name=str(rank)) for rank in range(len(tables))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    monkeypatch.undo()
    return results


def test_scores_are_of_all_frames_and_places_of_a_sample(make_windows, make_scores):
    windows = make_windows((30, 12, 25))
    whole = table_of([make_scores(windows, masks=True)], 10_000).gather().series()
    part = table_of([make_scores(windows, masks=True)], 100).gather().series()
    assert sum(map(len, shown(whole).values())) == 67
    kept = sum(map(len, shown(part).values()))
    assert 100 / 4 <= kept <= 40  # a frame is in up to four windows
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one.score, other.score)
        assert one.masked == other.masked == len(one.frame)
        for row, heat, mask in zip(other.places.row, other.places.heat, other.places.mask, strict=True):
            at = one.places.row.tolist().index(row)
            np.testing.assert_array_equal(heat, one.places.heat[at])
            np.testing.assert_array_equal(mask, one.places.mask[at])


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("room", [100, 10_000])
def test_the_sample_is_the_same_for_any_number_of_processes(processes, room, make_windows, make_scores, monkeypatch):
    windows = make_windows((30, 12, 25))
    expected = table_of([make_scores(windows, masks=True)], room).gather().series()
    order = np.random.default_rng(processes).permutation(len(windows))
    order = np.append(order, order[:processes])  # a sampler repeats some
    batches = [[make_scores([windows[row]], masks=True) for row in order[rank::processes]] for rank in range(processes)]
    if processes == 1:
        batches[0] = batches[0][:-1]
    for found in on_processes([table_of(own, room) for own in batches], monkeypatch):
        assert shown(found) == shown(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.score, other.score)
            np.testing.assert_array_equal(one.places.heat, other.places.heat)
            np.testing.assert_array_equal(one.places.mask, other.places.mask)
        assert evaluate(found) == evaluate(expected)


def test_no_more_is_held_than_allowed_while_batches_come(make_windows, make_scores):
    collected = PlaceTable(50 * SEEN)
    for window in make_windows((200,)):
        collected.add(make_scores([window], masks=True))
        assert sum(len(seen) for seen in collected._frames.values()) <= 50


def test_a_sample_is_told_and_all_frames_are_not(make_windows, make_scores):
    windows = make_windows((30, 12, 25))
    assert evaluate(table_of([make_scores(windows, masks=True)], 10_000).gather().series()).details == {}
    assert evaluate(table_of([make_scores(windows)], 10).gather().series()).details == {}  # no mask, none left out
    series = table_of([make_scores(windows, masks=True)], 100).gather().series()
    kept = sum(map(len, shown(series).values()))
    assert evaluate(series).details == {"sampled": {"pixel_auroc": {"used": kept, "of": 67}}}


def test_too_many_anomalous_pixels_are_ranked_within_a_stated_bound(make_windows, make_scores, monkeypatch):
    series = table_of([make_scores(make_windows((30, 12, 25)), masks=True)], 10_000).gather().series()
    exact = evaluate(series)
    assert "rounding" not in exact.details
    pairs = [pair for one in series for pair in one.places]
    reference = metrics.roc_auc_score(
        np.concatenate([mask.ravel() for _, mask in pairs]), np.concatenate([heat.ravel() for heat, _ in pairs])
    )
    assert exact.metrics["pixel_auroc"] == pytest.approx(reference, abs=1e-12)
    monkeypatch.setattr(evaluation, "MOST_PIXELS", 100)
    monkeypatch.setattr(evaluation, "AT_ONCE", 7)
    rounded = evaluate(series)
    bound = rounded.details["rounding"]["pixel_auroc"]
    assert 0 < bound < 1e-3
    assert abs(rounded.metrics["pixel_auroc"] - reference) <= bound
    assert rounded.metrics["pixel_auroc"] != reference
    assert rounded.metrics.keys() == exact.metrics.keys()
