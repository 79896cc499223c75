"""No argument of a data module is dead: another value changes what the loaders give, or is refused.

``MODULES`` has one other value for every argument of a data module, and all places where it must show and no others;
``COMMON`` has those that all share. A new argument fails the test until it has one. What is compared is everything
that the loaders of a small source give.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from torch import Tensor

from datamodules import AitexDataModule, AudioVideoDataModule, ImageFolderDataModule, VideoSnippetDataModule
from datamodules.errors import InputError
from datamodules.sound.sound import SoundVideoWriter
from datamodules.source import SourceDataModule

from .conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore:.*left out", "ignore:.*masks? ")


class Refused(NamedTuple):
    """A value that is refused on the same data, by a message that names the argument."""

    value: Any
    match: str


class Shows(NamedTuple):
    """A value, and the places in what :func:`traces` returns that change with it."""

    value: Any
    places: set[str]


class Module(NamedTuple):
    """Writes a source, one of whose files cannot be used; where in it to predict; a configuration; other values."""

    write: Callable[[Path, int], None]
    predicted: str
    small: dict[str, Any]
    others: dict[str, Shows | Refused]


# --- sources: pictures wider than high, of 16 bits, so that every way of bringing them to a form shows ---------------


def write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def write_bad(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no picture")


def write_clips(root: Path, seed: int) -> None:
    for number in range(7):
        folder = root / ("train" if number < 5 else "test") / f"n{number}"
        for place, frame in enumerate(make_frames(13, seed=10 * seed + number)):
            write_picture(folder / f"{place:03d}.png", frame.astype(np.uint16) * 257)
    write_bad(root / "train" / "bad" / "000.png")


def write_images(root: Path, seed: int) -> None:
    for number in range(40):
        size = (16, 24, 3) if number % 2 else (24, 36, 3)
        picture = np.random.default_rng((seed, number)).integers(0, 65_535, size, np.uint16)
        write_picture(root / f"{number:02d}.png", picture)
    write_bad(root / "bad.png")


def write_strips(root: Path, seed: int) -> None:
    for number in range(16):
        fabric = f"{number % 2:02d}"
        strip = np.random.default_rng((seed, number)).integers(0, 65_535, (48, 160, 3), np.uint16)
        strip[:, :40] = 65_535  # the margin
        write_picture(root / "NODefect_images" / f"{number:04d}_000_{fabric}.png", strip)
        if number < 2:
            write_picture(root / "Defect_images" / f"{number:04d}_019_{fabric}.png", strip[::-1])
            mask = np.zeros((48, 160), np.uint8)
            mask[20:30, 120:140] = 255
            write_picture(root / "Mask_images" / f"{number:04d}_019_{fabric}_mask.png", mask)
    write_bad(root / "NODefect_images" / "0099_000_00.png")


def write_films(root: Path, seed: int) -> None:
    root.mkdir()
    for number in range(8):
        random = np.random.default_rng((seed, number))
        with SoundVideoWriter(root / f"clip{number}.mp4", 25.0, (16, 24), 16_000) as film:
            for frame in make_frames(20, 16, 24, seed=10 * seed + number):
                film.write(frame)
            film.write_sound(random.uniform(-0.5, 0.5, (1, 12_800)).astype(np.float32))
    write_bad(root / "bad.mp4")


# --- the table ------------------------------------------------------------------------------------------------------

TRAINED, VALIDATED, TESTED, PREDICTED, CACHED = (
    {place} for place in ("train", "validation", "test", "predict", "cache")
)
DIVIDED = TRAINED | VALIDATED | TESTED
JUDGED = VALIDATED | TESTED | PREDICTED
ALL = TRAINED | JUDGED
COMMON: dict[str, Shows | Refused] = {
    "source": Shows("other", ALL),  # a folder like the first one, with other content
    "batch_size": Shows(3, TRAINED),
    "num_workers": Shows(1, ALL),
    "on_bad_file": Refused("error", r"data\.on_bad_file"),
    "cache_dir": Shows("elsewhere", CACHED),
    "bit_range": Shows((0, 30_000), ALL),
}
MODULES: dict[type[SourceDataModule[Any]], Module] = {
    VideoSnippetDataModule: Module(
        write_clips,
        "test",
        {"image_size": 32, "num_frames": 4, "batch_size": 2},
        {
            "image_size": Shows((32, 24), ALL),
            "num_frames": Shows(5, ALL),
            "frame_step": Shows(2, ALL),
            "train_stride": Shows(3, TRAINED),
            "train_crop": Shows((16, 24), TRAINED),
            "eval_stride": Shows(2, TESTED | PREDICTED),
            "validation_stride": Shows(2, VALIDATED),
            "eval_batch_size": Shows(5, JUDGED),
            "validation_fraction": Shows(0.5, TRAINED | VALIDATED),
            "fit": Shows("stretch", ALL),
            "brightness": Shows(0.0, TRAINED),
            "contrast": Shows(0.0, TRAINED),
            "flip": Shows(True, TRAINED),
            "num_workers": Shows(1, DIVIDED),  # a prediction is one stream
            "scene": Shows("night", set()),  # of what is generated where there is no source
        },
    ),
    ImageFolderDataModule: Module(
        write_images,
        "",
        {"image_size": 16, "batch_size": 2, "validation_fraction": 0.2, "test_fraction": 0.2},
        {
            "image_size": Shows((16, 8), ALL),
            "channels": Shows(1, ALL),
            "eval_batch_size": Shows(1, JUDGED),
            "validation_fraction": Shows(0.5, TRAINED | VALIDATED),
            "test_fraction": Shows(0.4, DIVIDED),
            "fit": Shows("crop", ALL),
            "background": Shows(0, ALL),
            "flip": Shows(True, TRAINED),
            "zoom": Shows(0.3, TRAINED),
            "max_pixels": Shows(16 * 24, ALL),
        },
    ),
    AitexDataModule: Module(
        write_strips,
        "",
        {"tile_size": 32, "train_stride": 32, "batch_size": 2},
        {
            "groups": Shows(["01"], ALL),
            "tile_size": Shows(48, ALL),
            "train_stride": Shows(16, TRAINED),
            "validation_fraction": Shows(0.4, TRAINED | VALIDATED),
            "test_fraction": Shows(0.5, DIVIDED),
            "split_seed": Shows(1, DIVIDED),
            "starts": Shows({"01": 96}, ALL),
            "channels": Shows(3, ALL),
            "clahe": Shows(2.0, ALL),
            "flip_horizontal": Shows(False, TRAINED),
            "flip_vertical": Shows(False, TRAINED),
            "surface": Shows("metal", set()),  # of what is generated where there is no source
        },
    ),
    AudioVideoDataModule: Module(
        write_films,
        "",
        {"duration": 0.4, "stride": 0.2, "image_size": 16, "batch_size": 2},
        {
            "sample_rate": Shows(8000, ALL),
            "duration": Shows(0.5, ALL),
            "fps": Shows(15.0, ALL),
            "image_size": Shows(24, ALL),
            "stride": Shows(0.1, ALL),
            "eval_batch_size": Shows(3, JUDGED),
            "validation_fraction": Shows(0.4, TRAINED | VALIDATED),
            "test_fraction": Shows(0.4, DIVIDED),
            "fit": Shows("stretch", DIVIDED),
            "num_workers": Shows(1, DIVIDED),
            "still": Shows(np.full((16, 24, 3), 200, np.uint8), PREDICTED),
            "bit_range": Refused((0, 30_000), r"data\.bit_range"),
        },
    ),
}
EVERY = [(kind, name) for kind, module in MODULES.items() for name in {**COMMON, **module.others}]


def public_arguments(kind: type[SourceDataModule[Any]]) -> set[str]:
    """Return what a user may give: the arguments of the class, and those that its base takes from ``**common``."""
    own, shared = (set(inspect.signature(one).parameters) for one in (kind, SourceDataModule))
    return (own | shared) - {"common"}


# --- what the loaders give ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[type[SourceDataModule[Any]]], Path]:
    """Return the folder with a module's two sources, ``first`` and ``other``, written once."""

    @cache
    def write(kind: type[SourceDataModule[Any]]) -> Path:
        folder = tmp_path_factory.mktemp(kind.__name__)
        for seed, name in enumerate(("first", "other")):
            MODULES[kind].write(folder / name, seed)
        return folder

    return write


