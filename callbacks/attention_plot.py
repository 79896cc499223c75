"""Attention as a picture: which moment each picture or frame of a sequence attends to."""

from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator
from torch import Tensor

from callbacks.plots import picture


def draw_attention(path: Path, weights: Tensor, step: float, across: str, up: str) -> None:
    """Draw one map a layer, all on one scale.

    Args:
        path: of the PNG.
        weights: float ``(layers, T, T)`` on the CPU, at least one layer; each row has the sum 1.
        step: distance of two moments in the unit of the axes.
        across: label of what is attended to.
        up: label of what attends.
    """
    layers, moments = weights.shape[:2]
    length, highest = moments * step, float(weights.max())  # one scale for all layers
    with picture(path, 3.2 * layers + 1.4, 4.0) as figure:
        axes: Any = figure.subplots(1, layers, squeeze=False, sharey=True)
        for number, axis in enumerate(axes[0]):
            shown = axis.imshow(weights[number].numpy(), extent=(0, length, length, 0), vmin=0, vmax=highest)
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_major_locator(MaxNLocator(nbins=6, integer=step == 1))
            axis.set_title(f"layer {number + 1}", fontsize=9)
            axis.set_xlabel(across, fontsize=8)
        axes[0][0].set_ylabel(up, fontsize=8)
        figure.colorbar(shown, ax=axes[0].tolist(), label="share of attention (each row sums to 1)")
