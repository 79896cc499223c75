"""``--run RUN``: a run knows its configuration and its weights, and a checkpoint without its folder does, too."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from datamodules.errors import InputError
from datamodules.weights_file import read_checkpoint
from fulgurite.runs import CHECKPOINTS, CONFIG, LATEST
from fulgurite.words import options

KEPT = "config"
"""Entry of a checkpoint that holds its configuration, as text."""


def of_run(words: Sequence[str]) -> list[str]:
    """Return the words of a verb with configuration and checkpoint in the place of ``--run RUN``.

    RUN is a run folder, the folder of an experiment, whose newest run is meant, or a checkpoint. ``fit`` goes on with
    its last weights, every other verb takes the best ones. A first word that is no option is the source; for
    ``export``, the run.

    Args:
        words: Of the command, the verb first.

    Raises:
        InputError: If there is no such run, or two sources.
    """
    verb, *rest = words
    if verb == "export" and rest and not rest[0].startswith("-"):
        if any(word.partition("=")[0] == "--run" for word in rest):
            raise InputError(f"{rest[0]}: a second run, beside --run; give one of them")
        rest = ["--run", *rest]
    if rest and not rest[0].startswith("-"):
        if any(word.partition("=")[0] == "--data.source" for word in rest):
            raise InputError(f"{rest[0]}: a second source, beside --data.source; give one of them")
        rest = ["--data.source", *rest]
    run = None
    kept: list[str] = []
    for option, value, used in options(rest):
        if option != "--run" or value.startswith("{"):  # the keys below it, in JSON
            kept += used
        elif not value:
            raise InputError("--run: a value is missing; give the folder of a run, or a checkpoint")
        else:
            run = Path(value)
    if run is None:
        return [verb, *kept]
    config, checkpoint = config_and_weights(run, "last" if verb == "fit" else "best")
    chosen = any(word.partition("=")[0] == "--ckpt_path" for word in kept)
    return [verb, "--config", str(config), *kept, *([] if chosen else ["--ckpt_path", str(checkpoint)])]


def config_and_weights(path: Path, which: str, option: str = "--run") -> tuple[Path, str | Path]:
    """Return the configuration of a run and the checkpoint that is meant.

    Args:
        path: A run folder, the folder of an experiment, or a checkpoint.
        which: ``best`` or ``last``, for a folder.
        option: Before the path, for the messages.

    Returns:
        The file of the configuration, and ``which`` or the path of the checkpoint.

    Raises:
        InputError: If there is no such run.
    """
    if path.is_file():
        home = path.parent.parent / CONFIG
        is_at_home = path.parent.name == CHECKPOINTS and home.is_file()
        return (home if is_at_home else _config_within(path, option)), path
    return run_folder(path, option) / CONFIG, which


def run_folder(path: Path, option: str, holds: Sequence[str] = (CONFIG,)) -> Path:
    """Return the folder of a run: ``path`` itself, or the newest run of an experiment's folder.

    Args:
        path: What the user wrote.
        option: Before it, for the messages.
        holds: Files by one of which a run is known; they may be patterns.

    Raises:
        InputError: If there is none; the message names runs that are near.
    """
    for folder in (path, path / LATEST):
        if any(next(folder.glob(one), None) for one in holds):
            return folder
    if not path.is_dir():
        raise InputError(f"{option} {path}: there is no such run. {_runs_near(path)}")
    raise InputError(f"{option} {path}: this is no run, it has no {CONFIG}. {_runs_near(path)}")


def _runs_near(path: Path) -> str:
    near = [one.parent for folder in (path, path.parent) for one in sorted(_configs(folder))]
    named = ", ".join(str(run) for run in near[-5:])
    return f"There are {named}" if named else "Give a folder that lightning fit has made, such as runs/vta_gan/latest"


def _configs(folder: Path) -> Iterator[Path]:
    return (one for one in folder.glob(f"*/{CONFIG}") if not one.parent.is_symlink())


def _config_within(checkpoint: Path, option: str) -> Path:
    """Write the configuration that a checkpoint holds into a file that lives as long as this process."""
    text = read_checkpoint(checkpoint, mmap=True).get(KEPT)
    config = yaml.safe_load(text) if isinstance(text, str) else None
    if not isinstance(config, dict):
        raise InputError(
            f"{option} {checkpoint}: it holds no configuration, as one of before version 0.2; give that of its "
            f"training: --config PATH --ckpt_path {checkpoint}"
        )
    config.pop("trust", None)  # packages are trusted by who uses a checkpoint, not by who has made it
    folder = Path(tempfile.mkdtemp(prefix="fulgurite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / f"{checkpoint.stem}.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file
