"""Runs of the real systems, each trained once at smoke size by the real command, on worlds of a few files."""

from contextlib import chdir
from pathlib import Path

import lightning.pytorch  # noqa: F401  # its log keeps the stderr of its first import, which must outlive a test
import pytest

from fulgurite.cli import main
from tests.docs.document_commands import in_smoke_form
from tests.docs.small_worlds import LEARNED, WORLDS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Return a function that gives the run folder of a system; the folder of all worlds is ``run.parents[2]``."""
    home = tmp_path_factory.mktemp("trained")

    def run_of(system: str) -> Path:
        run = home / "runs" / system / "latest"
        if not run.exists():
            source = home / LEARNED[system]
            if not source.exists():
                WORLDS[source.name](source)
            words = ["--config", f"{ROOT}/experiments/{system}.yaml", "--data.source", str(source)]
            words += ["--data.cache_dir", str(home / "cache"), "--wandb.mode", "disabled"]
            with chdir(home):
                main(in_smoke_form(["fit", *words]))
        return run.resolve()

    return run_of


@pytest.fixture
def predict(tmp_path, monkeypatch):
    """Return a function that runs ``lightning predict`` and gives the folder of predictions."""
    monkeypatch.chdir(tmp_path)

    def run(run: Path, source: Path, *words: str) -> Path:
        main(["predict", str(source), "--run", str(run), *words])
        return run / "predictions"

    return run
