"""Whether Weights & Biases may use the network: never where a user wrote that it may not, in whatever place."""

import netrc
import os
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import wandb

from datamodules.errors import InputError

Mode = Literal["auto", "online", "offline", "disabled"]
Written = Literal["online", "run", "shared", "offline", "dryrun", "disabled"]
"""W&B's own spellings; ``run`` is online, ``dryrun`` offline."""
QUIET = ("offline", "disabled")


def wandb_mode(asked: Mode) -> str:
    """Return ``online``, ``shared``, ``offline`` or ``disabled``.

    Args:
        asked: by the key ``wandb.mode``; ``auto`` leaves it to ``WANDB_MODE``, to the file that ``wandb offline`` and
            ``wandb disabled`` write, and then to whether the user has logged in.

    Raises:
        InputError: online without a key, or against what is written elsewhere; if ``WANDB_MODE`` has no meaning.
    """
    if asked == "disabled":
        return asked
    where, written = _written()
    if asked == "online" and written in QUIET:
        raise InputError(f"wandb.mode: online, but {where} says {written}: remove one of the two")
    mode = written if asked == "auto" else asked
    if mode in ("online", "shared") and not logged_in():
        name = "mode" if asked == "online" else where
        raise InputError(f"{name}: {mode} needs a key: run `wandb login`, or give wandb.mode: offline.")
    return mode or ("online" if logged_in() else "offline")


def _written() -> tuple[str, str | None]:
    """Return where W&B itself is told what to do, and what, in our spelling; None where nobody says anything."""
    variable = os.environ.get("WANDB_MODE")
    if variable is not None:
        if variable not in get_args(Written):
            raise InputError(f"WANDB_MODE = {variable}: W&B has no such mode; write {', '.join(get_args(Written))}")
        return "WANDB_MODE", {"run": "online", "dryrun": "offline"}.get(variable, variable)
    found = _from_files().mode
    mode = "offline" if found == "dryrun" else found
    return "what `wandb offline` or `wandb disabled` wrote", mode if mode in QUIET else None


def logged_in() -> bool:
    """Whether there is a key, in ``WANDB_API_KEY`` or, for the server that W&B would call, in ``~/.netrc``."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    server = os.environ.get("WANDB_BASE_URL") or _from_files().base_url
    hosts = {urlsplit(server).netloc, urlsplit(server).hostname or ""}
    if server == wandb.Settings().base_url:
        hosts.add("api.wandb.ai")  # what W&B's own server was called before, for which a key may have been written
    file = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    try:
        return file.is_file() and any(map(netrc.netrc(file).authenticators, hosts))
    except netrc.NetrcParseError as error:
        raise InputError(f"{file} cannot be read: {error}. Repair it, or give mode: offline.") from error


def _from_files() -> wandb.Settings:
    """Return what W&B's own commands wrote into its files."""
    settings = wandb.Settings(silent=True)
    folder = os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    settings.settings_system = str(Path(folder).expanduser() / "settings")
    settings.update_from_system_settings()
    return settings
