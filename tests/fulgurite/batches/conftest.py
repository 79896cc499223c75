"""A batch in an empty folder, and programs that answer as those of SLURM do."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from fulgurite.batches.plan import Plan
from fulgurite.cli import main

PACKAGES = Path(__file__).parents[1] / "packages"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def batch(experiment, monkeypatch):
    """Run ``lightning batch`` in an empty folder that holds ``tiny.yaml``."""
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{ROOT}")

    def run(*words):
        try:
            main(["batch", experiment, *words])
        except SystemExit as end:
            return end.code
        return 0

    return run


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """Two runs, below an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return Plan(["tiny.yaml"], seeds=[0, 1]).tasks()


PROGRAMS = {
    "srun": "exit 0",
    "sbatch": """
        [ -e refuse ] && { echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1; }
        number=$(($(ls scripts | wc -l) + 1))
        cp "$1" scripts/$number
        echo "$number|PENDING|0:00|(Priority)|$(sed -n 's/^#SBATCH --job-name=//p' "$1")" > jobs/$number
        echo "Submitted batch job $number" """,
    "squeue": """
        [ -e down ] && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
        [ -e interrupt ] && [ -e jobs/1 ] && { [ -e seen ] && kill -INT $PPID; touch seen; }
        cat jobs/* 2>/dev/null; true""",
    "scancel": 'rm jobs/"$1"',
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of a cluster that only keeps a list: ``jobs/`` as ``squeue`` shows it, ``scripts/`` as handed over."""
    folder = tmp_path / "cluster"
    for part in ("bin", "jobs", "scripts"):
        (folder / part).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/bash\ncd {folder}\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")

    def tell(number, word, passed="1:05", reason="n1"):
        file = folder / "jobs" / str(number)
        name = file.read_text().strip().split("|", 4)[4]
        file.write_text(f"{number}|{word}|{passed}|{reason}|{name}\n")

    return SimpleNamespace(folder=folder, tell=tell)
