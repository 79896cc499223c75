"""What a sweep searches, and which run each of its trials is."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fulgurite.batches.plan import Task, typed
from fulgurite.sweeps.chosen import Chosen
from fulgurite.sweeps.parameter import LEFT, Parameter


@dataclass(frozen=True)
class Space:
    """What a sweep searches.

    Attributes:
        name: of the study: folder of its trials below ``root``.
        experiment: configuration, or a name that ``lightning experiments`` lists.
        configs: laid on top of it.
        fixed: value by key that all trials share.
        objective: logged name of a validation metric.
        direction: ``maximize`` or ``minimize``; None: as the metric's meaning says.
        parameters: what is searched, in the order of the file.
        sampler: how values are chosen.
        pruner: which trials are given up.
        seed: of the search and of every training.
        trials: how many there are to be.
        root: folder of all experiments.
    """

    name: str
    experiment: str
    configs: tuple[str, ...]
    fixed: Mapping[str, Any]
    objective: str
    direction: str | None
    parameters: tuple[Parameter, ...]
    sampler: Chosen
    pruner: Chosen
    seed: int
    trials: int
    root: str = "runs"

    @property
    def folder(self) -> Path:
        """Where the study and its trials lie."""
        return Path(self.root).absolute() / self.name

    def values(self, choose: Callable[[Parameter], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that are searched by key, and with them those that follow from their conditions.

        Args:
            choose: gives the value of a parameter that counts; asked in the order of the file.
        """
        searched: dict[str, Any] = {}
        every: dict[str, Any] = {}
        for one in self.parameters:
            if one.counts(searched):
                searched[one.key] = every[one.key] = choose(one)
            elif one.otherwise is not LEFT:
                every[one.key] = one.otherwise
        return searched, every

    def task(self, number: int, values: Mapping[str, Any], mode: str) -> Task:
        """Return the run of a trial; ``best.ckpt`` is that of the objective.

        Args:
            number: of the trial, from 0.
            values: by key, of what is searched and of what follows from it.
            mode: ``max`` or ``min``, of the objective.
        """
        settings = {key: typed(value) for key, value in {**self.fixed, **values}.items()}
        settings |= {"checkpoints.monitor": self.objective, "checkpoints.mode": mode}
        configs = (self.experiment, *self.configs)
        return Task(self.name, configs, f"trial-{number:03d}", self.seed, settings, Path(self.root).absolute())

    def identity(self) -> str:
        """Return, as JSON, all by which trials of another space could not be told from its own."""
        told = {key: value for key, value in asdict(self).items() if key not in ("trials", "root", "name")}
        return json.dumps(told, sort_keys=True, default=str)


def short_names(keys: Iterable[str]) -> list[str]:
    """Return the last word of each key, and the last two of those that it would not tell apart."""
    whole = list(keys)
    leaves = [key.rpartition(".")[2] for key in whole]
    return [
        leaf if leaves.count(leaf) == 1 else ".".join(key.split(".")[-2:])
        for key, leaf in zip(whole, leaves, strict=True)
    ]


def shown(values: Mapping[str, Any]) -> str:
    """Return values on a line, by their short names: ``ngf 16, lr 0.0003``."""
    return ", ".join(f"{name} {brief(one)}" for name, one in zip(short_names(values), values.values(), strict=True))


def brief(value: Any) -> str:
    """Return a value with four digits, as it is typed otherwise."""
    return f"{value:.4g}" if isinstance(value, float) else typed(value)
