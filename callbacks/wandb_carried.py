"""What a run on Weights & Biases carries beside what is logged: what it was made of, the best, and its files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb
import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.checkpoints import FOLDER, Checkpoints
from callbacks.evaluation import EvaluationCallback
from callbacks.meanings import describe
from callbacks.results import commit, fingerprints, source_path, versions
from callbacks.wandb_logger import AXIS
from datamodules.protocols import DeclaresLogged, HasHeadline, HasResultsFolder

MODES = {"higher": "max", "lower": "min"}
DIRTY = "-dirty"


def configuration(trainer: Trainer, verb: str) -> dict[str, Any]:
    """Return ``config.yaml`` of the run folder, or else the model's arguments, and what the run was made of.

    The latter is ``about``, or ``about_test`` of a test. It has ``commit`` and ``dirty`` (whether tracked files were
    changed since; both null where the project is installed), ``source`` (null: the generated data), ``fingerprints`` of
    the data by split, and ``versions``.
    """
    file = Path(trainer.default_root_dir) / "config.yaml"
    if file.is_file():
        config: dict[str, Any] = yaml.safe_load(file.read_text())
    else:  # used from Python
        config = {"model": dict(trainer.lightning_module.hparams)}
    told = commit()
    data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
    about = {
        "commit": told and told.removesuffix(DIRTY),
        "dirty": told and told.endswith(DIRTY),
        "source": source_path(data),
        "fingerprints": fingerprints(data),
        "versions": versions(),
    }
    return config | {"about" if verb == TrainerFn.FITTING else f"about_{verb}": about}


def define_best(trainer: Trainer, run: Any) -> None:
    """Let the summary show the best of what validations log, not the last, where more or less is known to be better."""
    for name, mode in directions(trainer):
        run.define_metric(name, step_metric=AXIS, summary=mode)


def directions(trainer: Trainer) -> Iterator[tuple[str, str]]:
    """Yield logged names of a validation with ``max`` or ``min``, whichever is better."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
    found: dict[str, str] = {}
    for one in callbacks:
        if isinstance(one, EvaluationCallback) and isinstance(one, DeclaresLogged):
            names = [name.removeprefix("val/") for name in one.logged(trainer.lightning_module)]
            better = {name: meaning["better"] for name, meaning in describe(names, one.meanings).items()}
            found |= {f"val/{name}": MODES[way] for name, way in better.items() if way}
        if isinstance(one, HasHeadline):
            found[f"val/{one.headline}"] = one.headline_mode
    found |= {one.monitor: one.mode or "max" for one in callbacks if isinstance(one, Checkpoints) and one.monitor}
    yield from found.items()


def best_of_all(trainer: Trainer) -> dict[str, float | int]:
    """Return ``best/<monitor>`` and ``best/batches`` of the whole run; W&B knows only what this process has logged."""
    for one in trainer.checkpoint_callbacks:
        if isinstance(one, Checkpoints) and one.best.value is not None and one.best.batches is not None:
            return {f"best/{one.monitor}": one.best.value, "best/batches": one.best.batches}
    return {}


def upload(trainer: Trainer, run: Any, stage: str) -> None:
    """Keep the best weights of a training, or the folder of a test's results, as an artifact of an online run.

    Offline nothing is kept: W&B would copy the files into its own folder, and they lie in the run folder already.
    """
    if run.offline:
        return
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(Path(trainer.default_root_dir).parts[-2:]))  # as W&B asks
    if stage == TrainerFn.FITTING:
        weights = Path(trainer.default_root_dir) / FOLDER / "best.ckpt"
        _keep(run, f"{name}-weights", "model", [weights] if weights.is_file() else [])
    elif stage == TrainerFn.TESTING:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
        found = [one.results_folder for one in callbacks if isinstance(one, HasResultsFolder) and one.results_folder]
        _keep(run, f"{name}-results", "results", found)


def _keep(run: Any, name: str, kind: str, paths: list[Path]) -> None:
    if not paths:
        return
    artifact = wandb.Artifact(name, kind)
    for path in paths:
        add = artifact.add_dir if path.is_dir() else artifact.add_file
        add(str(path), policy="immutable")  # without a copy in W&B's own cache
    run.log_artifact(artifact)
