"""The study of a sweep, kept by Optuna in one file: which values come next, which trials are given up, what is best."""

import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy.exc import DatabaseError

from datamodules.errors import InputError
from fulgurite.private_api import trial_id
from fulgurite.sweeps.chosen import Chosen
from fulgurite.sweeps.parameter import Parameter
from fulgurite.sweeps.space import Space

FILE = "study.db"
SPACE, WHY = "space", "why"
STATES = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Known:
    """What is known of a trial.

    Attributes:
        number: from 0.
        values: by key, of what is searched.
        state: ``running``, ``complete``, ``pruned`` or ``failed``.
        course: value of the objective by the number of the validation, from 1.
        value: the best of them, of a complete trial that of its ``best.ckpt``; None where there is none.
        why: what a failed one said last.
    """

    number: int
    values: Mapping[str, Any]
    state: str
    course: Mapping[int, float]
    value: float | None
    why: str = ""


class Study:
    """A study in the folder of its trials; begun, or taken up where it was left.

    Args:
        space: what is searched.
        direction: ``maximize`` or ``minimize``.

    Raises:
        InputError: if the study there is of another space, or its file is damaged.
    """

    def __init__(self, space: Space, direction: str) -> None:
        self.space, self.direction = space, direction
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = space.folder / FILE
        with readable_database(path):
            self._study = _open(path, space, direction)
            begun = self._study.user_attrs.get(SPACE)
            if begun is None:
                self._study.set_user_attr(SPACE, space.identity())
        if begun not in (None, space.identity()):
            raise InputError(
                f"{path} was begun with {_difference(json.loads(begun), json.loads(space.identity()))}. Give another "
                "--name, or take that back"
            )

    def ask(self) -> int:
        """Begin a trial, and return its number."""
        return int(self._study.ask().number)

    def values(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values of a trial as :meth:`Space.values` does; those that it has not yet are chosen now."""
        # seeded by the trial: a study that goes on would otherwise begin its random numbers anew
        seed = int(np.random.SeedSequence([self.space.seed, number]).generate_state(1)[0])
        self._study.sampler = _sampler(self.space.sampler, seed)
        trial = self._live(number)
        return self.space.values(lambda one: _suggested(trial, one))

    def with_consequences(self, known: Known) -> dict[str, Any]:
        """Return the values of a trial that is over, and with them those that follow from their conditions."""
        return self.space.values(lambda one: known.values[one.key])[1]

    def report(self, number: int, course: Mapping[int, float]) -> int | None:
        """Take values of validations down, and return at which the trial is given up, None where it is not.

        One after the other, and none behind that one: what is known of a trial must not depend on how fast its training
        was beside this process. None is given up where the longest of the complete ones has ended: so will it.

        Args:
            number: of the trial.
            course: value by the number of the validation; those that are known already are left.
        """
        trial, known = self._live(number), self._frozen(number).intermediate_values
        ends = max((max(one.course, default=0) for one in self.trials() if one.state == "complete"), default=0)
        new = [step for step in course if step not in known]
        if known and not new:  # it goes on, and may have been about to be given up
            return max(known) if max(known) < ends and trial.should_prune() else None
        for step in new:
            trial.report(course[step], step)
            if step < ends and trial.should_prune():
                return step
        return None

    def complete(self, number: int, value: float) -> None:
        """Note that a trial was trained to its end, and its best value."""
        self._study.tell(number, value)

    def give_up(self, number: int) -> None:
        """Note that a trial was pruned."""
        self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, why: str) -> None:
        """Note that a trial has failed, and what it said."""
        self._live(number).set_user_attr(WHY, why)
        self._study.tell(number, state=TrialState.FAIL)

    def trials(self) -> list[Known]:
        """Return all trials, in their order."""
        return [self._known(trial) for trial in self._study.get_trials(deepcopy=False)]

    def best(self) -> Known | None:
        """Return the best of those that were trained to their end, the first of equals; None before there is one."""
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return min(complete, key=lambda one: self._rank(one.value), default=None)

    def importances(self) -> dict[str, float]:
        """Return the share that each key has in whether a trial is among the best, of all keys 1; empty of few trials.

        By PED-ANOVA, which asks how the values of the best tenth differ from those of all.
        """
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        if len(complete) < FEWEST:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of older releases
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator))

    def _frozen(self, number: int) -> Any:
        return self._study.get_trials(deepcopy=False)[number]

    def _live(self, number: int) -> optuna.Trial:
        return optuna.Trial(self._study, trial_id(self._frozen(number)))

    def _rank(self, value: float | None) -> float:
        assert value is not None, "a complete trial has a value"
        return value if self.direction == "minimize" else -value

    def _known(self, trial: Any) -> Known:
        course = dict(sorted(trial.intermediate_values.items()))
        best = min(course.values(), key=self._rank, default=None)
        value = trial.value if trial.state == TrialState.COMPLETE else best
        by_key = {one.key: one for one in self.space.parameters}
        values = {key: _value(by_key[key], found) for key, found in trial.params.items()}
        return Known(trial.number, values, STATES[trial.state], course, value, trial.user_attrs.get(WHY, ""))


FEWEST = 4
"""Complete trials from which on importances are told."""


@contextmanager
def readable_database(path: Path) -> Iterator[None]:
    """Turn errors of a database into an :class:`InputError` about its file."""
    try:
        yield
    except DatabaseError as problem:
        raise InputError(
            f"{path} is damaged or cannot be written ({problem.orig}). Free some space, or remove it"
        ) from None


def _open(path: Path, space: Space, direction: str) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # by a connection of our own: an address would read something into the names of some folders
        storage = optuna.storages.RDBStorage(
            "sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(path, check_same_thread=False)}
        )
        return optuna.create_study(
            storage=storage,
            pruner=_pruner(space.pruner),
            study_name=space.name,
            direction=direction,
            load_if_exists=True,
        )


def _pruner(chosen: Chosen) -> optuna.pruners.BasePruner:
    options = chosen.options
    if chosen.kind == "median":
        warm_up = options["warmup_validations"] + 1  # they are counted from 1
        return optuna.pruners.MedianPruner(options["startup_trials"], warm_up)
    if chosen.kind == "hyperband":
        return optuna.pruners.HyperbandPruner(options["first_validation"], "auto", options["reduction"])
    return optuna.pruners.NopPruner()


def _sampler(chosen: Chosen, seed: int) -> optuna.samplers.BaseSampler:
    if chosen.kind == "random":
        return optuna.samplers.RandomSampler(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # a trial that runs beside this one counts as a bad one, so that both do not try the same
        startup = chosen.options["startup_trials"]
        return optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed, constant_liar=True)


def _suggested(trial: optuna.Trial, one: Parameter) -> Any:
    if one.kind == "choice":
        return _value(one, trial.suggest_categorical(one.key, one.texts))
    if one.kind == "int":
        step = int(one.step or 1)
        return trial.suggest_int(one.key, int(one.low), int(one.high), step=step, log=one.log)
    return trial.suggest_float(one.key, one.low, one.high, step=one.step, log=one.log)


def _value(one: Parameter, found: Any) -> Any:
    """Return a value as the space has it; Optuna holds the choices as they are typed."""
    return one.choices[one.texts.index(found)] if one.kind == "choice" else found


def _difference(begun: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the first thing in which two spaces differ, as words."""
    key = next(key for key in now if begun.get(key) != now[key])
    before, after = begun.get(key), now[key]
    if key == "parameters" and isinstance(before, Sequence):
        keys = [one["key"] for one in (*before, *after) if one not in before or one not in after]
        return f"another search.{keys[0]}" if keys else "another order of its search"
    name = "set" if key == "fixed" else key  # as it is called in the file
    return f"{name} = {json.dumps(before)}, and not {json.dumps(after)}"
