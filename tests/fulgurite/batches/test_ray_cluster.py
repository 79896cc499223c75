"""Batches on a real Ray of two workers, each command in a process of its own as a user's."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fulgurite.batches.clusters import ray_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(280),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
]


@pytest.fixture(scope="module")
def address():
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder, ray_cluster(Path(folder)) as address:
        yield address


@pytest.fixture
def command(batch, address):
    def words(*more):
        return [
            sys.executable,
            "-m",
            "fulgurite",
            "batch",
            "tiny.yaml",
            "--on",
            "ray",
            "--ray",
            f"address={address}",
            *more,
        ]

    return words


def wait_for(file):
    deadline = time.monotonic() + 120
    while not file.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_batch_is_done_and_a_failure_is_told(command, tmp_path):
    done = subprocess.run(command("--set", "model.width=-1,2"), capture_output=True, text=True)
    good = tmp_path / "runs/tiny/width=2+seed=0"
    assert done.returncode == 1, done.stderr
    assert json.loads((good / "training.json").read_text())["finished"] is True
    assert "tiny/width=2+seed=0: done" in done.stdout
    assert "tiny/width=-1+seed=0: failed (2): runs/tiny/width=-1+seed=0.log" in done.stdout
    assert "width = -1: give a positive number" in done.stderr


def test_runs_outlive_the_command_and_are_followed_by_the_next(command, tmp_path):
    run = tmp_path / "runs/tiny/max_epochs=100000+seed=0"
    words = command("--set", "trainer.max_epochs=100000")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(run / "checkpoints/last.ckpt")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The jobs go on without this screen." in said
    listed = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines()[-1].endswith("go on (running)")
    cancelled = subprocess.run([*words, "--cancel"], capture_output=True, text=True, check=True)
    assert "cancelled; its training writes a checkpoint first" in cancelled.stdout
    status = run.with_name(f".{run.name}.status")
    wait_for(status)
    assert status.read_text() == "130\n"
    log = run.with_name(f"{run.name}.log").read_text()
    assert "interrupted by Ctrl-C" in log
    assert log.count("$ lightning") == 1


def test_a_run_ends_with_its_cluster_and_can_be_gone_on_with(batch, tmp_path):
    run = tmp_path / "runs/tiny/max_epochs=100000+seed=0"
    words = [sys.executable, "-m", "fulgurite", "batch", "tiny.yaml", "--set", "trainer.max_epochs=100000"]
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder, ray_cluster(Path(folder)) as address:
        process = subprocess.Popen([*words, "--on", "ray", "--ray", f"address={address}"], stdout=subprocess.DEVNULL)
        wait_for(run / "checkpoints/last.ckpt")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    log, deadline = run.with_name(f"{run.name}.log"), time.monotonic() + 60
    while "interrupted by SIGTERM" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    listed = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines()[-1].endswith(": go on")
