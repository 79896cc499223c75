"""A configuration or a checkpoint of somebody else runs nothing and shows nothing of this machine's files."""

import os
from pathlib import Path

import pytest
import torch
import yaml

from fulgurite.cli import main

SECRET = "root:x:0:0:the administrator"


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def answer(capsys, verb, *words):
    with pytest.raises(SystemExit) as end:
        main([verb, "--config", "tiny.yaml", *words])
    said = capsys.readouterr()
    assert end.value.code == 2, said
    return said.err + said.out


@pytest.fixture
def bomb(experiment, tmp_path):
    canary = tmp_path / "canary"
    torch.save({"state_dict": {}, "callbacks": Bomb(canary)}, tmp_path / "bomb.ckpt")
    yield "bomb.ckpt"
    assert not canary.exists()


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "sample"])
def test_a_checkpoint_that_is_a_program_is_not_run(verb, bomb, capsys):
    Path("hostile.yaml").write_text(f"ckpt_path: {bomb}\n")
    answer(capsys, verb, "--config", "hostile.yaml")


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "sample"])
@pytest.mark.parametrize("written", ["true", "false"])
def test_nobody_can_ask_for_it_to_be_run(verb, written, bomb, capsys):
    Path("hostile.yaml").write_text(f"ckpt_path: {bomb}\nweights_only: {written}\n")
    assert "weights_only" in answer(capsys, verb, "--config", "hostile.yaml")
    assert "weights_only" in answer(capsys, verb, "--ckpt_path", bomb, "--weights_only", written)


KEYS = ["config", "trainer", "run", "checkpoints", "wandb", "model", "data", "seed_everything", "ckpt_path"]
KEYS += [f"trainer.{key}" for key in ("callbacks", "logger", "strategy", "plugins", "profiler", "devices", "precision")]
KEYS += ["trainer.max_epochs", "run.name", "run.root", "wandb.tags", "checkpoints.mode"]
KEYS += [f"model.init_args.{key}" for key in ("optimizer", "size", "weights", "scale", "kind")]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("content", [f"{SECRET}\n", f"{{value: '{SECRET}'}}\n", f"['{SECRET}']\n"])
def test_a_value_is_never_the_name_of_a_file_to_read(key, content, experiment, tmp_path, capsys):
    (tmp_path / "secret.txt").write_text(content)
    value = str(tmp_path / "secret.txt")
    for part in reversed(key.split(".")):
        value = {part: value}
    Path("hostile.yaml").write_text(yaml.safe_dump(value))
    assert SECRET not in answer(capsys, "fit", "--config", "hostile.yaml")


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_weights_that_are_no_numbers_are_refused(verb, fit, capsys):
    path = fit() / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["line.bias"].fill_(float("nan"))
    torch.save(checkpoint, path)
    said = answer(capsys, verb, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    assert f"{path}: line.bias holds values that are not finite" in said


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_damaged_weights_are_refused(verb, fit, capsys):
    path = fit() / "checkpoints/last.ckpt"
    whole, weight = path.read_bytes(), torch.load(path, weights_only=True)["state_dict"]["line.weight"]
    damaged = bytearray(whole)
    damaged[whole.index(weight.numpy().tobytes())] ^= 1
    path.write_bytes(damaged)
    assert f"{path} is not a whole checkpoint (Bad CRC" in answer(capsys, verb, "--ckpt_path", "last")
