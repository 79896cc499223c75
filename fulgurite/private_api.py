"""Every private name of Lightning's command line that this project must use, each with the reason.

An upgrade may move them without a word; ``tests/fulgurite/test_private_api.py`` then fails.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import set_parsing_settings
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI, _InstantiatorFn
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher


class OpenLightningCLI(LightningCLI):
    """LightningCLI with public names for what this project asks of it and changes in it."""

    def options(self, verb: str) -> set[str]:
        """Return every dotted key that ``verb`` accepts; argparse lists them nowhere else."""
        return {action.dest for action in self._parser(verb)._actions}

    def built(self, key: str) -> Any:
        """Return what was built for ``key`` of the verb: ``model``, ``data``, ``trainer``."""
        return self._get(self.config_init, key)

    def write(self, settings: Any, path: str) -> None:
        """Write ``settings`` of the verb as YAML; only its own parser knows how each value is written."""
        self._parser(self.subcommand).save(settings, path, skip_unset=False, overwrite=True)

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


def end_other_processes(trainer: Trainer) -> None:
    """End the processes that this one has started: they would wait for it for ever.

    Without the forgetting Lightning would take their end for a failure and kill this process.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        launcher.kill(signal.SIGTERM)
        launcher.procs.clear()
