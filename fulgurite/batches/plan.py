"""Which runs a batch consists of: every experiment with every combination of settings and every seed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from datamodules.errors import InputError
from fulgurite.batches.options import CLUSTERS, LOCAL, checked_engine, in_file
from fulgurite.yaml_file import read_yaml

KEYS = ("experiments", "configs", "seeds", "set", "jobs", "root", "on")
"""Of a batch that was written down, beside the options of the engines."""
ITSELF = "{}"
"""In the name of an overlay: the experiment that it is laid on."""


@dataclass(frozen=True)
class Task:
    """One run of a batch: a training and its test.

    Attributes:
        experiment: folder of the runs that belong together.
        configs: laid on each other, as ``--config`` takes them.
        name: of the run, unique within the experiment.
        seed: of the training.
        settings: value by key, as they are typed.
        root: folder of all experiments.
    """

    experiment: str
    configs: tuple[str, ...]
    name: str
    seed: int
    settings: Mapping[str, str]
    root: Path

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.root / self.experiment / self.name

    @property
    def log(self) -> Path:
        """Where all that its commands say is kept."""
        return self.root / self.experiment / f"{self.name}.log"

    @property
    def outcome(self) -> Path:
        """Where a job of a cluster leaves the status of its last command."""
        return self.root / self.experiment / f".{self.name}.status"

    def fit_words(self) -> list[str]:
        """Return the command that trains it, without ``lightning``."""
        words = ["fit", *(word for config in self.configs for word in ("--config", config))]
        for key, value in {**self.settings, "seed_everything": str(self.seed)}.items():
            words += [f"--{key}", value]
        words += ["--run.root", str(self.root), "--run.experiment", self.experiment]
        return [*words, "--run.name", self.name]


@dataclass(frozen=True)
class Plan:
    """A batch as it is written down.

    Attributes:
        experiments: configurations, or names that ``lightning experiments`` lists.
        configs: laid on top of each experiment, whose name stands for ``{}`` in them.
        seeds: of the trainings.
        choices: values to try by key.
        jobs: runs at once; None leaves it to the machine.
        root: folder of all experiments.
        on: the engine that does the runs, one of ``ENGINES``.
        options: of each engine, by its name.
    """

    experiments: Sequence[str]
    configs: Sequence[str] = ()
    seeds: Sequence[int] = (0,)
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    jobs: int | None = None
    root: str = "runs"
    on: str = LOCAL
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def tasks(self) -> list[Task]:
        """Return every combination, the seeds of one beside each other.

        Raises:
            InputError: if two experiments would share a folder.
        """
        folders = [Path(experiment).stem for experiment in self.experiments]
        for name in folders:
            if folders.count(name) > 1:
                raise InputError(
                    f"two experiments are called {name}, and would share a folder: rename one of the files"
                )
        root = Path(self.root).absolute()
        return [
            Task(
                experiment=folder,
                configs=(experiment, *(config.replace(ITSELF, folder) for config in self.configs)),
                name=run_name(dict(zip(self.choices, values, strict=True)), seed),
                seed=seed,
                settings={key: typed(value) for key, value in zip(self.choices, values, strict=True)},
                root=root,
            )
            for experiment, folder in zip(self.experiments, folders, strict=True)
            for values in product(*self.choices.values())
            for seed in self.seeds
        ]

    def written(self) -> str:
        """Return it as YAML, which :func:`read_plan` reads."""
        values = (
            list(self.experiments),
            list(self.configs),
            list(self.seeds),
            dict(self.choices),
            self.jobs,
            self.root,
            self.on,
        )
        entries = {**dict(zip(KEYS, values, strict=True)), **{name: dict(of) for name, of in self.options.items()}}
        return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)


def read_plan(path: Path) -> Plan | None:
    """Return the batch that a file holds; None where it is a configuration of an experiment.

    Raises:
        InputError: if it is a batch, and something in it has no meaning.
    """
    found = read_yaml(path)
    if not isinstance(found, dict) or "experiments" not in found:
        return None
    written, known = in_file(path), (*KEYS, *CLUSTERS)
    if written["on"] is not None:
        found.pop(True, None)  # ``on``, as YAML reads it
    if unknown := sorted(map(str, found.keys() - set(known))):
        raise InputError(f"{path}: a batch has no {', '.join(unknown)}; it has {', '.join(known)}")
    choices = found.get("set") or {}
    for key, kind in (("experiments", list), ("configs", list), ("seeds", list), ("set", dict)):
        if found.get(key) is not None and not isinstance(found[key], kind):
            raise InputError(f"{path}: {key} = {found[key]}: give a {'mapping' if kind is dict else 'list'}")
    for key, values in choices.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{path}: set.{key} = {values}: give a list of the values to try")
    return Plan(
        [str(one) for one in found["experiments"]],
        [str(one) for one in found.get("configs") or ()],
        checked_seeds(found.get("seeds") or [0]),
        {str(key): values for key, values in choices.items()},
        found.get("jobs"),
        str(found.get("root") or "runs"),
        checked_engine(written["on"] or LOCAL),
        written["options"],
    )


def read_choices(written: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values to try by key, of words like ``model.ngf=16,32``.

    A value in brackets is a list: ``data.image_size=[64,64],[32,32]``.

    Raises:
        InputError: if a word is none of these, or a key comes twice.
    """
    found: dict[str, list[Any]] = {}
    for word in written:
        key, equals, text = word.partition("=")
        try:
            values = yaml.safe_load(f"[{text}]") if equals and text else None
        except yaml.YAMLError:
            values = None
        if not values:
            raise InputError(f"--set {word}: write a key and its values, such as --set model.ngf=16,32")
        if key in found:
            raise InputError(f"--set {key}: given twice; write all of its values behind one")
        found[key] = values
    return found


def checked_seeds(seeds: Sequence[Any]) -> list[int]:
    """Return seeds.

    Raises:
        InputError: if one is no whole number of at least 0, or comes twice.
    """
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise InputError(f"seeds: {seed} is no whole number of at least 0")
    if len(set(seeds)) < len(seeds):
        raise InputError(f"seeds: {', '.join(map(str, seeds))}: one comes twice")
    return list(seeds)


def typed(value: Any) -> str:
    """Return a value as it is typed behind an option."""
    return value if isinstance(value, str) else json.dumps(value)


def run_name(settings: Mapping[str, Any], seed: int) -> str:
    """Return a name that tells settings and seed, and can be that of a folder: ``ngf=16+seed=0``."""
    leaves = [key.rpartition(".")[2] for key in settings]
    parts = []
    for key, leaf in zip(settings, leaves, strict=True):
        text = typed(settings[key])
        shown = re.sub(r"[^\w.-]+", "-", text)[:40]
        if shown != text:  # two values may look alike then
            shown = f"{shown}-{sha256(text.encode()).hexdigest()[:6]}"
        parts.append(f"{leaf if leaves.count(leaf) == 1 else key}={shown}")
    return "+".join([*parts, f"seed={seed}"])
