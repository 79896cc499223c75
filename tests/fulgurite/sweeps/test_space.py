from pathlib import Path

import pytest
import yaml

from datamodules.errors import InputError
from fulgurite.sweeps.parameter import LEFT, read_parameter
from fulgurite.sweeps.space import short_names, shown
from fulgurite.sweeps.space_file import read_space
from tests.fulgurite.sweeps.conftest import SPACE


def test_values_follow_their_conditions(space):
    found = read_space(Path(space()), {})
    chosen = {"model.lr": 0.1, "model.kind": "warm", "model.scale": 1.5, "model.width": 3}
    searched, every = found.values(lambda one: chosen[one.key])
    assert searched == every == chosen
    searched, every = found.values(lambda one: (chosen | {"model.kind": "cold"})[one.key])
    assert searched == {"model.lr": 0.1, "model.kind": "cold", "model.width": 3}
    assert every == searched | {"model.scale": None}
    words = found.task(7, every, "max").fit_words()
    assert words[words.index("--model.scale") + 1] == "null"
    assert words[words.index("--checkpoints.monitor") + 1] == "val/score"
    assert words[-1] == "trial-007"


def test_what_is_not_searched_may_be_left_to_the_experiment(space):
    entry = {"type": "float", "low": 1, "high": 2, "when": {"model.kind": ["warm"]}}
    found = read_space(Path(space(search={**SPACE["search"], "model.scale": entry})), {})
    assert found.parameters[2].otherwise is LEFT
    assert "model.scale" not in found.values(lambda one: one.edges[-1])[1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"search": None}, "this is no space, it has no search"),
        ({"trails": 3}, "a space has no trails; it has experiment, configs"),
        ({"experiment": None}, "experiment = None: give a name"),
        ({"objective": "train/loss"}, "objective = train/loss: name a metric of the validations"),
        ({"direction": "up"}, "direction = up: give maximize or minimize"),
        ({"trials": 0}, "trials = 0: give a whole number of at least 1"),
        ({"pruner": "medium"}, "pruner = medium: give median, hyperband, none"),
        ({"pruner": {"kind": "median", "startup": 1}}, "median has no option startup; it has startup_trials"),
        ({"pruner": {"kind": "hyperband", "reduction": 1}}, "pruner.reduction = 1: give a whole number of at least 2"),
        ({"configs": "a"}, "configs = a: give a list"),
    ],
)
def test_entries_without_a_meaning_are_named(space, changed, said):
    with pytest.raises(InputError, match=said):
        read_space(Path(space(**changed)), {})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (3, "search.a = 3: give a mapping"),
        ({"low": 1, "high": 2}, "search.a.type = None: give float, int, choice"),
        ({"type": "float", "low": 1}, "search.a.high: not given"),
        ({"type": "float", "low": 1, "max": 2}, "a float has no max; it has type, low, high"),
        ({"type": "float", "low": 2, "high": 1}, "low has to be the smaller one"),
        ({"type": "float", "low": 0, "high": 1, "log": True}, "log needs a low above 0"),
        ({"type": "int", "low": 1, "high": 2.5}, "search.a.high = 2.5: give a whole number"),
        ({"type": "int", "low": 1, "high": 6, "step": 2}, "6 is no whole number of steps of 2 above 1"),
        ({"type": "float", "low": True, "high": 6}, "search.a.low = True: give a number"),
        ({"choices": [1]}, "give a list of at least two values"),
        ({"choices": [1, "1"]}, "one comes twice"),
        ({"choices": [1, 2], "when": {"z": 1}}, "z is no choice that stands above it"),
        ({"choices": [1, 2], "when": {"b": 3}}, "b is never 3; it is x | y"),
        ({"choices": [1, 2], "otherwise": 3}, "otherwise = 3: it counts beside when alone"),
    ],
)
def test_a_parameter_without_a_meaning_is_named(entry, said):
    above = {"b": read_parameter("b", {"choices": ["x", "y"]}, {}, "s.yaml")}
    with pytest.raises(InputError, match=said.replace("|", r"\|")):
        read_parameter("a", entry, above, "s.yaml")


def test_numbers_are_those_that_people_write():
    found = read_parameter("a", yaml.safe_load("{type: float, low: 1e-4, high: 1e-1, log: true}"), {}, "s.yaml")
    assert (found.low, found.high, str(found)) == (1e-4, 0.1, "0.0001 to 0.1, log")


def test_names_are_as_short_as_tells_them_apart():
    assert short_names(["a.lr", "b.lr", "c.ngf"]) == ["a.lr", "b.lr", "ngf"]
    assert shown({"a.lr": 0.000123456, "a.size": [64, 64], "a.on": True}) == "lr 0.0001235, size [64, 64], on true"
