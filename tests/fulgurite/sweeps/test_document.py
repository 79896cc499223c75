"""docs/sweeps.md names spaces that are there, options that are understood, and a space that can be read."""

import shlex
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from fulgurite.cli import main
from fulgurite.sweeps import search
from fulgurite.sweeps.check import Objective
from fulgurite.sweeps.space_file import read_space

ROOT = Path(__file__).parents[3]


def test_the_commands_of_the_document_name_spaces(tmp_path, monkeypatch, capsys):
    """What their experiments accept is tried in tests/experiments/test_sweeps.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "check_space", lambda space: Objective("maximize"))
    monkeypatch.setattr("fulgurite.sweeps.wandb_form.check_space", lambda space: Objective("maximize"))
    text = (ROOT / "docs/sweeps.md").read_text()
    Path("my_space.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    commands = [line.partition(" >")[0] for line in text.splitlines() if line.startswith("lightning sweep")]
    said = []
    for words in (shlex.split(command, comments=True)[1:] for command in commands):
        main([*words, *([] if "--print" in words else ["--dry-run"])])
        said.append(capsys.readouterr().out)
    assert [text.splitlines()[0] for text in said[:3]] == ["20 trials of vta_gan, vta_gan/small"] * 3
    assert "  data.source: my_videos\n" in said[1]
    assert "  model.flow_width: 0.05 to 0.25, where model.flow_backend is flownet_sd\n" in said[2]
    assert "wandb agent ID" in said[3]
    assert read_space(Path("my_space.yaml"), {}).parameters[0].low == 5e-5
