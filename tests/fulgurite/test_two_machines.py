"""Two launchers on one machine, each as on one of its own: what they train together is what one process trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.fulgurite.batches.clusters import free_port

PATHS = f"{Path(__file__).parent / 'packages'}:{Path(__file__).parents[2]}"
WORDS = ["--trainer.max_epochs", "4", "--trainer.enable_progress_bar", "false", "--run.name"]
TWO = ["--trainer.strategy", "ddp", "--trainer.num_nodes", "2", "--trainer.devices", "1"]


def agents(rendezvous, words):
    """Start a command by torchrun on two machines; the words of each differ in its number alone."""
    started = []
    for number in ("0", "1"):
        launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        launch += [word.replace("NUMBER", number) for word in rendezvous]
        environment = {**os.environ, "PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1"}
        command = [*launch, "-m", "fulgurite", *words]
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    said = [process.communicate(timeout=200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    return said


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("kind", ["static", "c10d"])
def test_two_machines_train_what_one_process_trains(fit, experiment, kind):
    config = yaml.safe_load(Path(experiment).read_text())
    config["data"]["init_args"] = {"batch_size": 8}  # all of the data, whose order is drawn
    Path(experiment).write_text(yaml.safe_dump(config))
    alone = fit(*WORDS, "alone")
    port = free_port()
    by_number = ["--node-rank", "NUMBER", "--master-addr", "127.0.0.1", "--master-port", str(port)]
    by_store = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "run"]
    words = ["fit", "--config", experiment, *TWO, "--data.batch_size", "4"]
    agents(by_number if kind == "static" else by_store, [*words, *WORDS[:-1]])
    (together,) = (run for run in Path("runs/tiny").iterdir() if not run.is_symlink() and run.name != "alone")
    one, two = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (alone, together))
    assert one["global_step"] == two["global_step"] == 4
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, rtol=1e-6, atol=1e-7)
