"""The search: trials are begun, followed and ended until there are as many as were wanted."""

import os
import shlex
from collections.abc import Iterator
from typing import ClassVar

from callbacks.figures import figure
from callbacks.screen import plain_console
from callbacks.text import printable
from datamodules.atomic_file import readable_errors
from datamodules.errors import InputError
from fulgurite.batches.plan import Task
from fulgurite.batches.pool import run_all
from fulgurite.batches.slots import slots
from fulgurite.pages.page import bytes_text, write_page
from fulgurite.processes import say
from fulgurite.run_lock import RunLock
from fulgurite.signals import SIGNALS
from fulgurite.sweeps.check import Objective, check_space
from fulgurite.sweeps.page import sweep_page
from fulgurite.sweeps.screen import SweepScreen
from fulgurite.sweeps.space import Space, shown
from fulgurite.sweeps.study import FILE, Study, readable_database
from fulgurite.sweeps.trial import Trial

PAGE = "sweep.html"
FIRST = 3
"""Trials that may fail before any other has come to a validation."""
NOTHING = 1
"""Exit status where no trial was trained to its end."""


class StudyLock(RunLock):
    """The right to go on with a study."""

    refusal: ClassVar[str] = "{run} is being searched by {owner}. Wait until it ends, or give another --name"


class Search:
    """A study and its trials, those of earlier calls first.

    Args:
        space: what is searched.
        objective: which way it is better.

    Attributes:
        study: as it is kept.
        trials: those that have begun, in their order.
    """

    def __init__(self, space: Space, objective: Objective) -> None:
        self.space, self.objective = space, objective
        self.study = Study(space, objective.direction)
        self.trials = [
            self._begun(known.number)
            if known.state == "running"
            else Trial(
                self.study,
                known.number,
                known.values,
                self._task(known.number, self.study.with_consequences(known)),
                state=known.state,
                course=dict(known.course),
                value=known.value,
            )
            for known in self.study.trials()
        ]

    def to_do(self) -> Iterator[Trial]:
        """Yield what was broken off, and then new trials, each when it is asked for."""
        yield from [trial for trial in self.trials if not trial.settle()]
        while len(self.trials) < self.space.trials:
            self._check_first()
            trial = self._begun(self.study.ask())
            self.trials.append(trial)
            if not trial.settle():
                yield trial

    @property
    def best(self) -> Trial | None:
        """The best of those that were trained to their end."""
        best = self.study.best()
        return self.trials[best.number] if best else None

    def _check_first(self) -> None:
        """End a search in which nothing works: that is no matter of the values."""
        if len(self.trials) >= FIRST and all(one.state == "failed" and not one.course for one in self.trials):
            why = self.study.trials()[-1].why
            raise InputError(
                f"the first {len(self.trials)} trials have all failed before a validation, {why}. Correct that, remove "
                f"{os.path.relpath(self.space.folder)}, and search anew"
            )

    def _begun(self, number: int) -> Trial:
        searched, every = self.study.values(number)
        return Trial(self.study, number, searched, self._task(number, every))

    def _task(self, number: int, every: dict[str, object]) -> Task:
        return self.space.task(number, every, self.objective.mode)


def search(space: Space, jobs: int | None, command: str) -> None:
    """Do what is left of a sweep, with its table on the screen, and say what came of it.

    Args:
        space: what is searched.
        jobs: trials at once; None leaves it to the machine.
        command: that was typed.

    Raises:
        InputError: if the space does not fit its experiment or its study.
        SystemExit: with status 1 if no trial was trained to its end.
    """
    objective = check_space(space)
    with readable_errors(space.folder):
        space.folder.mkdir(parents=True, exist_ok=True)
    lock = StudyLock(space.folder)
    lock.acquire()
    try:
        found = Search(space, objective)
        places = slots(jobs)
        SIGNALS.remedy = f"The same command goes on: {command}"
        drawn = 0

        with SweepScreen(found.study, found.trials, len(places)) as screen:

            def changed() -> None:
                nonlocal drawn
                screen.update()
                over = sum(trial.state != "running" for trial in found.trials)
                if over != drawn:  # to be looked at meanwhile, and there after Ctrl-C
                    drawn = over
                    _draw(found, command)

            with readable_database(space.folder / FILE):
                run_all(found.to_do(), places, changed)
        _draw(found, command)
    finally:
        lock.release()
    _end(found)


def told(space: Space) -> list[str]:
    """Return what a space comes to, as lines, after it was checked."""
    objective = check_space(space)
    parameters = [f"  {one.key}: {one}" for one in space.parameters]
    fixed = [f"  {key}: {value}" for key, value in space.fixed.items()]
    means = f": {objective.means}" if objective.means else ""
    return [
        printable(line)
        for line in [
            f"{space.trials} trials of {', '.join((space.experiment, *space.configs))}",
            f"folder: {os.path.relpath(space.folder)}",
            f"{objective.direction} {space.objective}{means}",
            f"chosen by {space.sampler.kind}, given up by {space.pruner.kind}, seed {space.seed}",
            "searched:",
            *parameters,
            *(["the same for all:", *fixed] if fixed else []),
        ]
    ]


def _draw(found: Search, command: str) -> None:
    page = sweep_page(found.study, found.trials, found.objective.means, command)
    write_page(found.space.folder / PAGE, page)


def _end(found: Search) -> None:
    for trial in found.study.trials():
        if trial.state == "failed":
            say(f"warning: trial {trial.number:03d} failed, {printable(trial.why)}")
    best = found.best
    if best is None:
        say(f"no trial was trained to its end; their logs are in {os.path.relpath(found.space.folder)}")
        raise SystemExit(NOTHING)
    assert best.value is not None, "it is complete"
    page = found.space.folder / PAGE
    console = plain_console()
    console.print(f"Best: {best.task.name}, {found.space.objective} {figure(best.value)}, with {shown(best.searched)}")
    for line in (
        *([f"Test it: {best.tested_by}"] if best.tested_by else []),
        f"Train it again: {shlex.join(best.again)}",
        f"Page: {os.path.relpath(page)} ({bytes_text(page.stat().st_size)})",
    ):
        print(printable(line), flush=True)
