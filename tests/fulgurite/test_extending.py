"""The walk-through of docs/extending.md, as a newcomer would follow it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from fulgurite.cli import main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/extending.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
CODE, CONFIG, PROJECT = (next(text for kind, text in BLOCKS if kind == wanted) for wanted in ("python", "yaml", "toml"))
COMMANDS = [text.splitlines() for kind, text in BLOCKS if kind == "bash"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "sixth":
            del sys.modules[name]


def run(commands: list[str]) -> None:
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "lightning"
        main([*words, "--trainer.max_epochs", "2"] if words[0] == "fit" else words)


def test_two_files_and_the_commands_of_the_document():
    Path("sixth.py").write_text(CODE)
    Path("sixth.yaml").write_text(CONFIG)
    run(COMMANDS[0])
    best = torch.load("runs/sixth/small/checkpoints/best.ckpt", weights_only=True)
    assert best["hyper_parameters"]["width"] == 8
    saved = yaml.safe_load(Path("runs/sixth/small/config.yaml").read_text())
    assert saved["trust"] == ["sixth"]
    assert saved["model"]["class_path"] == "sixth.Denoiser"
    with (Path("runs/sixth/small") / "metrics.csv").open() as file:
        values = [line for line in file.read().splitlines() if line]
    column = values[0].split(",").index("val/psnr")
    ratios = [float(row.split(",")[column]) for row in values[1:] if row.split(",")[column]]
    assert ratios[-1] > ratios[0] > 11  # noise of 0.3 alone is 10.5 dB
    assert sorted(path.name for path in Path().iterdir() if path.suffix) == ["sixth.py", "sixth.yaml"]


@pytest.mark.slow
def test_the_package_of_the_document(tmp_path, monkeypatch, capsys):
    source, site = tmp_path / "source", tmp_path / "site"
    (source / "sixth/experiments").mkdir(parents=True)
    # this process knows the classes of the other test by their short names
    code, config = (re.sub(r"\b(Denoiser|Stripes|Quality)\b", r"Packaged\1", text) for text in (CODE, CONFIG))
    (source / "sixth/__init__.py").write_text(code)
    (source / "sixth/experiments/sixth.yaml").write_text(config)
    (source / "pyproject.toml").write_text(PROJECT)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, capture_output=True)
    monkeypatch.syspath_prepend(site)
    run(COMMANDS[1])
    assert "sixth                   Sixth: takes noise out of stripes." in capsys.readouterr().out
    assert (tmp_path / "runs/sixth/latest/checkpoints/best.ckpt").is_file()


@pytest.mark.parametrize("rule", [("check", "--extend-ignore", "D102,D105,RUF012,ANN"), ("format", "--check")])
def test_the_code_keeps_to_our_own_style(rule):
    ruff = Path(sys.executable).with_name("ruff")
    words = [str(ruff), *rule, "--stdin-filename", "sixth.py", "-"]
    done = subprocess.run(words, input=CODE, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
