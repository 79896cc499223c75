"""A space as a sweep of Weights & Biases, whose agents call ``lightning fit``."""

import math
from typing import Any

import yaml

from datamodules.errors import InputError
from fulgurite.sweeps.check import check_space
from fulgurite.sweeps.parameter import Number, Parameter
from fulgurite.sweeps.space import Space

METHODS = {"tpe": "bayes", "random": "random"}


def wandb_sweep(space: Space) -> str:
    """Return the YAML of ``wandb sweep``, after the space was checked as it is before a search of our own.

    Raises:
        InputError: if the space does not fit its experiment, or has what a sweep there cannot express.
    """
    if conditional := [one for one in space.parameters if one.when]:
        raise InputError(
            f"search.{conditional[0].key}.when: a sweep of W&B searches every setting in every run, and has no "
            "conditions; remove it for --print wandb, or search by lightning sweep"
        )
    if space.pruner.kind == "median":
        raise InputError(
            "pruner = median: W&B gives runs up by hyperband or not at all; add --pruner hyperband or --pruner none"
        )
    objective = check_space(space)
    task = space.task(0, {}, objective.mode)
    words = task.fit_words()
    sweep: dict[str, Any] = {
        "program": "lightning",
        "name": space.name,
        "method": METHODS[space.sampler.kind],
        "metric": {"name": space.objective, "goal": objective.direction},
        "run_cap": space.trials,
        "parameters": {one.key: _parameter(one) for one in space.parameters},
        "command": ["${env}", "lightning", *words[: words.index("--run.root")], "${args}"],
    }
    if space.pruner.kind == "hyperband":
        options = space.pruner.options
        stop = {"type": "hyperband", "min_iter": options["first_validation"], "eta": options["reduction"]}
        sweep["early_terminate"] = stop
    text: str = yaml.safe_dump(sweep, sort_keys=False, allow_unicode=True, width=120)
    return f"# {objective.direction} {space.objective}; start it by: wandb sweep FILE, then wandb agent ID\n{text}"


def _parameter(one: Parameter) -> dict[str, Any]:
    if one.kind == "choice":
        return {"values": list(one.choices)}
    if one.step is not None:
        return {"values": _values(one, one.step)}
    bounds = {"min": one.low, "max": one.high}
    if one.kind == "int":
        return {"distribution": "q_log_uniform_values", "q": 1, **bounds} if one.log else bounds
    return {"distribution": "log_uniform_values" if one.log else "uniform", **bounds}


def _values(one: Parameter, step: Number) -> list[Number]:
    """Return all values of a parameter with steps; W&B counts steps from 0, and not from the lowest value."""
    count = round((one.high - one.low) / step) + 1
    if one.kind == "int":
        return [one.low + number * step for number in range(count)]
    digits = 12 - math.floor(math.log10(max(abs(one.low), abs(one.high))))
    return [round(one.low + number * step, digits) for number in range(count)]
