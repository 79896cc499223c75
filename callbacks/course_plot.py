"""The course of adversarial training, drawn from what was logged."""

import csv
from pathlib import Path

from callbacks.plots import picture, plain

PANELS = {
    "what the discriminator makes of them": ("health/real", "health/reconstruction", "health/sample", "health/pseudo"),
    "accuracy of the discriminator": ("health/accuracy",),
    "objective of the discriminator": ("health/objective",),
    "estimate of W1": ("discriminator/w1",),
    "gradient norm of the critic": ("discriminator/gradient_norm",),
}
"""Curves by the title of their panel; in ``metrics.csv`` all of them begin with ``train/``."""


def draw_course(run: Path) -> Path | None:
    """Draw ``media/course.png`` of a run folder's ``metrics.csv``, one panel a kind of number, over the batches.

    A resumed run shows its whole course. Returns None where nothing of it was logged.
    """
    table = run / "metrics.csv"
    if not table.is_file():
        return None
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    curves = {
        name: [(int(row["step"]), float(value)) for row in rows if (value := row.get(f"train/{name}"))]
        for names in PANELS.values()
        for name in names
    }
    panels = {title: names for title, names in PANELS.items() if any(curves[name] for name in names)}
    if not panels:
        return None
    path = run / "media" / "course.png"
    with picture(path, 9, 2.4 * len(panels)) as figure:
        below = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, names) in zip(below, panels.items(), strict=True):
            for name in names:
                axes.plot(*zip(*curves[name], strict=True), linewidth=1.2, label=name.rpartition("/")[2])
            axes.set_title(title, fontsize=9, loc="left")
            plain(axes)
            if len(names) > 1:
                axes.legend(frameon=False, fontsize=8)
        below[-1].set_xlabel("batches")
    return path
