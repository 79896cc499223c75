"""How the figures of a stage are logged, and those that have no value explained, by every callback that judges."""

from collections.abc import Mapping

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_warn


def log_figures(
    pl_module: LightningModule,
    stage: str,
    metrics: Mapping[str, float | None],
    undefined: Mapping[str, str],
    *,
    headline: str,
    said: set[str],
) -> dict[str, str]:
    """Log ``<stage>/<name>`` on every process, and warn of what has no value, once for a reason and its names.

    Args:
        pl_module: what is judged, and logs.
        stage: ``val`` or ``test``.
        metrics: value by name; None is not logged.
        undefined: reason by name of what has no value.
        headline: the figure that the progress bar shows.
        said: warnings given so far; new ones are added.

    Returns:
        The reasons by logged name.
    """
    for name, value in metrics.items():
        if value is not None:
            pl_module.log(f"{stage}/{name}", value, prog_bar=name == headline, rank_zero_only=False)
    for reason in sorted(set(undefined.values())):
        names = ", ".join(name for name, why in undefined.items() if why == reason)
        message = f"{stage} has no value ({reason}): {names}."
        if message not in said:
            rank_zero_warn(message)
            said.add(message)
    return {f"{stage}/{name}": reason for name, reason in undefined.items()}
