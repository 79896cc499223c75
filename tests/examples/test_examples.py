"""Every example runs from top to bottom as a plain script, and leaves its plot and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.docs.document_commands import SYSTEMS

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples/README.md").read_text()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where generated data are kept, for all examples."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_an_example_runs_and_draws_its_plot(system, cache, tmp_path):
    changed = {"FULGURITE_CACHE": str(cache), "MPLBACKEND": "agg", "WANDB_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / f"examples/{system}.py")]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **changed}, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    plot = cv2.imread(str(tmp_path / f"runs/example_{system}/latest/example.png"))
    assert min(plot.shape[:2]) > 300
    assert len({*map(bytes, plot.reshape(-1, 3)[::97])}) > 20


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_example_is_made_of_cells_and_listed(system):
    text = (ROOT / f"examples/{system}.py").read_text()
    assert text.startswith("# %% [markdown]\n# # ")
    assert text.count("\n# %%\n") >= 4
    assert f"[{system}.py]({system}.py)" in README
    assert f"runs/example_{system}/latest/example.png" in text
