"""SIGTERM and Ctrl-C end a command with a word, the right status and, in a training, a checkpoint to go on from."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from fulgurite.cli import main

CODES = {"TERM": 143, "INT": 130}
NAMES = {"TERM": "SIGTERM", "INT": "Ctrl-C", "USR1": "SIGUSR1"}
EPOCHS, BATCHES = 3, 4


@pytest.fixture(autouse=True)
def config(experiment):
    """Three epochs of four batches, each validated by four more, with the model that gets signals."""
    config = yaml.safe_load(Path(experiment).read_text())
    config["trust"].append("signalled")
    config["model"] = {"class_path": "Signalled"}
    config["data"]["init_args"] = {"batch_size": 2}
    config["trainer"] |= {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, "enable_progress_bar": False}
    Path(experiment).write_text(yaml.safe_dump(config))


def interrupted(capfd, which, *words, verb="fit"):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as end:
        main([verb, "--config", "tiny.yaml", "--model.which", which, *words])
    said = capfd.readouterr().err.strip().splitlines()
    assert end.value.code == (CODES | {"USR1": 138})[which]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert said[-1].startswith(f"interrupted by {NAMES[which]}.")
    return said[-1]


def state(run):
    """What a run has come to, without the way it took."""
    last, best = (torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True) for name in ("last", "best"))
    index = json.loads((run / "checkpoints/index.json").read_text())
    return index, [last["state_dict"], last["optimizer_states"], last.get("weight_average"), best["state_dict"]]


def the_same(one, other):
    assert one[0] == other[0]
    torch.testing.assert_close(one[1], other[1], rtol=0, atol=0)


def calls():
    lines = Path("calls.txt").read_text().split()
    Path("calls.txt").unlink()
    return {name: lines.count(name) for name in ("train", "validation")}


@pytest.fixture
def uninterrupted():
    """The final state of a run of given options that nobody disturbs."""

    def run(*words):
        main(["fit", "--config", "tiny.yaml", "--run.experiment", "whole", *words])
        return state(Path("runs/whole/latest").resolve()), calls()

    return run


# where it arrives, at which call, how many training batches the saved state has seen, and validation batches repeated
PLACES = [
    ("train", 5, 5, 0),  # the first batch of the second epoch
    ("train", 8, 8, 1),  # its last one
    ("validation", 5, 8, 1),  # the first batch of its validation
    ("validation", 8, 8, 4),  # its last one
    ("save", 3, 8, 0),  # while best.ckpt is written
    ("save", 4, 8, 0),  # while last.ckpt is written
    ("epoch_end", 2, 8, 0),
    ("validation", 12, 12, 4),  # the last of all
]


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize(("at", "count", "seen", "repeated"), PLACES)
def test_a_training_ends_where_it_can_be_continued(at, count, seen, repeated, which, uninterrupted, capfd):
    options = ["--model.ema_decay", "0.5"]
    whole, number = uninterrupted(*options)
    said = interrupted(capfd, which, "--model.at", at, "--model.count", str(count), *options)
    run = Path("runs/tiny/latest").resolve()
    assert saved(run) == seen
    command = said.partition("Go on with: lightning ")[2]
    assert str(run.relative_to(Path.cwd())) in command
    main([*shlex.split(command), "--model.at", "never"])
    again = calls()
    assert again["train"] == number["train"]
    assert again["validation"] == number["validation"] + repeated
    if seen % BATCHES == 0:  # within an epoch the order of the data begins again
        the_same(state(run), whole)


def saved(run):
    loops = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["loops"]["fit_loop"]
    return loops["epoch_loop.batch_progress"]["total"]["ready"]


def test_a_window_of_gradients_is_finished_first(capfd):
    interrupted(capfd, "TERM", "--model.at", "train", "--model.count", "1", "--model.accumulate", "3")
    assert saved(Path("runs/tiny/latest")) == 3


@pytest.mark.parametrize(("count", "seen", "repeated"), [(1, 1, 0), (2, 2, 1), (3, 3, 0)])
def test_a_validation_within_the_epoch_is_not_left_out(count, seen, repeated, uninterrupted, capfd):
    words = ["--trainer.val_check_interval", "2"]
    number = uninterrupted(*words)[1]
    interrupted(capfd, "TERM", "--model.at", "train", "--model.count", str(count), *words)
    assert saved(Path("runs/tiny/latest")) == seen
    main(["fit", "--config", "tiny.yaml", "--ckpt_path", "last", *words])
    assert calls() == {"train": number["train"], "validation": number["validation"] + repeated}


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("at", ["setup", "sanity"])
def test_a_start_is_broken_off_and_leaves_nothing(at, which, capfd):
    words = ["--trainer.num_sanity_val_steps", "2"] if at == "sanity" else []
    said = interrupted(capfd, which, "--model.at", "validation" if at == "sanity" else at, *words)
    assert said.endswith("Nothing was saved yet: begin anew")
    assert at == "sanity" or not list(Path("runs/tiny").iterdir())
    main(["fit", "--config", "tiny.yaml"])


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_other_verbs_end_at_once(verb, which, capfd):
    main(["fit", "--config", "tiny.yaml"])
    calls()
    at = {"validate": "validation"}.get(verb, verb)
    said = interrupted(capfd, which, "--model.at", at, "--ckpt_path", "last", verb=verb)
    assert said.endswith(".")
    assert Path("calls.txt").read_text().split() == ["setup", at]


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize(("at", "count"), [("train", 6), ("validation", 6), ("save", 4)])
def test_the_second_signal_ends_at_once(at, count, which, capfd):
    interrupted(capfd, which, "--model.at", at, "--model.count", str(count), "--model.times", "2")
    run = Path("runs/tiny/latest").resolve()
    assert saved(run) == 4
    assert [path.name for path in run.glob("checkpoints/.tmp*")] == []
    main(["fit", "--config", str(run / "config.yaml"), "--ckpt_path", "last", "--model.at", "never"])
    assert saved(run) == EPOCHS * BATCHES


@pytest.fixture
def in_slurm(monkeypatch, tmp_path):
    """A job of SLURM, with a scontrol that notes what it is told, or fails."""

    def begin(code=0, **more):
        tmp_path.joinpath("bin").mkdir()
        scontrol = tmp_path / "bin/scontrol"
        scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\necho "no such job" >&2\nexit {code}\n')
        scontrol.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
        job = {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}
        for name, value in {**job, "SLURM_LOCALID": "0", "SLURM_NODEID": "0", **more}.items():
            monkeypatch.setenv(name, value)
        return tmp_path / "told"

    return begin


@pytest.mark.parametrize(("at", "count", "seen"), [("train", 6, 6), ("validation", 6, 8), ("epoch_end", 2, 8)])
def test_a_job_whose_time_is_up_goes_on_from_the_queue(at, count, seen, uninterrupted, in_slurm, capfd, monkeypatch):
    whole, _ = uninterrupted("--run.name", "a")
    told = in_slurm()
    said = interrupted(capfd, "USR1", "--model.at", at, "--model.count", str(count))
    run = Path("runs/tiny/slurm-7.0")
    assert said.endswith("The job is back in the queue and goes on by itself")
    assert (told.read_text(), saved(run)) == ("requeue 7\n", seen)
    assert [path.name for path in run.rglob("*.ckpt")].count("last.ckpt") == 1
    assert not list(run.glob("hpc*"))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    main(["fit", "--config", "tiny.yaml", "--model.at", "never"])  # the same command, as SLURM starts it again
    assert saved(run) == EPOCHS * BATCHES
    if seen % BATCHES == 0:  # within an epoch the order of these data begins again
        the_same(state(run), whole)


def test_a_job_that_cannot_be_put_back_is_told_with_the_way_to_go_on(in_slurm, capfd):
    told = in_slurm(1, SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3")
    said = interrupted(capfd, "USR1", "--model.at", "train", "--model.count", "6")
    assert told.read_text() == "requeue 5_3\n"
    assert "could not be put back into the queue (no such job). Go on with: lightning fit" in said


def test_a_run_that_is_done_says_so_and_still_ends_as_asked(capfd):
    said = interrupted(capfd, "TERM", "--model.at", "end")
    assert "--ckpt_path last" in said
    assert saved(Path("runs/tiny/latest")) == EPOCHS * BATCHES


def test_a_dry_run_saves_nothing(capfd):
    interrupted(capfd, "INT", "--model.at", "train", "--trainer.fast_dev_run", "3")
    assert not list(Path("runs/tiny").iterdir())


PACKAGES = str(Path(__file__).parent / "packages")


def start(*words, **options):
    environment = os.environ | {"PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "fulgurite",
        "fit",
        "--config",
        "tiny.yaml",
        "--trainer.max_epochs",
        "5000",
        *words,
    ]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def wait_until_gone(group):
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a process is left")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["the first process", "all"])
@pytest.mark.parametrize("which", CODES)
def test_all_processes_of_a_run_end_together(which, to):
    words = ["--trainer.devices", "2", "--trainer.strategy", "ddp_find_unused_parameters_true"]
    process = start(*words, start_new_session=True)
    wait_for(Path("runs/tiny/latest/checkpoints/last.ckpt"), process)
    number = {"TERM": signal.SIGTERM, "INT": signal.SIGINT}[which]
    os.kill(process.pid, number) if to == "the first process" else os.killpg(process.pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == CODES[which], said
    assert "Go on with: lightning fit" in said
    assert "Traceback" not in said
    assert saved(Path("runs/tiny/latest")) > 0
    wait_until_gone(process.pid)


@pytest.mark.slow
def test_ctrl_c_reaches_loaders_too_and_disturbs_nothing():
    process = start("--data.num_workers", "2", "--trainer.limit_val_batches", "0", start_new_session=True)
    wait_for(Path("runs/tiny/latest/checkpoints/last.ckpt"), process)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Go on with: lightning fit" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("which", CODES)
def test_a_signal_while_python_still_imports(which):
    process = start()
    time.sleep(1)
    process.send_signal({"TERM": signal.SIGTERM, "INT": signal.SIGINT}[which])
    said = process.communicate(timeout=60)[1]
    assert process.returncode == CODES[which], said
    assert said.splitlines()[-1].startswith("interrupted by")
    assert "Traceback" not in said
