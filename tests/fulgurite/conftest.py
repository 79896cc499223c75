"""An experiment small enough to run the real command in well under a second; packages/ holds its classes."""

import sys
from pathlib import Path

import lightning.pytorch  # noqa: F401  # its log keeps the stderr of its first import, which must outlive a test
import pytest
import yaml

from fulgurite.cli import main

sys.path.append(str(Path(__file__).parent / "packages"))

EXPERIMENT = {
    "trust": ["tiny"],
    "model": {"class_path": "TinyModel"},
    "data": {"class_path": "TinyData"},
    "checkpoints": {"monitor": "val/score"},
    "wandb": {"mode": "disabled"},
    "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1, "enable_model_summary": False},
}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """An experiment file in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    return "tiny.yaml"


@pytest.fixture
def fit(experiment):
    """Run ``lightning fit`` on it and return the newest run's folder."""

    def run(*words: str) -> Path:
        main(["fit", "--config", experiment, *words])
        return Path("runs/tiny/latest").resolve()

    return run
