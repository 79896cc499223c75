"""A training of a second: the experiment of the tests of the command, in a process of its own."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from tests.soak.trainings import start

PACKAGES = str(Path(__file__).parents[1] / "fulgurite" / "packages")
EXPERIMENT = {
    "trust": ["tiny"],
    "model": {"class_path": "TinyModel"},
    "data": {"class_path": "TinyData"},
    "checkpoints": {"monitor": "val/score"},
    "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1, "enable_model_summary": False},
}


def start_small(
    folder: Path, variables: Mapping[str, str], *words: str, log: str = "log", also: Callable[[], None] = lambda: None
) -> int:
    """Begin one in a folder and return the number of its process.

    Args:
        folder: Working directory.
        variables: Of the environment.
        words: Further options.
        log: Name of the file for what it says.
        also: Called in the process before the command.
    """
    config = folder / "tiny.yaml"
    if not config.exists():  # others that were started a moment ago read it
        config.write_text(yaml.safe_dump(EXPERIMENT))

    def prepare() -> None:
        os.chdir(folder)
        os.environ.update(variables)
        sys.path.append(PACKAGES)
        also()

    return start(["fit", "--config", "tiny.yaml", *words], folder / log, prepare)
