"""What is said when a training has ended: what came of it, and what to type next."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from callbacks.figures import duration, figure, several


def after_fit(record: Mapping[str, Any], run: Path) -> list[str]:
    """Return the lines: the best value and where it was, how long the training took, the folder, the next command.

    Args:
        record: as :class:`~callbacks.training_record.TrainingRecord` writes it.
        run: the run folder.
    """
    monitor, best = record["monitor"], record["best_value"]
    lines = [
        f"Trained on {several(record['batches'], 'batch', 'batches')} in {duration(record['seconds'])}{_pace(record)}"
    ]
    if best is not None:
        lines.append(f"Best {monitor}: {figure(best)}, after {several(record['best_batches'], 'batch', 'batches')}")
    elif monitor:
        lines.append(f"{monitor} never had a value: best.ckpt is the last one")
    folder = os.path.relpath(run)
    verb = "test" if record["can_test"] else "predict SOURCE"
    return [*lines, f"Run folder: {folder}", f"Next: lightning {verb} --run {shlex.quote(folder)}"]


def _pace(record: Mapping[str, Any]) -> str:
    if "samples_per_second" not in record:
        return ""
    waited = record["data_wait_share"]
    waiting = f", {waited:.0%} of the time waiting for data" if waited >= 0.1 else ""
    return f", {figure(record['samples_per_second'])} samples/s{waiting}"
