"""What of Lightning's trainer cannot be used here; refused before anything is built."""

from collections.abc import Iterator
from difflib import get_close_matches
from pkgutil import resolve_name
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO

from datamodules.errors import InputError

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
STRATEGY_CLASSES = ("SingleDeviceStrategy", "DDPStrategy")


def check_trainer(settings: Namespace) -> None:
    """Refuse settings of the trainer that this command has in hand itself, or that several optimizers do not survive.

    Args:
        settings: those of the key ``trainer``, parsed.

    Raises:
        InputError: If there is one of them; names the key, the value and what to write instead.
    """
    if settings.default_root_dir is not None:
        raise InputError(
            f"trainer.default_root_dir = {settings.default_root_dir}: the folder is made of run.root, "
            "run.experiment and run.name; set those instead"
        )
    _check_strategy(settings.strategy)
    for key in ("plugins", "strategy"):
        for path in _class_paths(settings[key]):
            if _is_checkpoint_plugin(path):
                raise InputError(
                    f"trainer.{key} = {path}: checkpoints are written in one step, and read without running anything "
                    "in them, by the command's own plugin alone; remove it"
                )


def _check_strategy(strategy: Any) -> None:
    if isinstance(strategy, str):
        name, known = strategy, strategy in STRATEGIES
    else:
        name, known = strategy.class_path, strategy.class_path.rpartition(".")[2] in STRATEGY_CLASSES
        method = strategy.get("init_args", Namespace()).get("start_method", "popen")
        if known and method != "popen":
            name, known = f"{name}, start_method: {method}", False
    if not known:
        near = get_close_matches(name, STRATEGIES, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(
            f"trainer.strategy = {name}: systems with several optimizers are trained by one process, or by "
            f"processes that each hold the whole model; write auto, or for several "
            f"ddp_find_unused_parameters_true.{hint}"
        )


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _class_paths(entry)
    elif isinstance(value, (dict, Namespace)):
        for key, inner in vars(value).items() if isinstance(value, Namespace) else value.items():
            if key == "class_path":
                yield inner
            else:
                yield from _class_paths(inner)


def _is_checkpoint_plugin(path: str) -> bool:
    found = resolve_name(path)
    return isinstance(found, type) and issubclass(found, CheckpointIO)
