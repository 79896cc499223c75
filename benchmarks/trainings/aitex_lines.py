"""How the evidence of lines was chosen: ``python -m benchmarks.trainings.aitex_lines --source PATH/TO/aitex``.

Nothing is trained, and no test picture is scored: the faultless strips that train and validate are judged as they are
and with synthetic lines. A form of the evidence is as good as it tells the tiles that a line runs through from those
that it does not (AUROC by fabric, and their mean), alone, on the scale of its fabric's clean tiles. ``missing_pick`` is
what it was chosen on, ``thick_pick`` took no part in that.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks import common
from datamodules import AitexDataModule
from datamodules.parts.synthetic_defects import Kind, add_defects
from datamodules.seeding import derive_seed
from lightning_models.aitex_vae import lines
from lightning_models.aitex_vae.evidence import blank_cells, robust_z_scores, texture_evidence
from lightning_models.aitex_vae.tile_scorer import TileScorer, cut_tile
from lightning_models.aitex_vae.tiling import grid

TILE = 256
Evidence = Callable[[Tensor], Tensor]
PLAIN = {name: getattr(lines, name) for name in ("LENGTH", "WIDTH", "RARE", "_evened", "_faded")}


def as_it_is(values: Tensor) -> Tensor:
    """Leave out a step."""
    return values


FORMS: dict[str, Mapping[str, object]] = {
    "as shipped": {},
    "mean over half a tile": {"LENGTH": 32.0},
    "mean over two tiles": {"LENGTH": 128.0},
    "high-pass of 4 pixels": {"WIDTH": 4.0},
    "high-pass of 16 pixels": {"WIDTH": 16.0},
    "rare frequencies raised tenfold": {"RARE": 0.01},
    "ends not faded": {"_faded": as_it_is},
    "frequencies not evened": {"_evened": as_it_is},
}


def evidence(form: str) -> Evidence:
    """Return what computes a form of the evidence of lines."""

    def changed(picture: Tensor) -> Tensor:
        for name, value in {**PLAIN, **FORMS[form]}.items():
            setattr(lines, name, value)
        return lines.line_evidence(picture)

    return changed


def strips(source: str, kind: Kind) -> Iterator[tuple[str, Tensor, Tensor | None]]:
    """Yield fabric, picture ``(1, H, W)`` in [0, 1] and mask of clean strips, without a mask, and of their copies."""
    data = AitexDataModule(source)
    data.setup("fit")
    for batch in data.val_dataloader()[0]:
        yield batch.group, batch.image[:, :, batch.start :] / 255, None
        random = np.random.default_rng(derive_seed(0, kind, batch.name))
        image, mask = add_defects(batch.image.numpy(), kind, batch.start, TILE, random)
        yield batch.group, torch.from_numpy(image)[:, :, batch.start :] / 255, torch.from_numpy(mask)[:, batch.start :]


def aurocs(pictures: list[tuple[str, Tensor, Tensor | None]], of: Evidence) -> list[float]:
    """Return the AUROC of every fabric, defective tiles against those beside them."""
    scorer = TileScorer(TILE)
    clean: dict[str, list[Tensor]] = {}
    judged: dict[str, list[tuple[Tensor, list[bool]]]] = {}
    for group, picture, mask in pictures:
        tops = scorer.tops(robust_z_scores(of(picture), blank_cells(picture)))  # (N, K)
        if mask is None:
            clean.setdefault(group, []).append(tops)
        else:
            places = grid(picture.shape[1], picture.shape[2], TILE).tolist()
            judged.setdefault(group, []).append((tops, [bool(cut_tile(mask, place).any()) for place in places]))
    found = []
    for group in sorted(clean):
        normal = torch.cat(clean[group])
        tops = torch.cat([one for one, _ in judged[group]])
        score = ((tops - normal.mean(0)) / normal.std(0)).amax(1)
        found.append(float(roc_auc_score([label for _, labels in judged[group] for label in labels], score)))
    return found


def main() -> None:
    """Print a table for each kind of line."""
    parser = argparse.ArgumentParser(description="Judge forms of the evidence of lines on synthetic ones.")
    parser.add_argument("--source", required=True, help="folder of AITEX")
    parser.add_argument("--kinds", nargs="*", choices=["missing_pick", "thick_pick"], default=["missing_pick"])
    options = parser.parse_args()
    common.print_header("Lines in AITEX")
    for kind in options.kinds:
        pictures = list(strips(options.source, kind))
        groups = sorted({group for group, _, _ in pictures})
        rows = []
        others: dict[str, Evidence] = {
            name: lambda picture, name=name: texture_evidence(picture)[name]  # type: ignore[misc]
            for name in ("threads", "brightness", "energy")
        }
        for name, of in [*((form, evidence(form)) for form in FORMS), *others.items()]:
            found = aurocs(pictures, of)
            rows.append((name, f"{np.mean(found):.3f}", *(f"{value:.2f}" for value in found)))
        print(f"\n{kind}\n")
        common.print_table(("evidence", "macro", *groups), rows)


if __name__ == "__main__":
    main()
