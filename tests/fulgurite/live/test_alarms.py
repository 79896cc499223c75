import csv
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from callbacks.clips.events import EventRule
from callbacks.clips.window_merger import Merged
from datamodules.clips.live_stream import Shot
from fulgurite.live.alarms import ENOUGH, Alarms

NOTHING = np.zeros((3, 4, 4), np.uint8)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def final(number, score, when=None, live=True):
    when = number / 10 if when is None else when
    at = NOON + timedelta(seconds=when) if live else None
    return Shot(number, when, NOTHING, (0, 0, 4, 4), (4, 4), None, at), Merged(number, score, NOTHING[0])


@pytest.fixture
def alarms(tmp_path):
    told = []
    made = Alarms(tmp_path, "yard", EventRule(1.0, 0.8, 0.2, 0.5), True, 1.0, None, None, told.append)
    made.told, made.folder = told, tmp_path
    return made


def rows(alarms, name):
    with (alarms.folder / name).open() as file:
        return list(csv.DictReader(file))


def test_an_alarm_rings_when_it_is_long_enough_and_is_written_when_it_is_over(alarms):
    alarms.take([final(n, 2.0) for n in range(2)])
    assert (alarms.rings, alarms.told) == (False, [])
    alarms.take([final(2, 1.5)])
    assert alarms.rings
    assert alarms.told == ["alarm 1 at 2026-07-01T12:00:00.000Z: score 2.0000"]
    assert rows(alarms, "events.csv") == []
    alarms.take([final(n, 0.0) for n in range(3, 9)])
    assert not alarms.rings
    (event,) = rows(alarms, "events.csv")
    assert (event["start"], event["end"], event["clip"], event["utc"]) == (
        "0.000",
        "0.200",
        "",
        "2026-07-01T12:00:00.000Z",
    )
    assert [row["utc"][-7:] for row in rows(alarms, "scores.csv")][:2] == ["00.000Z", "00.100Z"]
    assert alarms.behind > 0


@pytest.mark.parametrize(("first", "missing", "events"), [(5, 0.4, 1), (5, 3.0, 2), (35, 3.0, 1)])
def test_an_event_goes_on_over_what_was_left_out_but_not_over_a_source_that_was_lost(alarms, first, missing, events):
    """A source that is lost counts no frames; those that are left out are counted."""
    alarms.take([final(n, 2.0) for n in range(5)], is_end=True)
    alarms.take([final(first + n, 2.0, 0.5 + missing + n / 10) for n in range(5)])
    alarms.close()
    assert len(rows(alarms, "events.csv")) == alarms.count == events


def test_the_event_at_hand_is_written_at_the_end(alarms):
    alarms.take([final(n, 2.0) for n in range(5)])
    alarms.close()
    alarms.close_tables()
    assert [row["last_frame"] for row in rows(alarms, "events.csv")] == ["4"]
    assert alarms.told[-1] == "event 1 is over: 0.4 seconds, highest score 2.0000; no clip"


@pytest.mark.parametrize(("score", "told"), [(2.0, [False, True, False]), (0.5, [False, False, False])])
def test_another_scene_is_known_once(alarms, score, told):
    alarms.take([final(n, score) for n in range(ENOUGH)])
    assert [alarms.is_another_scene(count) for count in (ENOUGH - 1, ENOUGH, ENOUGH)] == told
