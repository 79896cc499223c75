"""The pages of the experiments on Weights & Biases as code: one an experiment, and one that compares all of them.

What they show is taken from what models and callbacks declare to log, so that no name is written a second time.
"""

import json
from collections.abc import Sequence
from typing import Any

from callbacks.wandb_mode import logged_in
from datamodules.errors import InputError
from fulgurite.errors import readable_errors
from fulgurite.experiment_files import names as installed
from fulgurite.logged_names import Logged, logged_by
from fulgurite.private_api import view_of

MISSING = "--workspace needs the package wandb-workspaces, which is not installed: pip install 'fulgurite[workspace]'"


def save_workspaces(names: Sequence[str], project: str, entity: str | None, dry_run: bool) -> None:
    """Save the workspaces, or print them as JSON, one after the other in a list.

    Args:
        names: of experiments; none: all that are installed.
        project: on Weights & Biases.
        entity: user or team; None: the user's own.
        dry_run: print, and contact no network.

    Raises:
        SystemExit: with one sentence, for anything the user can put right.
    """
    with readable_errors():
        try:
            from fulgurite.workspace_views import comparison, of_experiment
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("wandb_workspaces"):
                raise
            raise InputError(MISSING) from error
        known = [name for name in installed() if "/" not in name]
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"dashboard {unknown[0]}: there is no such experiment. Choose among {', '.join(known)}")
        logged: list[Logged] = [logged_by(name) for name in names or known]
        if not dry_run and not logged_in():
            raise InputError(
                "--workspace: saving needs a key of W&B: run `wandb login`, or add --dry-run to print the workspaces"
            )
        owner = entity or ("" if dry_run else _own_entity())
        workspaces = [*(of_experiment(one, project, owner) for one in logged), comparison(logged, project, owner)]
        if dry_run:
            print(json.dumps([view_of(one) for one in workspaces], indent=2))
            return
        for one in workspaces:
            print(_save(one))


def _own_entity() -> str:
    import wandb

    entity = _asked(lambda: wandb.Api().default_entity)
    if not entity:
        raise InputError("--entity: not given, and W&B names none for your key; give your user or team")
    return str(entity)


def _save(workspace: Any) -> str:
    return f"{workspace.name}: {_asked(lambda: workspace.save().url)}"


def _asked(ask: Any) -> Any:
    """Return what a server says.

    Raises:
        InputError: if it does not answer, or says no.
    """
    import wandb

    try:
        return ask()
    except (wandb.Error, OSError, ValueError) as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"--workspace: W&B says: {said}. Check the key, --entity and --project, and try again"
        ) from error
