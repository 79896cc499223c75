import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import poisson

from callbacks.clips.events import EventRule, find_events
from callbacks.clips.false_alarms import AlarmRate, hours_needed, refuse_too_little, threshold_for
from datamodules.errors import InputError

RULE = partial(EventRule.of, release="80%", gap=0.0)


def recording(seed, count=200):
    noise = np.convolve(np.random.default_rng(seed).normal(0, 1, count + 4), np.ones(5) / 5, "valid")
    return np.abs(noise), np.arange(count) / 10


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_the_lowest_threshold_from_above_that_keeps_the_rate(allowed):
    recordings, hours = [recording(0), recording(1)], 40 / 3600
    found = threshold_for(recordings, hours, (allowed + 0.5) / hours, RULE)
    assert events_at(recordings, found.threshold) == found.events <= allowed
    # tried from above at every score that there is, and right below it, which thinks of no peaks
    every = np.unique(np.concatenate([scores for scores, _ in recordings]))[::-1].tolist()
    tried = (value for score in every for value in (score, math.nextafter(score, -math.inf)))
    assert next(value for value in tried if events_at(recordings, value) > allowed) < found.threshold
    assert events_at(recordings, math.nextafter(found.threshold, -math.inf)) > allowed


def events_at(recordings, threshold):
    return sum(len(find_events(*one, RULE(threshold))) for one in recordings)


def test_one_long_event_does_not_count_as_few():
    scores = 2 + np.sin(np.arange(2000) / 3)
    rule = partial(EventRule.of, release="10%", gap=0.0)  # below the middle all is one event
    with pytest.raises(InputError, match="normal video has fewer events at every threshold above its median"):
        threshold_for([(scores, np.arange(2000) / 10)], 200 / 3600, 10_000, rule)


def test_how_much_video_a_rate_needs_is_what_no_event_would_show():
    for rate in (0.1, 1, 20):
        assert poisson.cdf(0, rate * hours_needed(rate)) == pytest.approx(0.05)
    refuse_too_little(3.0, 1, "it")
    with pytest.raises(InputError, match=r"per-hour 1: it lasts 2\.9 hours, and 3\.0 hours are needed"):
        refuse_too_little(2.9, 1, "it")
    with pytest.raises(InputError, match=r"it lasts 36 seconds, and 30\.0 hours are needed"):
        refuse_too_little(0.01, 0.1, "it")


@pytest.mark.parametrize("events", [0, 2, 9])
def test_the_bound_is_where_so_few_events_become_unlikely(events):
    rate = AlarmRate(1.0, events, 4.0)
    assert poisson.cdf(events, rate.at_most * 4) == pytest.approx(0.05)
    assert rate.rate == events / 4
