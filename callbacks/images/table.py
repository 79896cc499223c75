"""Measures of every reconstructed picture, of all processes, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.images.sample_quality import Spread
from datamodules.batches import Reconstructions
from datamodules.gathering import gather_objects
from datamodules.ssim import ssim_map

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pictures:
    """All pictures of a split, by rising index.

    Attributes:
        name: N names.
        index: int64 ``(N,)``.
        squared_error: float64 ``(N,)``, mean over the pixels of the reconstruction's squared error.
        ssim: float64 ``(N,)``, structural similarity of picture and reconstruction.
        mean: float64 ``(N, D)``, mean of the posterior.
        kl: float64 ``(N, D)``, in nats.
        features: ``(N, F)`` by extractor's name, in the float32 that they come in.
        spread: sums over the pictures themselves.
    """

    name: list[str]
    index: NDArray[np.int64]
    squared_error: Floats
    ssim: Floats
    mean: Floats
    kl: Floats
    features: dict[str, NDArray[np.floating]]
    spread: Spread

    def __len__(self) -> int:
        return len(self.name)


@dataclass(slots=True)
class _Own:
    """What one process has seen; the first pictures, which others may have been given too, are kept aside."""

    name: list[str] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    columns: dict[str, list[NDArray[np.floating]]] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)
    first: dict[int, Tensor] = field(default_factory=dict)


class PictureTable:
    """Collects ``Reconstructions`` and features; pictures are summed up, not kept.

    A distributed sampler fills its last batches up with the first pictures, fewer than there are processes. Those
    are known by their index and count once.

    Args:
        processes: number of processes that share the split.
    """

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._own = _Own()

    def add(self, outputs: Reconstructions, features: Mapping[str, Tensor]) -> None:
        """Take in B pictures and their features ``(B, F)``.

        Raises:
            ValueError: if a number is not finite; names the picture.
        """
        images, reconstructed = outputs.images.float(), outputs.reconstructed.float()
        columns = {
            "squared_error": (images - reconstructed).square().flatten(1).mean(1),
            "ssim": ssim_map(reconstructed, images).mean((1, 2, 3)),
            "mean": outputs.mean,
            "kl": outputs.kl,
            **{f"features/{name}": values for name, values in features.items()},
        }
        for name, values in columns.items():
            kept = values.detach() if name.startswith("features/") else values.detach().double()
            rows = (kept.float() if kept.dtype in (torch.bfloat16, torch.float16) else kept).cpu().numpy()
            finite = np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)
            for bad in np.flatnonzero(~finite)[:1]:
                raise ValueError(f"{outputs.name[bad]}: {name!r} is not finite; the weights or the input have diverged")
            self._own.columns.setdefault(name, []).append(rows)
        self._own.name += outputs.name
        self._own.index += outputs.index.tolist()
        is_first = (outputs.index < self._processes).to(images.device)
        self._own.spread.add(images[~is_first])
        self._own.first |= dict(zip(outputs.index[is_first.cpu()].tolist(), images[is_first].cpu(), strict=True))

    def gather(self) -> Pictures | None:
        """Return the pictures of all processes, the same on each; None where there are none. All must call it.

        Raises:
            RuntimeError: if a picture came twice.
        """
        parts = [part for part in gather_objects(self._own) if part.index]
        if not parts:
            return None
        given = np.array([number for part in parts for number in part.index])
        index, rows, times = np.unique(given, return_index=True, return_counts=True)
        for repeated in index[(times > 1) & (index >= self._processes)][:1]:
            raise RuntimeError(f"picture {repeated} of the split came more than once: its indices are not unique")
        names = [name for part in parts for name in part.name]
        columns = {
            key: np.concatenate([one for part in parts for one in part.columns[key]])[rows] for key in parts[0].columns
        }
        spread = sum((part.spread for part in parts), start=Spread())
        for _, picture in sorted({number: one for part in parts for number, one in part.first.items()}.items()):
            spread.add(picture[None])
        return Pictures(
            name=[names[row] for row in rows],
            index=index,
            squared_error=columns["squared_error"],
            ssim=columns["ssim"],
            mean=columns["mean"],
            kl=columns["kl"],
            features={key.partition("/")[2]: values for key, values in columns.items() if key.startswith("features/")},
            spread=spread,
        )
