"""The command offers every training argument of the bases, typed, for every system: from a YAML file and by option."""

from pathlib import Path

import pytest
import yaml
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningArgumentParser

import lightning_models
from fulgurite.cli import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SHIPPED = sorted(EXPERIMENTS.glob("*.yaml"))
TRAINING = {"gradient_clip": 0.5, "accumulate": 3, "ema_decay": 0.9, "schedule": "step"}


def parser():
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(LightningModule, "model", fail_untyped=False)
    return parser


def parsed(tmp_path, files, words=()):
    """The model's part of several configurations, and of options after them."""
    configs = []
    for number, content in enumerate(files):
        model = (yaml.safe_load(content.read_text()) if isinstance(content, Path) else content)["model"]
        configs.append(tmp_path / f"{number}.yaml")
        configs[-1].write_text(yaml.safe_dump({"model": model}))
    return parser().parse_args([*(f"--config={path}" for path in configs), *words]).model.init_args


def arguments_of(path):
    kind = getattr(lightning_models, yaml.safe_load(path.read_text())["model"]["class_path"])
    return [
        kind.argument(phase, part) for part in ("optimizer", "scheduler") for phase in kind.phases
    ], "discriminator" in kind.phases


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_file_sets_every_training_argument(path, tmp_path):
    factories, adversarial = arguments_of(path)
    given = {**TRAINING, **({"n_critic": 2} if adversarial else {})}
    for name in factories:
        kind = "torch.optim.SGD" if "optimizer" in name else "torch.optim.lr_scheduler.StepLR"
        given[name] = {"class_path": kind, "init_args": {"lr": 0.5} if "optimizer" in name else {"step_size": 7}}
    settings = parsed(tmp_path, [path, {"model": {"init_args": given}}])
    assert {name: settings[name] for name in given if name not in factories}.items() <= given.items()
    for name in factories:
        assert settings[name].class_path == given[name]["class_path"]
        assert settings[name].init_args.as_dict().items() >= given[name]["init_args"].items()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_an_option_sets_every_training_argument(path, tmp_path):
    factories, adversarial = arguments_of(path)
    given = {**TRAINING, **({"n_critic": 2} if adversarial else {})}
    words = [f"--model.{name}={value}" for name, value in given.items()]
    for name in factories:
        if "optimizer" in name:
            words.append(f"--model.{name}.lr=0.5")
        else:
            words += [f"--model.{name}=StepLR", f"--model.{name}.step_size=7"]
    settings = parsed(tmp_path, [path], words)
    assert {name: settings[name] for name in given} == given
    for name in factories:
        changed = {"lr": 0.5} if "optimizer" in name else {"step_size": 7}
        assert settings[name].init_args.as_dict().items() >= changed.items()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_help_shows_every_training_argument_with_its_type_and_meaning(path, capsys):
    factories, adversarial = arguments_of(path)
    kind = yaml.safe_load(path.read_text())["model"]["class_path"]
    with pytest.raises(SystemExit):
        parser().parse_args([f"--model.help={kind}"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in (*TRAINING, *factories, *(["n_critic"] if adversarial else [])):
        assert f"[--model.{name} " in shown
    assert "largest norm of a phase's gradient" in shown
    assert "(type: int, default: 1)" in shown
    assert "optimizers" not in shown
    assert "averaged_phase" not in shown


def test_the_command_shows_the_help_of_a_model_and_of_the_weights_of_its_losses(capsys):
    for words, shown in (([], "--model.n_critic"), (["--model.weights.help"], "--model.weights.flow_consistency")):
        with pytest.raises(SystemExit) as end:
            main(["fit", "--model.help", "VTAGAN", *words])
        assert not end.value.code
        assert shown in capsys.readouterr().out
