"""Every space that ships fits its experiment: each key is there, each bound and choice is accepted."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from datamodules.errors import InputError
from fulgurite.experiment_files import spaces
from fulgurite.sweeps.check import check_space
from fulgurite.sweeps.space_file import find_space, read_space

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_every_system_has_one():
    systems = {path.stem for path in EXPERIMENTS.glob("*.yaml") if path.with_suffix("").is_dir()}
    assert set(spaces()) == systems


@pytest.mark.slow  # a model is built by every bound
@pytest.mark.parametrize("name", spaces())
def test_a_space_fits_its_experiment(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = read_space(find_space(name), {})
    experiment = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text())
    assert space.experiment == name
    assert space.objective == experiment["checkpoints"]["monitor"]
    objective = check_space(space)
    assert objective.mode == experiment["checkpoints"]["mode"]
    assert objective.means
    epochs = space.fixed.get("trainer.max_epochs", experiment["trainer"]["max_epochs"])
    every = epochs / space.fixed["trainer.check_val_every_n_epoch"]
    assert every == int(every) >= 5
    assert not any(tmp_path.iterdir())


def test_an_objective_that_nothing_logs_is_told_with_its_neighbours():
    space = read_space(find_space("aitex_vae"), {})
    unknown = replace(space, objective="val/tile_aurok", parameters=space.parameters[:1])
    with pytest.raises(InputError, match=r"objective = val/tile_aurok: nothing logs it. Did you mean 'val/tile_auroc'"):
        check_space(unknown)
    with pytest.raises(InputError, match="direction = minimize: val/tile_auroc is to be maximized; leave"):
        check_space(replace(space, direction="minimize", parameters=space.parameters[:1]))
