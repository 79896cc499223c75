"""Weights of losses in configurations: files lie over each other weight by weight, old names are told the new ones."""

from pathlib import Path

import pytest
import yaml
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningArgumentParser

import lightning_models
from fulgurite.cli import main
from fulgurite.renamed import RENAMED

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SHIPPED = sorted(EXPERIMENTS.glob("*.yaml"))
SCHEDULE = {
    "class_path": "lightning_models.training.schedules.Cyclical",
    "init_args": {"weight": 2.0, "period": 4.0, "ratio": 0.5},
}


def weights_of(tmp_path, files, *words):
    """The weights that the command makes of a shipped file, further ones and options."""
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(LightningModule, "model", fail_untyped=False)
    configs = []
    for number, content in enumerate(files):
        model = yaml.safe_load(content.read_text())["model"] if isinstance(content, Path) else content
        configs.append(tmp_path / f"{number}.yaml")
        configs[-1].write_text(yaml.safe_dump({"model": model}))
    settings = parser.parse_args([*(f"--config={path}" for path in configs), *words])
    return settings.model.init_args.weights.as_dict()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_lies_on_top_changes_the_weights_it_names_and_no_other(path, tmp_path):
    shipped = weights_of(tmp_path, [path])
    for name in shipped:
        for value in (0.0, SCHEDULE):
            overlay = {"init_args": {"weights": {name: value}}}
            assert weights_of(tmp_path, [path, overlay]) == {**shipped, name: value}
        assert weights_of(tmp_path, [path], f"--model.weights.{name}", "0.5") == {**shipped, name: 0.5}


def test_one_number_of_a_schedule_can_be_changed(tmp_path):
    path = EXPERIMENTS / "motor_vae_gan.yaml"
    shipped = weights_of(tmp_path, [path])["kl"]["init_args"]
    changed = weights_of(tmp_path, [path], "--model.weights.kl.end_epoch", "99")["kl"]["init_args"]
    assert changed == {**shipped, "end_epoch": 99.0}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_file_names_every_weight(path):
    model = yaml.safe_load(path.read_text())["model"]
    default = getattr(lightning_models, model["class_path"]).default_weights
    assert list(model["init_args"]["weights"]) == list(default.by_name())


OLD = {
    "vta_gan": ({"smoothness_weight": 0.3}, "model.smoothness_weight = 0.3", "model.weights.smoothness: 0.3"),
    "cnn_param_tanh": ({"beta": 0.3}, "model.beta = 0.3", "model.weights.kl: 0.3"),
    "audio_to_video": ({"l2_weight": 0.3}, "model.l2_weight = 0.3", "model.weights.l2: 0.3"),
    "aitex_vae": ({"losses": {"ssim": 0.3}}, "model.losses", "model.weights: {ssim: 0.3}"),
    "motor_vae_gan": (
        {"beta": {"class_path": "lightning_models.variational.CyclicalBeta", "init_args": {"beta": 1, "period": 2}}},
        "model.beta = lightning_models.variational.CyclicalBeta",
        "model.weights.kl: lightning_models.training.schedules.Cyclical",
    ),
}


@pytest.mark.parametrize("experiment", OLD)
def test_an_old_configuration_is_told_the_new_names(experiment, tmp_path, capsys):
    arguments, old, new = OLD[experiment]
    (tmp_path / "old.yaml").write_text(yaml.safe_dump({"model": {"init_args": arguments}}))
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", str(EXPERIMENTS / f"{experiment}.yaml"), "--config", str(tmp_path / "old.yaml")])
    assert end.value.code == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert old in said
    assert f"write {new}" in said


def test_every_weight_with_a_new_name_exists():
    models = [getattr(lightning_models, name) for name in lightning_models.__all__]
    names = {f"model.weights.{name}" for model in models for name in model.default_weights.by_name()}
    told = {new for new in RENAMED.values() if new.startswith("model.weights.")}
    assert told <= names


def test_a_weight_that_no_loss_has_is_refused_with_the_one_that_was_meant(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(EXPERIMENTS / "vta_gan.yaml"), "--model.weights.reconstuction", "3"])
    assert "model.weights.reconstuction = 3" in (said := capsys.readouterr().err)
    assert "Did you mean 'reconstruction'?" in said
