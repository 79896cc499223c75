"""The dashboard shows trainings: of the newest run, of a named one, or of all runs of an experiment side by side."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import wandb

from callbacks import wandb_run
from fulgurite import dashboard, trainings
from fulgurite.cli import main

ROOT = Path(__file__).parents[2]
SCREEN = 40, 150  # lines, columns


def make_run(root, name, *folders, tested=(), **known):
    """A run folder as trainings and tests leave it: of what W&B keeps, only the names."""
    run = root / name
    for folder in (*folders, *tested):
        (run / "wandb" / folder).mkdir(parents=True)
        (run / "wandb" / folder / f"run-{name[-1]}.wandb").touch()
    (run / "wandb_run.json").write_text(json.dumps({"project": "p", "id": name[-1], "trainings": folders, **known}))
    return run


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two experiments: a has the newest test, b the newest training, in two sittings."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "runs"
    make_run(root, "a/1", "offline-run-20260101_000001-1", tested=["offline-run-20260101_000009-1"])
    make_run(root, "a/2", "run-20260101_000002-2")
    make_run(root, "b/3", "offline-run-20260101_000003-3", "offline-run-20260101_000005-3")
    (root / "b/latest").symlink_to("3")
    return root


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ["b.3", "b.3.2"]),  # the newest training, in all its sittings, and not the newest test
        (["a/1"], ["a.1"]),
        (["runs/a/1"], ["a.1"]),
        (["a"], ["a.1", "a.2"]),
        (["b/latest"], ["b.3", "b.3.2"]),
        (["a/2", "b"], ["a.2", "b.3", "b.3.2"]),
    ],
)
def test_what_is_opened(root, names, found):
    opened = trainings.chosen(names, root)
    assert [one.name for one in opened] == found
    assert all(one.folder.is_dir() for one in opened)


def test_a_run_that_does_not_say_which_are_its_trainings_began_with_one(tmp_path):
    run = make_run(tmp_path, "a/1", "offline-run-20260101_000001-1", tested=["offline-run-20260101_000009-1"])
    (run / "wandb_run.json").write_text(json.dumps({"project": "p", "id": "1"}))
    assert [one.folder.name for one in trainings.trainings(run)] == ["offline-run-20260101_000001-1"]


def test_the_file_that_it_reads_is_the_one_that_a_run_writes():
    assert trainings.IDENTITY == wandb_run.IDENTITY


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["c"], "dashboard c: there is no such run or experiment. Experiments in runs: a, b"),
        (["--root", "nowhere"], "no training in nowhere yet. Train first (lightning fit)"),
        (["d/4"], "dashboard d/4: nothing of a training is kept here"),
        (["a/1"], "it is drawn in a terminal, and this is none"),
    ],
)
def test_what_cannot_be_shown_is_said(root, words, said, capsys):
    (root / "d/4").mkdir(parents=True)
    if words == ["c"]:
        (root / "d/4").rmdir()
        (root / "d").rmdir()
    with pytest.raises(SystemExit) as end:
        main(["dashboard", *words])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_runs_lie_side_by_side_under_their_own_names(root, tmp_path):
    folder = dashboard._side_by_side(trainings.chosen(["a"], root), tmp_path / "wandb")
    assert {path.relative_to(folder).as_posix() for path in folder.glob("*/*")} == {
        "run-20260101_000001-a.1/run-a.1.wandb",
        "run-20260101_000002-a.2/run-a.2.wandb",
    }


def test_a_real_terminal_shows_the_runs_of_an_experiment(tmp_path):
    settings = wandb.Settings(silent=True, console="off")
    first = tmp_path / "runs/exp/one"
    first.mkdir(parents=True)
    with wandb.init(project="p", mode="offline", dir=first, id="same", settings=settings) as run:
        for step in range(3):
            run.log({"train/loss": 1.0 * step})
    (folder,) = first.glob("wandb/offline-run-*-same")
    (first / "wandb_run.json").write_text(json.dumps({"project": "p", "id": "same", "trainings": [folder.name]}))
    shutil.copytree(first, first.with_name("two"), symlinks=True)
    seen = screen(tmp_path, ["exp"], until=lambda text: "train/loss" in text and "exp.one" in text)
    assert "[2 items]" in seen
    assert {"exp.one", "exp.two"} <= set(re.findall(r"exp\.\w{3}", seen))


def screen(folder, words, until):
    """What the real command draws in a terminal of its own, without its colours; then it is closed by its own key."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", *SCREEN, 0, 0))
    command = [sys.executable, "-m", "fulgurite", "dashboard", *words]
    own = {"TERM": "xterm-256color", "WANDB_CONFIG_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=folder, stdin=follower, stdout=follower, stderr=follower, env={**os.environ, **own}, close_fds=True
    )
    os.close(follower)
    drawn, text, deadline = b"", "", time.monotonic() + 60
    try:
        while not until(text) and time.monotonic() < deadline and process.poll() is None:
            drawn += read(leader)
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode(errors="replace"))
        assert until(text), text[-2000:]
        os.write(leader, b"q")
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            read(leader)
        assert process.poll() == 0
    finally:
        process.kill()
        os.close(leader)
    return text


def read(leader):
    """What was drawn within a moment; nothing where the other end is closed, which Linux tells by an error."""
    if not select.select([leader], [], [], 0.2)[0]:
        return b""
    try:
        return os.read(leader, 65536)
    except OSError as problem:
        if problem.errno != errno.EIO:
            raise
        time.sleep(0.05)
        return b""


@pytest.mark.parametrize("written", ["[", "[]", '{"trainings": 5}', '{"trainings": [5, null]}', "[" * 100_000])
def test_a_damaged_record_is_one_sentence(root, written, capsys):
    (root / "a/1/wandb_run.json").write_text(written)
    with pytest.raises(SystemExit) as ended:
        trainings.chosen(["a"], root)
    assert ended.value.code == 2
    assert "wandb_run.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_in_the_place_of_a_record_holds_nothing_up(root, kind):
    kind(root / "b/wandb_run.json")
    (root / "a/1/wandb_run.json").unlink()
    kind(root / "a/1/wandb_run.json")
    assert [one.name for one in trainings.chosen([], root)] == ["b.3", "b.3.2"]


def test_a_training_lies_within_its_run(root):
    outside = root / "a/1/wandb/run-20270101_000000-x/../../../2/wandb/run-20260101_000002-2"
    (root / "a/1/wandb/run-20270101_000000-x").mkdir()
    assert outside.is_dir()
    name = str(outside.relative_to(root / "a/1/wandb"))
    (root / "a/1/wandb_run.json").write_text(json.dumps({"id": "1", "trainings": [name]}))
    assert trainings.trainings(root / "a/1") == []


def test_a_name_too_long_for_a_file_is_one_sentence(root, capsys):
    with pytest.raises(SystemExit) as ended:
        trainings.chosen(["a" * 5000], root)
    assert ended.value.code == 2
    assert "there is no such run or experiment" in capsys.readouterr().err
