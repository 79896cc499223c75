import numpy as np
import pytest

from callbacks.clips.events import Event, EventFinder, EventRule, find_events, release_level
from datamodules.errors import InputError


def plainly(scores, times, rule):
    """What the words say, frame by frame and then event by event, with lists alone."""
    spans, inside = [], None
    for number, score in enumerate(scores):
        if inside is None and score > rule.threshold:
            inside = number
        if inside is not None and score < rule.release:
            spans.append((inside, number - 1))
            inside = None
    if inside is not None:
        spans.append((inside, len(scores) - 1))
    groups = []
    for span in spans:
        if groups and times[span[0]] - times[groups[-1][1]] <= rule.gap:
            groups[-1] = (groups[-1][0], span[1])
        else:
            groups.append(span)
    found = []
    for first, last in groups:
        if times[last] - times[first] >= rule.shortest:
            peak = max(range(first, last + 1), key=lambda n: scores[n])
            found.append(Event(times[first], times[last], first, last, peak, times[peak], scores[peak]))
    return found


def streamed(scores, times, rule):
    finder, found = EventFinder(rule), []
    for frame, (time, score) in enumerate(zip(times, scores, strict=True)):
        found.append(finder.add(frame, time, score))
    found.append(finder.close())
    return [event for event in found if event is not None]


def test_whole_streamed_and_a_plain_loop_agree():
    random = np.random.default_rng(0)
    counts = set()
    for case in range(400):
        length = int(random.integers(0, 60))
        # few values, so that many are equal to each other, to the threshold and to the release
        scores = (random.integers(-4, 5, length) / 2).tolist()
        times = np.cumsum(random.integers(1, 4, length) / 4).tolist()
        threshold = float(random.integers(-3, 3)) / 2
        rule = EventRule(
            threshold, threshold - float(random.integers(0, 3)) / 2, *(random.integers(0, 8, 2) / 4).tolist()
        )
        expected = plainly(scores, times, rule)
        assert find_events(scores, times, rule) == expected, case
        assert streamed(scores, times, rule) == expected, case
        counts.add(len(expected))
    assert len(counts) > 5


def test_an_event_begins_above_the_threshold_and_ends_below_the_release():
    scores = [0.0, 0.9, 1.1, 0.9, 1.5, 0.8, 0.79, 0.9, 1.0]
    rule = EventRule.of(1.0, "80%", gap=0.0)
    (event,) = find_events(scores, np.arange(9) / 10, rule)
    assert event == Event(0.2, 0.5, 2, 5, 4, 0.4, 1.5)
    assert event.row() == ["0.200", "0.500", 2, 5, 4, "0.400", 1.5]


def test_short_ones_are_none_unless_they_are_joined():
    scores, times = [0, 2, 0, 0, 2, 2, 0, 0, 0, 0, 2], np.arange(11.0)
    spans = lambda rule: [(one.first, one.last) for one in find_events(scores, times, rule)]  # noqa: E731
    assert spans(EventRule(1, 1, 0, 0)) == [(1, 1), (4, 5), (10, 10)]
    assert spans(EventRule(1, 1, 1, 0)) == [(4, 5)]
    assert spans(EventRule(1, 1, 1, 3)) == [(1, 5)]
    assert spans(EventRule(1, 1, 0, 5)) == [(1, 10)]


def test_what_is_open_is_known_as_soon_as_it_is_long_enough():
    finder = EventFinder(EventRule(1.0, 0.5, shortest=2.0, gap=1.0))
    assert [finder.add(n, n, 2.0) or finder.open for n in range(2)] == [None, None]
    finder.add(2, 2.0, 3.0)
    assert finder.open == Event(0, 2, 0, 2, 2, 2, 3.0)
    assert finder.add(3, 3.0, 0.0) is None  # the next may join
    assert finder.open is not None
    assert finder.add(4, 4.0, 0.0) == Event(0, 2, 0, 2, 2, 2, 3.0)
    assert finder.open is None
    assert finder.close() is None


def test_after_a_close_a_score_between_both_levels_begins_nothing():
    finder = EventFinder(EventRule(1.0, 0.5, gap=0.0))
    finder.add(0, 0.0, 2.0)
    assert finder.close() == Event(0, 0, 0, 0, 0, 0, 2.0)
    assert finder.add(9, 50.0, 0.7) is None
    assert finder.open is None


@pytest.mark.parametrize(
    ("release", "threshold", "level"), [("80%", 1.0, 0.8), ("80 %", -1.0, -1.2), ("100%", 3.0, 3.0), (0.9, 1.0, 0.9)]
)
def test_the_release_is_a_share_or_a_score(release, threshold, level):
    assert release_level(release, threshold) == pytest.approx(level)
    assert release_level("0.25", threshold) == 0.25


@pytest.mark.parametrize("release", ["most", "120%", "-5%", "nan", float("inf"), ""])
def test_another_release_is_refused(release):
    with pytest.raises(InputError, match=r"release = .*: give a share of the threshold such as 80%"):
        release_level(release, 1.0)


def test_values_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"release = 1\.5: an event would end where it begins, above"):
        EventRule(1.0, 1.5)
    with pytest.raises(InputError, match="shortest = -1: give seconds"):
        EventRule.of(1.0, shortest=-1)
    with pytest.raises(InputError, match="gap = nan: give seconds"):
        EventRule.of(1.0, gap=float("nan"))
    with pytest.raises(ValueError, match="times must rise"):
        find_events([1, 2], [0, 0], EventRule(1, 1))
    with pytest.raises(ValueError, match="one of each"):
        find_events([1, 2], [0], EventRule(1, 1))
    finder = EventFinder(EventRule(1, 1))
    finder.add(0, 0.0, 1.0)
    with pytest.raises(ValueError, match="times must rise"):
        finder.add(1, 0.0, 1.0)
    with pytest.raises(ValueError, match="frame 1 is nan"):
        finder.add(1, 1.0, float("nan"))