@pytest.fixture(scope="module")
def traces(sources, tmp_path_factory) -> Callable[..., dict[str, list[Any]]]:
    def trace(kind: type[SourceDataModule[Any]], **changes: Any) -> dict[str, list[Any]]:
        """Open all stages in an empty folder; return by stage what the loaders give, and where the cache lies."""
        caches = tmp_path_factory.mktemp("caches")
        options = {"source": "first", "cache_dir": "cache", "on_bad_file": "skip", **MODULES[kind].small, **changes}
        options["cache_dir"] = str(caches / options["cache_dir"])
        source = sources(kind) / options.pop("source")
        data = kind(source=str(source), **options)
        data.setup("fit")
        data.setup("test")
        scored = kind(source=str(source / MODULES[kind].predicted), **options)
        scored.setup("predict")
        return {
            "train": [*given(data.train_dataloader())],
            "validation": [*given(data.val_dataloader())],
            "test": [*given(data.test_dataloader())],
            "predict": [*given(scored.predict_dataloader())],
            "cache": sorted(place.name for place in caches.iterdir()),
        }

    return trace


def given(loaders: Any) -> Iterator[Any]:
    """Yield the settings of one or several loaders, and all of their batches as comparable values."""
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        yield getattr(loader, "num_workers", 0), getattr(loader, "pin_memory", False)
        for batch in loader:
            yield [comparable(value) for value in astuple(batch)]


def comparable(value: Any) -> Any:
    return (value.dtype, tuple(value.shape), value.numpy().tobytes()) if isinstance(value, Tensor) else value


@pytest.fixture(scope="module")
def untouched(traces) -> Callable[[type[SourceDataModule[Any]]], dict[str, list[Any]]]:
    return cache(traces)


@pytest.mark.parametrize("kind", MODULES)
def test_the_table_has_every_argument(kind):
    assert {*COMMON, *MODULES[kind].others} == public_arguments(kind)


@pytest.mark.parametrize("kind", MODULES)
def test_the_same_arguments_give_the_same(kind, traces, untouched):
    assert traces(kind) == untouched(kind)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_another_value_changes_something(kind, name, traces, untouched):
    other = {**COMMON, **MODULES[kind].others}[name]
    if isinstance(other, Refused):
        with pytest.raises(InputError, match=other.match):
            traces(kind, **{name: other.value})
    else:
        old, new = untouched(kind), traces(kind, **{name: other.value})
        assert {place for place in old if new[place] != old[place]} == other.places
