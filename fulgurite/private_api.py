"""Every private name of Lightning's command line, and of what the command works with, each with the reason.

An upgrade may move them without a word; ``tests/fulgurite/test_private_api.py`` then fails.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import Popen, TimeoutExpired
from types import FrameType
from typing import Any, NoReturn

from jsonargparse import set_parsing_settings
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI, _InstantiatorFn
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher, subprocess_script


class OpenLightningCLI(LightningCLI):
    """LightningCLI with public names for what this project asks of it and changes in it."""

    def options(self, verb: str) -> set[str]:
        """Return every dotted key that ``verb`` accepts; argparse lists them nowhere else."""
        return {action.dest for action in self._parser(verb)._actions}

    def built(self, key: str) -> Any:
        """Return what was built for ``key`` of the verb: ``model``, ``data``, ``trainer``."""
        return self._get(self.config_init, key)

    def as_text(self, settings: Any) -> str:
        """Return ``settings`` of the verb as YAML; only its own parser knows how each value is written."""
        return str(self._parser(self.subcommand).dump(settings, skip_unset=False))

    def run_verb(self) -> None:
        """Call the trainer's method of the verb's name."""
        super()._run_subcommand(str(self.subcommand))

    def fixed_arguments(self) -> dict[str, Any]:
        """Return the arguments of that method that are no options."""
        return {}

    def _run_subcommand(self, subcommand: str) -> None:
        self.run_verb()

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        return super()._prepare_subcommand_kwargs(subcommand) | self.fixed_arguments()

    def _parse_ckpt_path(self) -> None:
        """Do nothing: what the user writes wins over what the checkpoint remembers."""

    def _add_instantiators(self) -> None:
        """Do nothing: ``building.build`` hands them over."""


@contextmanager
def null_is_written() -> Iterator[None]:
    """Let jsonargparse write null: with a sentinel for what is not given, it writes some as the text None."""
    set_parsing_settings(unset_sentinel=False)
    try:
        yield
    finally:
        set_parsing_settings(unset_sentinel=True)


def constructor(cli: LightningCLI, key: str) -> Callable[..., Any]:
    """Return what builds the model or the data module and remembers its arguments for the checkpoint."""
    return _InstantiatorFn(cli, key)


def other_processes(trainer: Trainer) -> list[Popen[bytes]]:
    """Return the processes that Lightning has started from this one, by their numbers from 1."""
    launcher = trainer.strategy.launcher
    return launcher.procs if isinstance(launcher, _SubprocessScriptLauncher) else []


def keep_lightning_from_watching() -> None:
    """Let Lightning start no thread that kills all processes where one fails: before this one has said why."""
    setattr(subprocess_script, "_launch_process_observer", lambda child_processes: None)  # noqa: B010


def end_other_processes(trainer: Trainer, patience: float = 10.0) -> int:
    """End the processes that this one has started, those that do not listen by force: they would wait for it for ever.

    Args:
        trainer: Whose strategy has started them.
        patience: Seconds until then.

    Returns:
        How many there were.
    """
    processes = other_processes(trainer)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except TimeoutExpired:
            process.kill()
    count = len(processes)
    processes.clear()
    return count


def frame_of_main_thread() -> FrameType:
    """Return what the main thread is about, for another one that watches it; Python has no public name for that."""
    return sys._current_frames()[threading.main_thread().ident or 0]


def end_at_once(status: int) -> NoReturn:
    """End this process from another than the main thread, which may never come to hear of it."""
    os._exit(status)


def view_of(workspace: Any) -> dict[str, Any]:
    """Return what saving a workspace of ``wandb_workspaces`` would send: the package shows it nowhere else."""
    view: dict[str, Any] = workspace._spec
    return view


def trial_id(trial: Any) -> int:
    """Return the number by which Optuna finds a trial in all studies: values can be reported to no other."""
    number: int = trial._trial_id
    return number
