"""The bar that a terminal shows, driven through a pseudo-terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "fulgurite"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_terminal_shows_epochs_from_one_losses_and_what_is_left(tmp_path):
    (tmp_path / "run.py").write_text(
        "import time\n"
        "import torch\n"
        "from lightning.pytorch import Trainer\n"
        "from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel\n"
        "from callbacks.bar_progress import BarProgress\n"
        "class Model(BoringModel):\n"
        "    validation_names = ('calibration',)\n"
        "    def training_step(self, batch, batch_idx):\n"
        "        time.sleep(0.15)\n"
        "        self.log('train/generator/total', torch.tensor(2.5))\n"
        "        return super().training_step(batch, batch_idx)\n"
        "    def validation_step(self, batch, batch_idx):\n"
        "        time.sleep(0.15)\n"
        "Trainer(max_epochs=2, limit_train_batches=4, limit_val_batches=4, accelerator='cpu', logger=False,\n"
        "    enable_checkpointing=False, enable_model_summary=False, num_sanity_val_steps=0,\n"
        "    callbacks=[BarProgress()]).fit(Model(), BoringDataModule())\n"
    )
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "140", "PYTHONPATH": str(HERE.parents[1])}
    process = subprocess.Popen(
        [sys.executable, "run.py"], cwd=tmp_path, stdout=slave, stderr=slave, env=environment, close_fds=True
    )
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode(errors="replace"))
    assert "epoch 1 of 2, " in text
    assert "epoch 2 of 2, " in text
    assert "epoch 0" not in text.lower()
    assert "epoch 3" not in text.lower()
    assert re.search(r"epoch 2 of 2, 0\.\d s left", text)
    assert "calibration" in text
    assert "train/generator/total: 2.5" in text
