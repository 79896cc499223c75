"""What is done with files and with scores, at any number of them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.common import peak_rss_bytes
from benchmarks.scaling.growth import Kind, Measured
from callbacks.clips.evaluation import evaluate
from callbacks.clips.table import FrameTable
from datamodules.batches import FrameScores
from datamodules.clips.cache import cache_clips
from datamodules.clips.video_layouts import Clip
from datamodules.file_identity import content_hash
from datamodules.images.picture_cache import PictureForm, cache_pictures
from datamodules.images.picture_layouts import find_pictures, part_copies, read_pictures
from datamodules.letterbox import Letterbox
from lightning_models.vta_gan.evidence import offered_evidence

KINDS_OF_EVIDENCE = len(offered_evidence(True, True, True)) + 1
WINDOW, STRIDE = 8, 2


@contextmanager
def clocked(found: Measured) -> Iterator[None]:
    """Add CPU time and memory of a block."""
    before, mark = peak_rss_bytes(), time.process_time()
    yield
    found["cpu"] = time.process_time() - mark
    found["memory"] = peak_rss_bytes() - before


def _folder_of(pictures: int, folder: Path, edge: int = 0) -> Path:
    """Write so many files, of a few bytes or with pictures of ``edge`` x ``edge`` random pixels."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(pictures):
        if edge:
            cv2.imwrite(f"{folder}/{number}.png", random.integers(0, 255, (edge, edge, 3), np.uint8))
        else:
            (folder / f"{number}.png").write_bytes(number.to_bytes(8, "little"))
    return folder


def listing(pictures: int) -> Measured:
    """List the pictures of one folder, give each its split, look for copies."""
    found: Measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = _folder_of(pictures, Path(scratch) / "pictures")
        with clocked(found):
            source = read_pictures(root, 0.1, 0.1)
            part_copies({"train": source.pictures}, lambda picture: picture.name)
    return found


def hashing(pictures: int) -> Measured:
    """Read all files of one folder to know them again."""
    found: Measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        paths = [one.path for one in find_pictures(_folder_of(pictures, Path(scratch) / "pictures"))]
        with clocked(found):
            content_hash(paths, Path(scratch) / "identities")
    return found


def picture_cache(pictures: int) -> Measured:
    """Decode pictures of 256 x 256 into the cache, 128 x 128 in colour."""
    found: Measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        listed = find_pictures(_folder_of(pictures, Path(scratch) / "pictures", 256))
        with clocked(found):
            cached = cache_pictures(listed, PictureForm(128, 128, 3, "letterbox", 0, 10**8), Path(scratch), "error")
        found["disk"] = _bytes_below(cached.path.parent)
    return found


def video_cache(frames: int) -> Measured:
    """Decode a folder of grey JPEGs of 360 x 240 into the cache, 128 x 128."""
    found: Measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clip"
        folder.mkdir()
        ground = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (240, 360), np.uint8), (0, 0), 3)
        for number in range(frames):
            cv2.imwrite(f"{folder}/{number:06d}.jpg", np.roll(ground, 2 * number, axis=1))
        with clocked(found):
            cache_clips([Clip("clip", folder)], Letterbox(128, 128), Path(scratch) / "cache", 1, "error")
        found["disk"] = _bytes_below(Path(scratch) / "cache")
    return found


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@cache
def _random(windows: int, edge: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    score = torch.rand(windows, WINDOW, generator=random)
    heat = torch.rand(windows, WINDOW, edge // 8, edge // 8, generator=random)
    return score, heat, (torch.rand(windows, WINDOW, edge, edge, generator=random) < 0.02).byte()


def scores_of(first: int, windows: int, edge: int, masks: bool) -> FrameScores:
    """Return the scores of successive windows of videos of 1,000 frames, as a test of VTA-GAN gathers them.

    Their numbers repeat from batch to batch, which costs no less memory where they are kept.
    """
    number = torch.arange(first, first + windows)
    start = number * STRIDE % (1000 - WINDOW + STRIDE)
    frame = start[:, None] + torch.arange(WINDOW)
    score, heat, mask = (one.clone() for one in _random(windows, edge))
    return FrameScores(
        video=[f"{one // 497:06d}" for one in number.tolist()],
        frame=frame,
        label=(frame % 100 < 10).long(),
        index=number,
        score=score,
        heat=heat,
        region=torch.tensor([[0, 0, edge, edge]] * windows),
        alternatives={f"part{kind}": score + kind for kind in range(KINDS_OF_EVIDENCE)},
        mask=mask if masks else None,
    )


def judging(frames: int) -> Measured:
    """Gather and judge the scores of frames without masks."""
    found: Measured = {}
    with clocked(found):
        table = FrameTable()
        for first in range(0, frames // STRIDE, 64):
            table.add(scores_of(first, min(64, frames // STRIDE - first), 64, False))
        evaluate(table.gather().series(), 0.5, tested=True)
    return found


def _kind(name: str, unit: str, sizes: tuple[int, ...], work: Callable[[int], Measured]) -> Kind:
    return Kind(name, unit, sizes, partial(work))


KINDS = [
    _kind("Pictures: listing and splitting", "files in a folder", (2500, 5000, 10_000, 20_000), listing),
    _kind("Pictures: knowing them again", "files in a folder", (2500, 5000, 10_000, 20_000), hashing),
    _kind("Pictures: cache", "pictures", (100, 200, 400), picture_cache),
    _kind("Video: cache", "frames", (200, 400, 800), video_cache),
    _kind("Video: judging a test", "frames", (10_000, 20_000, 40_000), judging),
]
