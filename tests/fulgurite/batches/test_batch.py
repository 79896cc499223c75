"""The verb batch with a model of a user's own, in processes of their own as it runs them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fulgurite.batches.typed import typed, typed_plan
from fulgurite.cli import main
from tests.fulgurite.interrupted import interrupted

ROOT = Path(__file__).parents[3]


def commands(run):
    """The commands of a run, as its log has kept them."""
    return [line.split()[2] for line in run.with_suffix(".log").read_text().splitlines() if line.startswith("$ ")]


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_failure_is_noted_the_others_go_on_and_nothing_is_done_twice(batch, tmp_path, capsys):
    assert batch("--set", "model.width=-1,2", "--jobs", "2") == 1
    said = capsys.readouterr()
    good, bad = (tmp_path / "runs/tiny" / name for name in ("width=2+seed=0", "width=-1+seed=0"))
    assert commands(good) == ["fit", "test"]
    assert json.loads((good / "training.json").read_text())["finished"] is True
    assert "tiny/width=2+seed=0: done" in said.out
    assert "tiny/width=-1+seed=0: failed (2): runs/tiny/width=-1+seed=0.log" in said.out
    assert "error: width=-1+seed=0: " in said.err
    assert "width = -1: give a positive number" in said.err
    assert "1 of 2 runs have failed; the same command tries them again" in said.err
    assert not bad.exists()
    before = (good / "training.json").read_text()
    assert batch("--set", "model.width=2", "--jobs", "2") == 0
    assert (good / "training.json").read_text() == before
    assert commands(good) == ["fit", "test"]


def test_a_dry_run_and_a_written_batch_run_nothing(batch, tmp_path, capsys):
    assert batch("--seeds", "0,1", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["runs/tiny/seed=0: train", "runs/tiny/seed=1: train"]
    assert batch("--seeds", "4", "--set", "model.width=2", "--write", "b.yaml") == 0
    main(["batch", "b.yaml", "--dry-run"])
    assert capsys.readouterr().out.splitlines()[-1] == "runs/tiny/width=2+seed=4: train"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "--jobs 0: give at least 1"),
        (["--seeds", "a"], "--seeds a: write whole numbers with commas"),
        (["--config", "nowhere.yaml"], "--config nowhere.yaml: there is no such file"),
        (["--set", "x"], "--set x: write a key and its values"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(batch, tmp_path, capsys, words, said):
    assert batch(*words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_of_that_name_by_other_words_is_refused(batch, tmp_path, capsys):
    run = tmp_path / "runs/tiny/seed=0"
    run.mkdir(parents=True)
    (run / "training.json").write_text(json.dumps({"command": ["lightning", "fit"], "finished": True}))
    assert batch() == 2
    assert "is there already, and was trained by other words (lightning fit)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_ctrl_c_ends_all_and_the_same_command_goes_on(batch, tmp_path):
    words = [sys.executable, "-m", "fulgurite", "batch", "tiny.yaml", "--set", "trainer.max_epochs=100000"]
    run = tmp_path / "runs/tiny/max_epochs=100000+seed=0"
    said = interrupted(words, run / "checkpoints/last.ckpt")
    assert "The same command goes on: lightning batch tiny.yaml --set trainer.max_epochs=100000" in said
    assert "interrupted by Ctrl-C" in run.with_suffix(".log").read_text()
    assert not json.loads((run / "training.json").read_text())["finished"]
    listed = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, env=os.environ, check=True)
    assert listed.stdout.splitlines()[-1] == "runs/tiny/max_epochs=100000+seed=0: go on"


def test_the_commands_of_the_document_name_runs(slurm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/batch.md").read_text()
    names = ("widths.yaml", "cluster.yaml")
    for name, entries in zip(names, re.findall(r"```yaml\n(.*?)```", text, re.DOTALL), strict=True):
        (tmp_path / name).write_text(entries)
    commands = [line for line in text.splitlines() if line.startswith("lightning batch")]
    counts = []
    for command in [*commands, *(f"lightning batch {name}" for name in names)]:
        words = shlex.split(command, comments=True)[1:]
        if "ray" in words:  # would ask for a cluster
            counts.append(len(typed_plan(typed(words[1:])).tasks()))
            continue
        main([*words, "--dry-run"])
        counts.append(capsys.readouterr().out.count(": train\n"))
    assert counts == [6, 4, 1, 3, 3, 3, 6, 3]
