"""One watch: what is built when the model is ready, in which order it ends, and what is left of it."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.clips.events import EventRule
from callbacks.clips.false_alarms import AlarmRate
from callbacks.figures import figure, several
from callbacks.results import ABOUT, surroundings, write_record
from callbacks.text import printable
from callbacks.thresholds import threshold_of
from datamodules.clips.live_source import LiveSource
from datamodules.clips.live_stream import Stream
from datamodules.errors import InputError
from datamodules.named import source_name
from fulgurite.live.alarms import CLIPS, Alarms
from fulgurite.live.clips import ClipRecorder
from fulgurite.live.commands import AlarmCommand
from fulgurite.live.outcome import found, summary
from fulgurite.live.page import Page
from fulgurite.live.picture import Picture
from fulgurite.live.scores import LiveScores, Scored
from fulgurite.live.screen import Screen
from fulgurite.live.wishes import Wishes
from fulgurite.signals import SIGNALS

LOG = "on_alarm.log"
_COMMANDS = 10.0  # seconds that commands get when the watch is over
_ANOTHER_SCENE = (
    "warning: nearly all frames lie above the threshold. Is it another scene, camera or light than the model was "
    "trained on? Then its scores say nothing: train on that one"
)


class Watch(Callback):
    """Builds what scores go to when the model is ready, and hands them on.

    Args:
        folder: where its files go; made when the watch begins.
        source: what is watched.
        wishes: what else the user wants.
        threshold: raw score above which an event begins; None: the model's own.
        rate: what normal video says of it; None where it was not asked.
        rule: what an event is at a threshold.
        delay: after how many frames a score is final, in words.
        sooner: what would make them fewer, a clause; empty where nothing does.

    Attributes:
        scores: hands on the frames whose scores are final.
        stream: the frames.
        command: the words that were typed.
    """

    stream: Stream
    command: Sequence[str] = ()

    def __init__(
        self,
        folder: Path,
        source: LiveSource,
        wishes: Wishes,
        threshold: float | None,
        rate: AlarmRate | None,
        rule: Callable[[float], EventRule],
        delay: str,
        sooner: str = "",
    ) -> None:
        self._folder, self._source, self._wishes = folder, source, wishes
        self._threshold, self._rate, self._rule, self._delay = threshold, rate, rule, delay
        self._sooner = sooner
        self._name = source.shown if source.is_live else source_name(Path(source.text))
        self.scores = LiveScores(self._name, self._take)
        self._files = ExitStack()  # closed in the order in which one part needs the other
        self._screen: Screen | None = None
        self._alarms: Alarms | None = None
        self._recorder: ClipRecorder | None = None
        self._command: AlarmCommand | None = None
        self._picture: Picture | None = None
        self._about: dict[str, Any] = {}
        self._began = time.monotonic()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the files, and say what begins.

        Raises:
            InputError: if there is no threshold, or the folder, the command or the page cannot be had.
        """
        threshold = threshold_of(pl_module) if self._threshold is None else self._threshold
        if threshold is None:
            raise InputError(f"--threshold: not given, and {type(pl_module).__name__} has none of its own; give one")
        rule = self._rule(threshold)
        make_folder(self._folder)
        self._files.callback(self._forget_if_unused)
        with self._files:
            self._open(rule)
            self._files = self._files.pop_all()
        self._about = surroundings(trainer, pl_module) | {
            "source": self._source.shown if self._source.is_live else str(Path(self._source.text).absolute()),
            "threshold": threshold,
            "threshold_from": self._origin(),
            "normal": self._rate.record() if self._rate else None,
            "release": rule.release,
            "shortest": rule.shortest,
            "gap": rule.gap,
            "delay": self._delay,
        }
        self._about["command"] = [printable(word) for word in self._about["command"] or []]
        self._write_about(finished=False)
        self.tell(f"Threshold {figure(threshold)}, {self._origin()}; an event ends below {figure(rule.release)}.")
        self.tell(f"A score is final at most {self._delay} after its frame{self._sooner and f'; {self._sooner}'}.")
        self.tell(f"Written to {place_of(self._folder)}; Ctrl-C ends the watch.")
        self._began = time.monotonic()
        SIGNALS.promise, SIGNALS.patient = "the watch ends, with what is open finished", True

    def _open(self, rule: EventRule) -> None:
        wishes = self._wishes
        self._screen = self._files.enter_context(Screen(self._source.shown, rule.threshold))
        if wishes.clips:
            (self._folder / CLIPS).mkdir()
            self._recorder = ClipRecorder(wishes.before, rule.shortest, wishes.longest, self.tell)
        if wishes.on_alarm:
            self._command = AlarmCommand(wishes.on_alarm, self._folder / LOG, self.tell)
        parts = self._recorder, self._command, self.tell
        self._alarms = Alarms(self._folder, self._name, rule, self._source.is_live, wishes.after, *parts)
        self._files.callback(self._alarms.close_tables)
        if self._command is not None:
            self._files.callback(self._command.wait, _COMMANDS)
        self._files.callback(self._alarms.close)
        if wishes.page is not None:
            self._picture = Picture(rule.threshold)
            page = Page(self._picture, wishes.page, wishes.page_host)
            self._files.callback(page.close)
            self.tell(f"Page: {page.address}")

    def tell(self, sentence: str) -> None:
        """Print a sentence, from any thread."""
        if self._screen is None:
            print(printable(sentence), flush=True)
        else:
            self._screen.tell(sentence)

    def close(self) -> None:
        """End what is open, say what came of it, and write it down; it is finished unless an error has ended it."""
        SIGNALS.patient, finished = False, sys.exception() is None
        self._files.close()
        if self._about and self._folder.exists():
            self._write_about(finished)
            print(*summary(self._found(), place_of(self._folder)), sep="\n", flush=True)

    def _take(self, frames: Sequence[Scored], is_end: bool) -> None:
        assert self._alarms is not None
        assert self._screen is not None
        self._alarms.take(frames, is_end)
        rings, dropped, events = self._alarms.rings, self.stream.dropped, self._alarms.count
        self._screen.update(self._alarms.score, rings, self.scores.scored, dropped, events, self._alarms.behind)
        if self._alarms.is_another_scene(self.scores.scored):
            self.tell(_ANOTHER_SCENE)
        if self._picture is not None:
            told = {"source": printable(self._source.shown), "delay": self._delay, "fps": self._screen.fps}
            told |= {"rings": rings, "dropped": dropped, "events": events}
            for shot, merged in frames:
                self._picture.take(shot, merged, self.scores.place, told)

    def _origin(self) -> str:
        if self._rate is not None:
            return (
                f"above which {self._rate.hours:.3g} hours of normal video have {several(self._rate.events, 'event')} "
                f"(with 95 % confidence at most {self._rate.at_most:.2g} an hour)"
            )
        return "the model's own" if self._threshold is None else "as given"

    def _found(self) -> dict[str, Any]:
        seconds = time.monotonic() - self._began
        return found(self.scores, self.stream, self._alarms, self._recorder, self._command, seconds)

    def _write_about(self, finished: bool) -> None:
        """Say what was watched by what, and what came of it; a full disk does not end a watch."""
        try:
            write_record(self._folder / ABOUT, {**self._about, **self._found(), "finished": finished})
        except InputError as problem:
            self.tell(f"warning: {problem}")

    def _forget_if_unused(self) -> None:
        """Remove the folder of a watch that never came to see a frame."""
        if not self.scores.scored and not self.scores.unscored:
            shutil.rmtree(self._folder, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make a new folder.

    Raises:
        InputError: if something is in it already, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as problem:
        raise InputError(f"--out {folder}: cannot be made ({problem.strerror}); name another folder") from None
    if taken:
        raise InputError(f"--out {folder}: holds files already; name another folder")


def place_of(folder: Path) -> str:
    """Return a folder as it is printed."""
    return printable(os.path.relpath(folder))
