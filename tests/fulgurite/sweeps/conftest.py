"""A space of the small experiment, and a quick stand-in for its trainings."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fulgurite.batches import command, pool
from fulgurite.cli import main

SPACE: dict[str, Any] = {
    "experiment": "tiny.yaml",
    "objective": "val/score",
    "direction": "maximize",
    "trials": 6,
    "sampler": {"kind": "tpe", "startup_trials": 3},
    "pruner": {"kind": "median", "startup_trials": 2},
    "search": {
        "model.lr": {"type": "float", "low": "1e-4", "high": 1, "log": True},
        "model.kind": {"choices": ["warm", "cold"]},
        "model.scale": {"type": "float", "low": 1, "high": 2, "when": {"model.kind": "warm"}, "otherwise": None},
        "model.width": {"type": "int", "low": 1, "high": 7, "step": 2},
    },
}


@pytest.fixture
def space(experiment: str) -> Callable[..., str]:
    """Write a space with entries changed, and return its file; None leaves one out."""

    def write(**changed: Any) -> str:
        found = {key: value for key, value in {**SPACE, **changed}.items() if value is not None}
        Path("space.yaml").write_text(yaml.safe_dump(found, sort_keys=False))
        return "space.yaml"

    return write


@pytest.fixture
def checked(space: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run ``lightning sweep`` on the space, whose trainings are stood in for, and return its exit status."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(command, "PROGRAM", (sys.executable, "-S", str(Path(__file__).parent / "stand_in.py")))
    monkeypatch.setattr(pool, "LOOK", 0.01)

    def run(*words: str, **changed: Any) -> int:
        try:
            main(["sweep", space(**changed), *words])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


@pytest.fixture
def sweep(checked: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The same of a space that is known to fit its experiment; to try that takes a second."""
    from fulgurite.sweeps import search
    from fulgurite.sweeps.check import Objective

    monkeypatch.setattr(search, "check_space", lambda space: Objective("maximize"))
    return checked


def trials(study: str = "space_sweep") -> list[dict[str, Any]]:
    """What the trials of a study say of themselves, in their order."""
    return [json.loads(path.read_text()) for path in sorted(Path("runs", study).glob("trial-*/trial.json"))]
