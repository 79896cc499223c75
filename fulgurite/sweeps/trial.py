"""One trial of a sweep: an ordinary ``lightning fit``, whose validations are read and which may be asked to end."""

import json
import math
import os
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callbacks.results import write_record
from fulgurite.batches.command import last_line
from fulgurite.batches.plan import Task
from fulgurite.batches.state import DONE, RESUME, TEST, TRAIN, has_no_test, stage_of, training_of, words_of
from fulgurite.pages.logged import read_logged
from fulgurite.runs import CONFIG
from fulgurite.sweeps.study import Study

FILE = "trial.json"
"""In the run folder: which trial of which study it is, and what came of it; ``docs/sweeps.md`` explains it."""
LOGGED = "metrics.csv"
STOPPED = 128 + signal.SIGINT


@dataclass
class Trial:
    """What a sweep does of one trial; a job of the pool.

    Attributes:
        study: to which it belongs.
        number: in the study, from 0.
        searched: value by key, of what is searched.
        task: its run.
        began: when its training was started here, None before.
        ended: when that ended, None before.
        state: ``running``, ``complete``, ``pruned`` or ``failed``.
        course: value of the objective by the number of the validation, from 1.
        given_up: the validation after which it was asked to end, since others are better; None without.
        value: the best of its validations, None before the first.
    """

    study: Study
    number: int
    searched: Mapping[str, Any]
    task: Task
    began: float | None = None
    ended: float | None = None
    state: str = "running"
    course: dict[int, float] = field(default_factory=dict)
    given_up: int | None = None
    value: float | None = None
    _written: dict[str, Any] = field(default_factory=dict)
    _size: int = -1

    @property
    def log(self) -> Path:
        """What its training has said."""
        return self.task.log

    @property
    def again(self) -> list[str]:
        """The command that trains its settings once more, as a run of its own experiment."""
        words = self.task.fit_words()
        return ["lightning", *words[: words.index("--run.root")]]

    @property
    def tested_by(self) -> str | None:
        """The command that tests it; None where its data hold nothing to be tested on."""
        run = shlex.quote(os.path.relpath(self.task.run))
        return None if has_no_test(self.task) else f"lightning test --run {run}"

    def words(self) -> list[str]:
        """Return the command that trains it, or goes on with its training."""
        stage = stage_of(self.task)
        if stage == TRAIN:  # what is left of a training without a checkpoint is put aside, and is no trial any more
            (self.task.run / FILE).unlink(missing_ok=True)
        return words_of(self.task, stage)

    def should_end(self) -> bool:
        """Take down what was validated since, and return whether the trial is given up."""
        self._look()
        return self.given_up is not None

    def settle(self) -> bool:
        """Note what is known of it without a training, and return whether nothing more is to be done.

        Its training may have ended after this command was, or have reached by then what it is given up for.
        """
        if self.state == "running":
            stage = stage_of(self.task)
            if stage in (TEST, DONE):
                self.note(0)
            elif stage == RESUME and self.should_end():
                self.note(STOPPED)
        elif self._said() != self.state:
            self._write()
        return self.state != "running"

    def note(self, status: int) -> bool:
        """Tell the study what came of it; always over then.

        What was given up is pruned, also where its training had come to its end before it was asked.
        """
        self._look()
        record = training_of(self.task)
        best = record.get("best_value")
        if self.given_up is not None:
            self.state = "pruned"
            self.study.give_up(self.number)
        elif status or not record.get("finished"):
            self._fail(f"status {status}: {last_line(self.log)}")
        elif not isinstance(best, int | float):
            self._fail(f"{self.study.space.objective} never had a value")
        else:
            self.state, self.value = "complete", float(best)
            self.study.complete(self.number, self.value)
        self._write()
        return True

    def _fail(self, why: str) -> None:
        self.state = "failed"
        self.study.fail(self.number, why)

    def _look(self) -> None:
        """Read the validations anew where something was logged since, and tell the study of those that are new."""
        path = self.task.run / LOGGED
        size = path.stat().st_size if path.is_file() else -1
        if size != self._size and self.given_up is None:
            self._size, known = size, len(self.course)
            _, values = read_logged(path).get(self.study.space.objective, ((), ()))
            course = {step: float(value) for step, value in enumerate(values, 1) if math.isfinite(value)}
            if len(course) != known:
                self.given_up = self.study.report(self.number, course)
                self.course = {step: one for step, one in course.items() if step <= (self.given_up or step)}
                best = max if self.study.direction == "maximize" else min
                self.value = best(self.course.values(), default=None)
        self._write()

    def _write(self) -> None:
        """Note in the run folder which trial it is; the folder is made by the training, which takes a while."""
        record = {
            "study": self.study.space.name,
            "number": self.number,
            "parameters": dict(self.searched),
            "objective": self.study.space.objective,
            "direction": self.study.direction,
            "state": self.state,
            "value": self.value,
            "step": max(self.course, default=0),
        }
        if record != self._written and (self.task.run / CONFIG).is_file():
            write_record(self.task.run / FILE, record)
            self._written = record

    def _said(self) -> str | None:
        """Return the state in its file, None where there is none."""
        try:
            return str(json.loads((self.task.run / FILE).read_text(encoding="utf-8"))["state"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
