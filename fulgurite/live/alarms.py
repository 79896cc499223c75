"""From scores of frames to alarms: rows of the tables, clips, the command, and what is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from callbacks.clips.events import COLUMNS, EVENTS, Event, EventFinder, EventRule
from callbacks.figures import clock, figure
from callbacks.results import SCORES
from datamodules.clips.live_stream import Shot
from fulgurite.live.clips import ClipRecorder, Kept
from fulgurite.live.commands import AlarmCommand
from fulgurite.live.scores import Scored
from fulgurite.live.table import GrowingTable

CLIPS = "clips"
ENOUGH, NEARLY_ALL = 250, 0.9
"""Where so large a share of so many frames lies above the threshold, the scene is another one."""


@dataclass
class _Alarm:
    number: int
    clip: Path | None
    utc: str


class Alarms:
    """Follows the scores, and does what an alarm asks for.

    An alarm rings as soon as an event is long enough; a row of ``events.csv`` is written when it is over.

    Args:
        folder: where all of it goes; it is there.
        name: of the source, first column of the tables.
        rule: what an event is.
        is_live: whether frames have a time of day.
        after: seconds that a clip goes on after its event.
        recorder: writes clips; None: there are none.
        command: is run for every alarm; None: nothing is.
        tell: gets a sentence for every alarm, and for what fails.

    Attributes:
        count: how many alarms there were.
        score: of the last frame that is final; None before.
        behind: seconds that had passed since that frame when its score was there; None where it comes from a file.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        rule: EventRule,
        is_live: bool,
        after: float,
        recorder: ClipRecorder | None,
        command: AlarmCommand | None,
        tell: Callable[[str], None],
    ) -> None:
        self.count = 0
        self.score: float | None = None
        self.behind: float | None = None
        self._above = 0
        self._piece_is_over = False
        self._scene_is_known = False
        self._folder, self._name, self._rule, self._after = folder, name, rule, after
        self._is_live, self._recorder, self._command, self._tell = is_live, recorder, command, tell
        utc = ["utc"] if is_live else []
        columns = ["name", "frame", "time", "score", "anomalous", *utc]
        self.scores = GrowingTable(folder / SCORES, columns, tell)
        self.events = GrowingTable(folder / EVENTS, ["name", *COLUMNS, "clip", *utc], tell)
        self._finder = EventFinder(rule)
        self._alarm: _Alarm | None = None
        self._last: Shot | None = None

    @property
    def rings(self) -> bool:
        """Whether an event goes on."""
        return self._alarm is not None

    def take(self, frames: Sequence[Scored], is_end: bool = False) -> None:
        """Take in frames whose scores are final, and whether frames are missing behind them.

        An event goes on over frames that were left out, if it is still there behind them, but not over a time in which
        the source was lost.
        """
        rows = []
        for shot, merged in frames:
            score = merged.score
            utc = [_written(shot.at)] if self._is_live else []
            rows.append([self._name, shot.number, f"{shot.time:.3f}", score, int(score > self._rule.threshold), *utc])
            self._above += score > self._rule.threshold
            self._follow(shot, score)
        self.scores.add(rows)
        self._piece_is_over |= is_end
        if self._last is not None and self._last.at is not None:
            self.behind = (datetime.now(UTC) - self._last.at).total_seconds()

    def is_another_scene(self, scored: int) -> bool:
        """Whether it shows just now that nearly all frames lie above the threshold; true once at most."""
        if self._scene_is_known or scored < ENOUGH:
            return False
        self._scene_is_known = True
        return self._above > NEARLY_ALL * scored

    def close(self) -> None:
        """End the event that goes on, and what is open for it."""
        self._end(self._finder.close())
        if self._recorder is not None:
            self._recorder.close()

    def close_tables(self) -> None:
        """Close the tables."""
        self.scores.close()
        self.events.close()

    def _follow(self, shot: Shot, score: float) -> None:
        last, self._last, self.score = self._last, shot, score
        was_lost = self._piece_is_over and last is not None and shot.number == last.number + 1
        self._piece_is_over = False
        if was_lost and last is not None and shot.time - last.time > self._rule.gap:
            self._end(self._finder.close())  # nobody knows what was in between
        if self._recorder is not None and shot.jpeg is not None:
            self._recorder.add(Kept(shot.number, shot.time, shot.jpeg, shot.size))
        self._end(self._finder.add(shot.number, shot.time, score))
        if self._alarm is None and (event := self._finder.open) is not None:
            self._ring(event, shot)

    def _ring(self, event: Event, shot: Shot) -> None:
        self.count += 1
        at = shot.at and shot.at - timedelta(seconds=shot.time - event.start)
        clip = self._folder / CLIPS / f"{self.count:04d}.mp4" if self._recorder is not None else None
        self._alarm = _Alarm(self.count, clip, _written(at))
        where = _written(at) or clock(event.start)
        self._tell(f"alarm {self.count} at {where}: score {figure(event.peak_score)}")
        values = {
            "event": str(self.count),
            "start": where,
            "score": figure(event.peak_score),
            "threshold": figure(self._rule.threshold),
        }

        def finished(path: Path | None) -> None:
            if self._command is not None:
                self._command.run(values | {"clip": str(path.absolute()) if path else ""})

        if self._recorder is not None and clip is not None:
            self._recorder.begin(clip, event.start, finished)
        else:
            finished(None)

    def _end(self, event: Event | None) -> None:
        if event is None:
            return
        assert self._alarm is not None  # it rang as soon as it was long enough
        alarm, self._alarm = self._alarm, None
        if self._recorder is not None:
            self._recorder.end_at(event.end + self._after)
        clip = alarm.clip.relative_to(self._folder).as_posix() if alarm.clip else ""
        self.events.add([[self._name, *event.row(), clip, *([alarm.utc] if self._is_live else [])]])
        lasted = f"{event.end - event.start:.1f} seconds"
        self._tell(
            f"event {alarm.number} is over: {lasted}, highest score {figure(event.peak_score)}; {clip or 'no clip'}"
        )


def _written(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
