"""What calibrating and judging hold in memory: ``python -m benchmarks.calibration_memory``.

Generated evidence, as much as 10,000 to 1,000,000 frames leave, goes through what a validation and a test gather; the
peak of the process is taken. Beside it stands what it was when every patch of every frame, and the counts of every
picture, were kept until the end: measured up to 100,000 frames, and from there on in proportion.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks import common
from benchmarks.scaling.isolated import in_own_process
from benchmarks.scaling.storage import KINDS_OF_EVIDENCE, STRIDE, WINDOW, scores_of
from callbacks.clips.evaluation import evaluate
from callbacks.clips.table import FrameTable
from callbacks.parts.evaluation import evaluate_parts
from callbacks.parts.table import PartRow, PartTable
from callbacks.pixel_counts import PixelCounts
from lightning_models.aitex_vae.tile_scorer import CalibrationRow, TileScorer
from lightning_models.training.bounded_rows import BoundedRows
from lightning_models.vta_gan.patch_scorer import PatchScorer

CALIBRATION_STRIDE = 4
KEPT_ALL = 100_000
"""Frames up to which the old way is measured."""

EDGE = 64
"""Of the frames, as the experiment ships."""

Row = tuple[str, int, Callable[[int], None], Callable[[int], None]]


def peak(work: Callable[[int], None], frames: int) -> int:
    """Return the bytes that the work adds to a process."""
    torch.set_num_threads(1)
    before = common.peak_rss_bytes()
    work(frames)
    return common.peak_rss_bytes() - before


def _scorer() -> tuple[PatchScorer, Tensor]:
    names = [str(kind) for kind in range(KINDS_OF_EVIDENCE)]
    cells = EDGE // 8
    patches = torch.rand(16, WINDOW, len(names), cells, cells, generator=torch.Generator().manual_seed(0))
    return PatchScorer(names, names), patches


def patch_scale(frames: int) -> None:
    """Calibrate VTA-GAN."""
    scorer, patches = _scorer()
    rows = BoundedRows()  # type: ignore[var-annotated]
    for first in range(0, frames // CALIBRATION_STRIDE, len(patches)):
        rows.add(dict(enumerate(scorer.summarise(patches), first)))
    scorer.fit(rows.take(torch.device("cpu"))[0])


def every_patch(frames: int) -> None:
    """Calibrate it as before: every patch is kept, and all of them are put side by side in float64."""
    scorer, patches = _scorer()
    rows = [one.clone() for _ in range(0, frames // CALIBRATION_STRIDE, len(patches)) for one in patches]
    joined = torch.stack(rows)
    exact = joined.flatten(0, 1).double()
    exact.sum((0, 3)), exact.square().sum((0, 3))
    scorer._tops(joined)


def heat_maps(frames: int) -> None:
    """Gather and judge a test with masks."""
    table = FrameTable()
    for first in range(0, frames // STRIDE, 64):
        table.add(scores_of(first, 64, EDGE, True))
    evaluate(table.gather().series(), 0.5, tested=True)


def every_heat_map(frames: int) -> None:
    """Gather a test as before: scores in float64, every heat map and mask, and the joined columns beside them."""
    parts = []
    for first in range(0, frames // STRIDE, 64):
        scores = scores_of(first, 64, EDGE, True)
        assert scores.mask is not None
        rows = scores.frame.numel()
        columns = [value.double().clone() for value in (scores.score, *scores.alternatives.values())]
        parts.append(
            (columns, np.zeros((4, rows), np.int64), scores.heat, np.packbits(scores.mask.flatten(2).numpy(), axis=2))
        )
    joined = [np.concatenate([part[0][kind].numpy().ravel() for part in parts]) for kind in range(len(parts[0][0]))]
    heats = np.concatenate([part[2].numpy().reshape(-1, *part[2].shape[2:]) for part in parts]).astype(np.float64)
    assert len(joined[0]) == len(heats)


def _calibration_row(scorer: TileScorer, number: int) -> CalibrationRow:
    channels = scorer.scale.channels
    return CalibrationRow(f"{number % 100:02d}", torch.rand(16, channels), torch.rand(16, 8), 0.0)


def tile_scale(pictures: int) -> None:
    """Calibrate AitexVAE on strips of 16 tiles of 100 looms."""
    scorer = TileScorer(256)
    rows: BoundedRows[CalibrationRow] = BoundedRows(lambda row: row.group)
    for number in range(pictures):
        rows.add({number: _calibration_row(scorer, number)})
    scorer.fit(rows.take(torch.device("cpu"))[0])


def every_tile(pictures: int) -> None:
    """Calibrate it as before, on all of them."""
    scorer = TileScorer(256)
    scorer.fit([_calibration_row(scorer, number) for number in range(pictures)])


def _part_row(counts: PixelCounts, number: int) -> PartRow:
    own = replace(counts, **{name: getattr(counts, name).copy() for name in ("step", "clean", "defective", "overlap")})
    tile, none = np.zeros((16, 4), np.int64), np.zeros(16)
    label = number % 2
    row = PartRow(
        f"{number:07d}", "00", "hole" if label else "good", label, number, 0.0, tile, none, tile[:, 0], {}, own
    )
    return replace(row, tile_label=np.full(16, label), tile_score=np.random.default_rng(number).random(16))


def _counts() -> PixelCounts:
    steps = np.arange(15_000, dtype=np.int32)  # as the heat of a strip of 4096 x 256 pixels has
    return PixelCounts(steps, steps, steps, np.full(len(steps), 1 / len(steps)))


def pixel_counts(pictures: int) -> None:
    """Gather and judge the pixels of so many strips."""
    table, counts = PartTable(), _counts()
    for number in range(pictures):
        table.add_row(_part_row(counts, number))
    evaluate_parts(table.gather())


def every_count(pictures: int) -> None:
    """Gather them as before: the counts of every picture are kept, and joined at the end."""
    counts = _counts()
    rows = [_part_row(counts, number) for number in range(pictures)]
    np.unique(np.concatenate([row.pixels.step for row in rows if row.pixels is not None]), return_inverse=True)


ROWS: list[Row] = [  # its name, of how many frames one is taken, now, before
    ("VTA-GAN: scale of the patches", 1, patch_scale, every_patch),
    ("VTA-GAN: scores, heat maps and masks of a test", 1, heat_maps, every_heat_map),
    ("AitexVAE: scale of the tiles, 16 a strip", 1, tile_scale, every_tile),
    ("AitexVAE: counts of the pixels of strips", 100, pixel_counts, every_count),
]


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration_memory", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    parser.add_argument(
        "--frames", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="how many, or strips"
    )
    parser.add_argument("--kept", type=int, default=KEPT_ALL, help="frames up to which the old way is measured")
    given = parser.parse_args(argv)
    common.print_header("Peak of memory while calibrating and judging")
    print("- MiB that the work adds to a process; ~: in proportion to the most that was measured\n")
    table = []
    for name, one_of, bounded, everything in ROWS:
        if given.rows not in name:
            continue
        measured: dict[int, float] = {}
        for frames in (count // one_of for count in given.frames):
            if frames <= given.kept // one_of:
                measured[frames] = in_own_process(peak, everything, frames) / 2**20
            before = _before(measured, frames)
            now = in_own_process(peak, bounded, frames) / 2**20
            table.append((name, f"{frames:,}", before, f"{now:,.0f}"))
            print(*table[-1], sep=" | ", flush=True)
    print()
    common.print_table(("what is gathered", "frames or strips", "before", "now"), table)


def _before(measured: dict[int, float], frames: int) -> str:
    if frames in measured:
        return f"{measured[frames]:,.0f}"
    return f"~{max(measured.values()) * frames / max(measured):,.0f}" if measured else ""


if __name__ == "__main__":
    main()
