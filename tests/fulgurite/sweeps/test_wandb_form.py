"""A space as a sweep of W&B, and what its agents type: both as W&B's own code has them, without a network."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml

from fulgurite.agent_words import SWEEP, of_agent
from fulgurite.cli import main
from fulgurite.sweeps import wandb_form
from fulgurite.sweeps.check import Objective
from fulgurite.sweeps.space_file import read_space
from tests.fulgurite.sweeps.conftest import SPACE

SEARCH = {key: entry for key, entry in SPACE["search"].items() if key != "model.scale"}
SEARCH |= {
    "model.size": {"choices": [[32, 32], [64, 32]]},
    "data.batch_size": {"type": "int", "low": 1, "high": 8, "log": True},
    "data.num_workers": {"type": "int", "low": 0, "high": 1},
}


def printed(words, capsys):
    main(words)
    return capsys.readouterr().out


def refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.fixture
def searched(space):
    return space(search=SEARCH, pruner="hyperband")


def test_it_is_what_wandb_takes_and_its_values_are_those_of_the_space(searched, capsys):
    optuna = pytest.importorskip("optuna")
    from wandb.sdk.sweeps.scheduler.optuna import search_space_from_sweep_config

    from fulgurite.sweeps.study import _suggested

    written = yaml.safe_load(printed(["sweep", searched, "--print", "wandb"], capsys))
    assert written["metric"] == {"name": "val/score", "goal": "maximize"}
    assert written["early_terminate"] == {"type": "hyperband", "min_iter": 1, "eta": 3}
    assert (written["method"], written["run_cap"], written["program"]) == ("bayes", 6, "lightning")
    theirs = search_space_from_sweep_config(written["parameters"])
    for one in read_space(Path(searched), {}).parameters:
        trial = optuna.create_study().ask()
        _suggested(trial, one)
        ours = trial.distributions[one.key]
        if one.kind == "choice":
            assert list(theirs[one.key].choices) == list(one.choices)
        elif one.step:
            assert list(theirs[one.key].choices) == list(range(ours.low, ours.high + 1, ours.step))
        else:
            assert theirs[one.key] == ours


@pytest.mark.parametrize("form", ["args", "args_no_equals", "args_no_boolean_flags"])
def test_what_an_agent_types_is_understood(searched, form, monkeypatch, capsys):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args  # here: seconds to import

    monkeypatch.setattr(wandb_form, "check_space", lambda space: Objective("maximize"))
    written = yaml.safe_load(printed(["sweep", searched, "--print", "wandb", "--data.source", "null"], capsys))
    assert written["command"][-1] == "${args}"
    chosen = {
        "model.lr": 1e-05,
        "model.size": [64, 32],
        "model.kind": "cold",
        "model.scale": None,
        "model.fails": True,
        "model.weights": {"a": 0.5},
        "data.batch_size": 3,
        "trainer.enable_checkpointing": True,
    }
    forms = create_sweep_command_args({"args": {key: {"value": value} for key, value in chosen.items()}})
    words = [*create_sweep_command(written["command"])[1:-1], *forms[form]]
    assert words[0] == "lightning"
    monkeypatch.setenv(SWEEP, "abc123")
    config = yaml.safe_load(said([*words[1:], "--print_config"]))
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    assert (model["lr"], model["size"], model["kind"], model["scale"]) == (1e-05, [64, 32], "cold", None)
    assert (model["fails"], model["weights"], data["batch_size"], data["source"]) == (True, {"a": 0.5}, 3, None)
    assert config["checkpoints"] == {**config["checkpoints"], "monitor": "val/score", "mode": "max"}


def said(words):
    text = io.StringIO()
    with redirect_stdout(text), pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code
    return text.getvalue()


def test_without_an_agent_words_stay_what_they_are(monkeypatch):
    words = ["fit", "--model.a", "--model.b", "None", "--x"]
    assert of_agent(words) == words
    monkeypatch.setenv(SWEEP, "abc123")
    assert of_agent(words) == ["fit", "--model.a=true", "--model.b", "null", "--x"]


def test_what_it_cannot_express_is_refused(space, searched, capsys):
    words = ["sweep", searched, "--print", "wandb"]
    said = refused([*words, "--pruner", "median"], capsys)
    assert "pruner = median: W&B gives runs up by hyperband or not at all; add --pruner hyperband" in said
    space(pruner="none")
    assert "search.model.scale.when: a sweep of W&B searches every setting" in refused(words, capsys)
