"""Monitors, the metrics by which callbacks choose and stop: refused as soon as it is known that nobody logs them."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.checkpoints import Checkpoints
from datamodules.errors import InputError
from datamodules.protocols import DeclaresLogged, DeclaresLossTerms, DeclaresUndefined

SILENT = ("callbacks", "fulgurite", "lightning", "lightning_models")
"""Packages whose callbacks log what they declare, and nothing where they declare nothing."""


class Monitor(NamedTuple):
    """A metric that a callback waits for; ``key`` is where it is written."""

    key: str
    name: str
    callback: Callback


class LoggedMonitors(Callback):
    """Looks after the first validations whether everything that is monitored was logged.

    The callbacks that miss something would end in a traceback of their own. ``Checkpoints`` says it itself.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare with what was logged so far.

        Raises:
            InputError: naming the callback, the metric, and why it has no value or what was logged.
        """
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
        undefined = {
            name: why for one in callbacks if isinstance(one, DeclaresUndefined) for name, why in one.undefined.items()
        }
        for key, name, callback in monitored(callbacks):
            if isinstance(callback, Checkpoints) or not getattr(callback, "strict", True):
                continue
            if name in undefined:
                raise InputError(
                    f"{key} = {name}: it has no value ({undefined[name]}), and {type(callback).__name__} cannot go on "
                    "without. Name another metric, or leave the callback out"
                )
            if name not in trainer.callback_metrics:
                raise InputError(f"{key} = {name}: nothing has logged it. {_choice(name, trainer.callback_metrics)}")


def check_monitors(model: LightningModule, callbacks: Iterable[Callback]) -> None:
    """Refuse monitors that nobody logs, before a training; none where somebody does not say what he logs.

    Args:
        model: says so as :class:`~datamodules.protocols.DeclaresLossTerms`.
        callbacks: say so as :class:`~datamodules.protocols.DeclaresLogged`.

    Raises:
        InputError: naming key and value, and what there is.
    """
    callbacks = list(callbacks)
    for callback in callbacks:
        if isinstance(callback, Checkpoints):
            callback.choose(callbacks)
    logged = _declared(model, callbacks)
    for key, name, callback in monitored(callbacks):
        # the best checkpoint is that of a validation
        names = [one for one in logged or () if not isinstance(callback, Checkpoints) or one.startswith("val/")]
        if logged is not None and name not in names:
            raise InputError(f"{key} = {name}: nothing logs it. {_choice(name, names)}")


def check_validated(key: str, name: str, model: LightningModule, callbacks: Iterable[Callback]) -> None:
    """Refuse a metric that no validation logs; none where somebody does not say what he logs.

    Args:
        key: where the metric is written.
        name: its logged name.
        model: as of :func:`check_monitors`.
        callbacks: likewise.

    Raises:
        InputError: naming key and value, and what there is.
    """
    logged = _declared(model, list(callbacks))
    names = [one for one in logged or () if one.startswith("val/")]
    if logged is not None and name not in names:
        raise InputError(f"{key} = {name}: nothing logs it. {_choice(name, names)}")


def monitored(callbacks: Iterable[Callback]) -> Iterator[Monitor]:
    """Yield what callbacks wait for."""
    for callback in callbacks:
        ours = isinstance(callback, Checkpoints)
        for attribute in ("monitor", "tie_breaker") if ours else ("monitor",):
            if isinstance(name := getattr(callback, attribute, None), str):
                place = "checkpoints" if ours else f"trainer.callbacks: {type(callback).__name__}"
                yield Monitor(f"{place}.{attribute}", name, callback)


def _declared(model: LightningModule, callbacks: Iterable[Callback]) -> list[str] | None:
    """Return all that will be logged, None where a class does not say so itself."""
    if not (isinstance(model, DeclaresLossTerms) and "loss_terms" in vars(type(model))):
        return None
    phases = model.loss_terms.items()
    always = ("total", "learning_rate", "skipped_steps")
    logged = [f"train/{phase}/{term}" for phase, terms in phases for term in (*terms, *always)]
    for callback in callbacks:
        kind = type(callback)
        if "logged" in vars(kind) and isinstance(callback, DeclaresLogged):
            logged += callback.logged(model)
        elif hasattr(kind, "logged") or kind.__module__.partition(".")[0] not in SILENT or kind is LearningRateMonitor:
            return None
    return logged


def _choice(name: str, names: Collection[str]) -> str:
    if near := get_close_matches(name, names, n=1):
        return f"Did you mean '{near[0]}'?"
    if not names:
        return "No callback judges the validations; add one to trainer.callbacks, such as the experiment's own"
    shown = sorted(sorted(names, key=len)[:12])  # long names are variants of short ones
    return f"Choose one of: {', '.join(shown)}{', …' if len(names) > len(shown) else ''}"
