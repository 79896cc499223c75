"""What would be trained on, held out and tested: a table, and a picture of one of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Column, Table
from rich.text import Text
from torch.utils.data import DataLoader

from callbacks.picture_file import stacked
from callbacks.text import draw_text, printable, text_size
from datamodules.batches import AudioVideoBatch, ImageBatch, PartBatch, TileBatch, VideoBatch
from datamodules.protocols import CountsData, HasSplitManifest
from fulgurite.preparation.rehearsal import Rehearsal

Picture = NDArray[np.uint8]
ROLES = {"train": "trained on", "validation": "held out", "test": "tested"}
_NAMED = 4
_SMALLEST, _WIDEST, _LINE, _GAP = 192, 1280, 22, 6  # pixels
_RED = np.array([255, 40, 40], np.uint8)


Loaders = Mapping[str, DataLoader[Any]]


def loaders_of(done: Rehearsal) -> Loaders:
    """Return what hands out the samples of each split, of the validation those that are held out from training."""
    held_out = done.datamodule.val_dataloader()
    # of several the last one shows what is held out, the first also what is trained on
    made = {"train": done.train_loader, "validation": held_out[-1] if isinstance(held_out, list) else held_out}
    return made | ({"test": done.datamodule.test_dataloader()} if done.can_test else {})


def table(done: Rehearsal, loaders: Loaders) -> Table:
    """Return a column for each split: what is counted in it, how many samples are handed out, and names."""
    data = done.datamodule
    counts = {split: dict(data.counts(split)) if isinstance(data, CountsData) else {} for split in loaders}
    for split, found in counts.items():
        found["samples"] = len(loaders[split].dataset)  # type: ignore[arg-type]  # all of ours have a length
    made = Table(Column(""), *(Column(ROLES[split], justify="right", overflow="fold") for split in loaders))
    for key in dict.fromkeys(key for found in counts.values() for key in found):
        made.add_row(key, *(f"{found[key]:,}" if key in found else "" for found in counts.values()))
    names: Mapping[str, Sequence[str]] = data.split_manifest()["splits"] if isinstance(data, HasSplitManifest) else {}
    made.add_row("names", *(_some(names.get(split, ())) for split in loaders))
    return made


def _some(names: Sequence[str]) -> Text:
    """Return the first names, one a line, cut where the column is too narrow, and how many more there are."""
    more = [f"and {len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return Text("\n".join([*map(printable, names[:_NAMED]), *more]), no_wrap=True, overflow="ellipsis")


def picture(done: Rehearsal, loaders: Loaders) -> Picture:
    """Return one sample of each split, in the form in which models see it, below each other, uint8 ``(H, W, 3)``.

    Of the test it is the last one, which in most data sets is anomalous; what a mask marks is red.
    """
    rows: list[Picture] = []
    for split, batch in _batches(done, loaders):
        shown, name = _first(batch)
        shown = _sized(shown)
        caption = f"{ROLES[split]}: {name}"
        head = np.full((_LINE, max(shown.shape[1], text_size(caption)[0] + _GAP), 3), 255, np.uint8)
        draw_text(head, caption, (2, 4))
        rows += [head, np.pad(shown, ((0, _GAP), (0, 0), (0, 0)), constant_values=255)]
    return stacked(rows)


def _batches(done: Rehearsal, loaders: Loaders) -> Iterator[tuple[str, Any]]:
    """Yield a batch of each split: the first that is trained on, the first that is held out, the last of the test."""
    yield "train", done.batch
    for split, loader in loaders.items():
        if split != "train":
            data: Any = loader.dataset
            place = 0 if split == "validation" else len(data) - 1
            items = data.__getitems__([place]) if hasattr(data, "__getitems__") else [data[place]]
            assert loader.collate_fn is not None
            yield split, loader.collate_fn(items)


def _first(batch: Any) -> tuple[Picture, str]:
    """Return the first picture of a batch, uint8 RGB ``(H, W, 3)``, and its name; of a clip that in the middle."""
    mask: torch.Tensor | None = None
    if isinstance(batch, VideoBatch):
        middle = batch.frames.shape[1] // 2
        shown, name = batch.frames[0, middle], f"{batch.video[0]}, frame {int(batch.frame[0, middle])}"
        mask = None if batch.mask is None else batch.mask[0, middle]
        name += ", anomalous" if int(batch.label[0, middle]) == 1 else ""
    elif isinstance(batch, AudioVideoBatch):
        shown, name = batch.frames[0, batch.frames.shape[1] // 2], batch.name[0]
    elif isinstance(batch, PartBatch):
        shown, mask = batch.image, batch.mask
        name = f"{batch.name}, {batch.group}, {batch.defect}"
    elif isinstance(batch, TileBatch):
        shown, name = batch.images[0], f"a tile of {batch.group[0]}"
    elif isinstance(batch, ImageBatch):
        shown, name = batch.images[0], batch.name[0]
    else:
        return np.full(
            (_SMALLEST, _SMALLEST, 3), 224, np.uint8
        ), f"{type(batch).__name__}, of which no picture is known"
    made = np.ascontiguousarray(shown.expand(3, *shown.shape[1:]).permute(1, 2, 0).cpu().numpy())
    if mask is not None:
        marked = mask.cpu().numpy() > 0
        made[marked] = (made[marked] // 2) + (_RED // 2)
    return made, name


def _sized(shown: Picture) -> Picture:
    """Enlarge a small picture by a whole factor, and bring a wide one to what a screen holds."""
    height, width = shown.shape[:2]
    if width > _WIDEST:
        return np.asarray(
            cv2.resize(shown, (_WIDEST, max(1, height * _WIDEST // width)), interpolation=cv2.INTER_AREA), np.uint8
        )
    factor = max(1, min(_SMALLEST // min(height, width), _WIDEST // width))
    return shown.repeat(factor, axis=0).repeat(factor, axis=1)
