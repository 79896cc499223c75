"""A space tried against its experiment before the first trial: every key, every bound, every choice, the objective."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Callback

from callbacks.evaluation import EvaluationCallback
from callbacks.figures import several
from callbacks.meanings import describe
from callbacks.monitors import check_validated
from datamodules.errors import InputError
from datamodules.protocols import HasHeadline
from fulgurite.building import build
from fulgurite.processes import say
from fulgurite.sweeps.parameter import Parameter
from fulgurite.sweeps.space import Space
from fulgurite.train import CommandLine
from fulgurite.trainer_limits import check_trainer

MODES = {"maximize": "max", "minimize": "min"}


@dataclass(frozen=True)
class Objective:
    """Which way the metric of a sweep is better, and what it means; nothing where nobody says."""

    direction: str
    means: str = ""

    @property
    def mode(self) -> str:
        """The same as :class:`~callbacks.checkpoints.Checkpoints` calls it."""
        return MODES[self.direction]


def check_space(space: Space) -> Objective:
    """Build model and data by every bound and every choice, without training, and return the objective.

    Raises:
        InputError: naming the key, its value and what to write; if nothing logs the objective, or nobody knows which
            way it is better.
    """
    unseeded = "--seed_everything=false"  # nothing is drawn here, and nobody has to read which seed was set
    lines = [[*space.task(0, every, "max").fit_words(), unseeded] for every in _tries(space)]
    say(f"checking {several(len(lines), 'setting')} ...")  # each takes a moment
    trier = _Trier(lines)
    callbacks = trier.callbacks
    check_validated("objective", space.objective, trier.model, callbacks)
    if trier.has_own_logger and space.pruner.kind != "none":
        raise InputError(
            f"pruner = {space.pruner.kind}: validations are read from metrics.csv, which a trainer.logger of your own "
            "replaces; leave that out, or set pruner: none"
        )
    return _objective(space, callbacks)


def _tries(space: Space) -> Iterator[dict[str, Any]]:
    """Yield values by which every bound and every choice comes up once, with what it needs to count."""
    for one in space.parameters:
        needed = {key: values[0] for key, values in _ancestors(one, space).items()}
        for edge in one.edges:
            chosen = {other.key: other.edges[0] for other in space.parameters} | needed | {one.key: edge}
            yield space.values(_of(chosen))[1]


def _of(chosen: Mapping[str, Any]) -> Callable[[Parameter], Any]:
    return lambda one: chosen[one.key]


def _ancestors(one: Parameter, space: Space) -> dict[str, tuple[Any, ...]]:
    by_key = {other.key: other for other in space.parameters}
    found = dict(one.when)
    for key in one.when:
        found = {**_ancestors(by_key[key], space), **found}
    return found


def _objective(space: Space, callbacks: Sequence[Callback]) -> Objective:
    name = space.objective.removeprefix("val/")
    known: Mapping[str, Any] = {}
    headline = None
    for one in callbacks:
        if isinstance(one, EvaluationCallback):
            known = known or describe([name], one.meanings)
        if isinstance(one, HasHeadline) and one.headline == name:
            headline = "maximize" if one.headline_mode == "max" else "minimize"
    better = known[name]["better"] if name in known else None
    direction = {"higher": "maximize", "lower": "minimize"}.get(better or "", headline)
    means = known[name]["means"] if name in known else ""
    if space.direction is None and direction is None:
        raise InputError(
            f"objective = {space.objective}: nothing says whether more or less of it is better; add to the space "
            "direction: maximize or direction: minimize"
        )
    if space.direction is not None and direction not in (None, space.direction):
        raise InputError(f"direction = {space.direction}: {space.objective} is to be {direction}d; leave direction out")
    return Objective(space.direction or str(direction), means)


class _Trier(CommandLine):
    """The command line of ``fit``, which takes several, builds what each says, and trains nothing.

    Args:
        lines: words of each, which differ in values alone.
    """

    def __init__(self, lines: Sequence[Sequence[str]]) -> None:
        self._lines = lines
        super().__init__(list(lines[0]))

    def before_instantiate_classes(self) -> None:
        """Find no run folder: nothing is written."""

    def instantiate_classes(self) -> None:
        """Build what each of the lines says."""
        for line in self._lines:
            self.understand(line)
            self.parse_arguments(self.parser, None)
            settings = self.config[str(self.subcommand)]
            check_trainer(settings.trainer)
            self.config_init = build(self.parser, self.config, self, self.given)
        self.model = self.built("model")
        trainer = self.built("trainer")
        self.has_own_logger = trainer["logger"] is not None
        callbacks = trainer["callbacks"] or []
        self.callbacks: list[Callback] = callbacks if isinstance(callbacks, list) else [callbacks]

    def run_verb(self) -> None:
        """Run nothing."""
