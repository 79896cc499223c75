"""What a configuration may build, and how the error of a constructor reaches the user."""

from collections.abc import Callable
from typing import Any

from jsonargparse import ArgumentParser, Namespace, set_parsing_settings
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI, _InstantiatorFn
from lightning.pytorch.loggers import Logger

IMPORTABLE = [
    *("lightning_models", "callbacks", "datamodules", "torch.nn", "torch.optim"),
    *(f"lightning.pytorch.{part}" for part in ("callbacks", "loggers", "plugins", "profilers", "strategies")),
]
"""All that a configuration may name by a path: it is data, and must not be able to run a program."""

Build = Callable[..., Any]


def trust_only_importable() -> None:
    """Refuse every other class path, before it is imported, and configurations that are not files."""
    set_parsing_settings(
        config_read_mode_fsspec_enabled=False, import_path_denylist=["*"], import_path_allowlist=IMPORTABLE
    )


def build(parser: ArgumentParser, config: Namespace, cli: LightningCLI) -> Namespace:
    """Build the objects of ``config``; an error in a constructor is raised as it is.

    jsonargparse takes every ValueError for a value that does not fit, and raises one of its own.
    """
    first: list[Exception] = []

    def watched(construct: Build) -> Build:
        # jsonargparse finds the argument by its name and passes the links on to it
        def remember(kind: type, /, *args: Any, applied_instantiation_links: dict[str, Any], **given: Any) -> Any:
            try:
                return construct(kind, *args, applied_instantiation_links=applied_instantiation_links, **given)
            except Exception as problem:
                first.append(problem)
                raise

        return remember

    constructors = [
        (watched(_InstantiatorFn(cli, "model")), LightningModule, True),
        (watched(_InstantiatorFn(cli, "data")), LightningDataModule, True),
        *((watched(_plainly), kind, True) for kind in (Callback, Logger)),
    ]
    try:
        return parser.instantiate(config, instantiators=constructors)
    except ValueError as buried:
        raise (first[0] if first else buried) from None


def _plainly(kind: type, /, *args: Any, applied_instantiation_links: dict[str, Any], **given: Any) -> Any:
    return kind(*args, **given)
