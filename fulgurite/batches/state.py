"""How far a run of a batch has come, judged by its folder alone, so that a batch that is started again goes on."""

import json
from typing import Any, Final, Literal

from callbacks.results import ABOUT, FOLDER, RESULTS
from callbacks.training_record import FILE as TRAINING
from datamodules.atomic_file import DRAFT
from datamodules.errors import InputError
from fulgurite.batches.plan import Task
from fulgurite.runs import CHECKPOINTS

TRAIN: Final = "train"
RESUME: Final = "go on"
TEST: Final = "test"
DONE: Final = "done"
Stage = Literal["train", "go on", "test", "done"]
"""What is to be done next."""


def training_of(task: Task) -> dict[str, Any]:
    """Return what is known of a training; empty where it has not begun, or its record is damaged."""
    try:
        found = json.loads((task.run / TRAINING).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def stage_of(task: Task) -> Stage:
    """Return what is to be done next.

    Raises:
        InputError: if the run was trained by other words than those of the batch.
    """
    record = training_of(task)
    words = ["lightning", *task.fit_words()]
    known = record.get("command")
    if known is not None and known not in (words, [*words, *GO_ON]):
        raise InputError(
            f"{task.run} is there already, and was trained by other words ({' '.join(known)}). Name another --root, or "
            "remove it"
        )
    if record.get("finished"):
        return DONE if has_no_test(task) or _is_tested(task) else TEST
    return RESUME if (task.run / CHECKPOINTS / "last.ckpt").is_file() else TRAIN


def has_no_test(task: Task) -> bool:
    """Whether the run was trained on data that hold nothing to be tested on, and so is over after its training."""
    return training_of(task).get("can_test") is False


def _is_tested(task: Task) -> bool:
    """Whether a test has left its results, or where its model writes none, the word that it is over."""
    left = (file for name in (RESULTS, ABOUT) for file in task.run.glob(f"{FOLDER}/*/{name}"))
    return any(not file.parent.name.startswith(DRAFT) for file in left)


GO_ON = ("--ckpt_path", "last")


def words_of(task: Task, stage: Stage) -> list[str]:
    """Return the command of a stage, without ``lightning``."""
    if stage == TEST:
        return ["test", "--run", str(task.run)]
    return [*task.fit_words(), *(GO_ON if stage == RESUME else ())]


def commands_of(task: Task) -> list[list[str]]:
    """Return all commands that are left of a run, in their order, without ``lightning``.

    Raises:
        InputError: if the run was trained by other words than those of the batch.
    """
    stage = stage_of(task)
    stages: dict[Stage, list[Stage]] = {DONE: [], TEST: [TEST]}
    return [words_of(task, one) for one in stages.get(stage, [stage, TEST])]
