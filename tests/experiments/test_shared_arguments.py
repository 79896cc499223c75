"""What a model and its data must agree on stands once in the shipped files: under data."""

from pathlib import Path

import pytest
import yaml

import lightning_models

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SYSTEMS = {path.stem: yaml.safe_load(path.read_text()) for path in EXPERIMENTS.glob("*.yaml")}


@pytest.mark.parametrize("system", SYSTEMS)
def test_shared_arguments_stand_under_data(system):
    shared = getattr(lightning_models, SYSTEMS[system]["model"]["class_path"]).shared_with_data
    data = SYSTEMS[system]["data"]["init_args"]
    assert set(shared.values()) <= data.keys()
    for path in [EXPERIMENTS / f"{system}.yaml", *(EXPERIMENTS / system).glob("*.yaml")]:
        written = yaml.safe_load(path.read_text()).get("model", {}).get("init_args", {})
        assert not written.keys() & shared.keys(), path.name
