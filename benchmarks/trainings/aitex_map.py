"""What a map of latent dimensions learns, at several lengths of training.

    python -m benchmarks.trainings.aitex_map --source PATH/TO/aitex --data-range symmetric --seed 0

No test picture is scored: held-out faultless strips are judged as they are and with synthetic defects. The network is
trained on tiles of 128 pixels, which is all that a map needs, and judged on tiles of 256. At 0 steps stand its first
weights, the control of every length. Every network is judged with ``shade`` in the score and without.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch import seed_everything
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks import common
from datamodules import AitexDataModule
from datamodules.batches import PartBatch, TileBatch
from datamodules.parts.synthetic_defects import KINDS, LINES, WIDE, add_defects
from datamodules.seeding import derive_seed
from lightning_models import AitexVAE
from lightning_models.aitex_vae.compatibility import DataRange
from lightning_models.aitex_vae.filters import CELL
from lightning_models.aitex_vae.tile_scorer import IN_SCORE, tile_labels
from lightning_models.aitex_vae.tiling import grid

TRAINED, JUDGED = 128, 256
KL = {"symmetric": 0.004, "unit": 0.001}
"""Last weight of the divergence: in either range of grey levels noise of the same share of it."""
GOOD = "good"
DEFECTS = (*KINDS, *LINES, *WIDE)
SCORES = {"without": IN_SCORE, "with shade": (*IN_SCORE, "shade")}
"""Kinds of evidence that make up a score."""


def model(tile_size: int, data_range: DataRange) -> AitexVAE:
    """Return a network as ``experiments/aitex_vae/map.yaml`` has it, in a range of grey levels."""
    shape = {"latent": "map", "latent_dim": 32, "dropout": 0.0, "output": "linear", "data_range": data_range}
    return AitexVAE(tile_size, weights={"bce": 0.0, "mse": 1.0, "kl": KL[data_range]}, **shape)


def pictures(source: str, columns: int) -> tuple[list[PartBatch], list[PartBatch]]:
    """Return all clean strips to calibrate on, then the held-out ones, clean and with every kind of defect."""
    data = AitexDataModule(source)
    data.setup("fit")
    calibration, validation = data.val_dataloader()
    judged: list[PartBatch] = []
    for part in validation:
        if part.label == 0:
            judged.append(cropped(part, columns))
            for kind in DEFECTS:
                random = np.random.default_rng(derive_seed(0, "synthetic defects", part.name, kind))
                image, mask = add_defects(part.image.numpy(), kind, part.start, JUDGED, random)
                copy = replace(part, image=torch.from_numpy(image), mask=torch.from_numpy(mask), defect=kind, label=1)
                judged.append(cropped(copy, columns))
    return [cropped(part, columns) for part in calibration], judged


def cropped(part: PartBatch, columns: int) -> PartBatch:
    """Return its first columns, without what lies before it."""
    kept = slice(part.start, part.start + columns)
    mask = None if part.mask is None else part.mask[:, kept]
    return replace(part, image=part.image[:, :, kept], mask=mask, start=0)


@torch.no_grad()
def judge(judging: AitexVAE, clean: Sequence[PartBatch], judged: Sequence[PartBatch]) -> list[list[str]]:
    """Return a row for each score: AUROC of tiles (mean over fabrics) and of cells, by kind and their means."""
    judging.eval()
    scorer = judging.scorer
    scorer.fit([scorer.calibration_row(part, judging.evidence(part)) for part in clean])
    levels = [scorer.parts(part.group, judging.evidence(part), list(scorer.place)) for part in judged]
    return [[name, *one_score(judging, kinds, judged, levels)] for name, kinds in SCORES.items()]


def one_score(
    judging: AitexVAE, kinds: Sequence[str], judged: Sequence[PartBatch], levels: Sequence[Mapping[str, Tensor]]
) -> list[str]:
    """Judge the score of some kinds of evidence, whose levels ``(h, w)`` are known for every picture."""
    tiles: dict[tuple[str, str], list[float]] = defaultdict(list)  # of defective tiles, and of all clean strips'
    cells: dict[str, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for part, level in zip(judged, levels, strict=True):
        heat = torch.stack([level[kind] for kind in kinds]).amax(0)  # (h, w)
        place = grid(part.image.shape[1], part.image.shape[2], JUDGED)
        tops = judging.scorer.tops(heat[None])[:, 0]
        counted = tile_labels(part, place) == part.label
        tiles[part.defect, part.group] += tops[counted].tolist()
        assert part.mask is not None
        marked = F.avg_pool2d(part.mask[None, None].float(), CELL, ceil_mode=True)[0, 0] >= 0.5
        cells[part.defect].append((heat.flatten().numpy(), marked.flatten().numpy()))
    found, located = [], []
    for kind in DEFECTS:
        fabrics = [group for defect, group in tiles if defect == kind and tiles[kind, group]]
        found.append(np.mean([area(tiles[GOOD, group], tiles[kind, group]) for group in fabrics]))
        heats, marks = (np.concatenate(column) for column in zip(*cells[GOOD], *cells[kind], strict=True))
        located.append(roc_auc_score(marks, heats))
    both = [f"{tile:.3f} {cell:.3f}" for tile, cell in zip(found, located, strict=True)]
    return [*both, f"{np.mean(found):.3f} {np.mean(located):.3f}"]


def area(normal: Sequence[float], defective: Sequence[float]) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score([0] * len(normal) + [1] * len(defective), [*normal, *defective]))


def batches(data: AitexDataModule) -> Iterator[TileBatch]:
    """Yield training batches, pass after pass."""
    loader, epoch = data.train_dataloader(), 0
    while True:
        loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        yield from loader
        epoch += 1


def main() -> None:
    """Train, and print a row at every length."""
    parser = argparse.ArgumentParser(description="Judge a map of latent dimensions at several lengths of training.")
    parser.add_argument("--source", help="folder of AITEX (default: the generated weave)")
    parser.add_argument("--steps", type=int, nargs="*", default=[0, 300, 1300], help="lengths (default: 0 300 1300)")
    parser.add_argument("--data-range", choices=list(KL), default="symmetric", help="(default: symmetric)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order of tiles (default: 0)")
    parser.add_argument("--columns", type=int, default=1536, help="of every strip that are judged (default: 1536)")
    options = parser.parse_args()
    common.print_header("A map of latent dimensions")
    seed_everything(options.seed, verbose=False)
    training, judging = (model(tile_size, options.data_range) for tile_size in (TRAINED, JUDGED))
    clean, judged = pictures(options.source, options.columns)
    data = AitexDataModule(options.source, tile_size=TRAINED, train_stride=TRAINED // 2, batch_size=4)
    data.setup("fit")
    optimizer = torch.optim.Adam(training.parameters(), 2e-3, fused=True)
    rows = []
    for step, batch in enumerate(batches(data)):
        if step in options.steps:
            judging.network.load_state_dict(training.network.state_dict())
            rows += [[str(step), *row] for row in judge(judging, clean, judged)]
            common.print_table(("steps", "score", *DEFECTS, "mean"), rows)
        if step >= max(options.steps):
            break
        training.train()
        terms = training.vae_loss(training.prepare(batch))
        optimizer.zero_grad()
        (terms["mse"] + KL[options.data_range] * min(1.0, step / 200) * terms["kl"]).backward()
        optimizer.step()


if __name__ == "__main__":
    main()
