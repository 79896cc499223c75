"""The smallest system, trained and exported once by the real command, for all tests that look at files of an export."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fulgurite.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``pictures``, and ``runs/motor_vae_gan/latest`` trained on them and exported as ONNX."""
    folder = tmp_path_factory.mktemp("exports")
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for number in range(40):
        picture = np.full((32, 32, 3), 230, np.uint8)
        top, left = random.integers(0, 20, 2)
        picture[top : top + 10, left : left + 10] = random.integers(0, 200, 3)
        cv2.imwrite(str(folder / f"pictures/{number:02d}.png"), picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "disabled")
        patch.setenv("FULGURITE_CACHE", str(folder / "cache"))
        configs = [f"--config={ROOT}/experiments/motor_vae_gan{name}.yaml" for name in ("", "/smoke")]
        small = ["--trainer.limit_train_batches=2", "--trainer.enable_model_summary=false", "--data.batch_size=8"]
        main(["fit", *configs, "--data.source", "pictures", *small, "--model.ema_decay=0.9"])
        main(["export", "runs/motor_vae_gan"])
    return folder


@pytest.fixture
def workplace(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in that folder."""
    monkeypatch.chdir(trained)
    monkeypatch.setenv("FULGURITE_CACHE", str(trained / "cache"))
    return trained


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what the command says when it refuses, which is one sentence."""

    def refuse(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        assert end.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        return line

    return refuse
