"""A damaged file is named, or read as a reference decoder reads it; nothing is put in the place of what is missing."""

import csv
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO, StringIO
from itertools import accumulate
from operator import and_
from pathlib import Path
from typing import Any

import av
import numpy as np
import scipy.io
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageOps

from datamodules.clips.cache import cache_clips
from datamodules.clips.labels import Spans, read_array, read_csv_spans, read_masks, read_mat_spans, read_ucsd_spans
from datamodules.clips.video_layouts import Clip
from datamodules.errors import InputError
from datamodules.images.picture_cache import PictureForm, cache_pictures
from datamodules.images.picture_layouts import find_pictures
from datamodules.letterbox import Letterbox
from datamodules.mask_file import mask_pixels
from datamodules.media import probe, read_frames, read_timed_frames
from datamodules.picture_file import read_picture
from datamodules.sound.audio_video_cache import Settings, cache_pairs
from datamodules.sound.audio_video_sources import Pair
from datamodules.sound.sound import read_sound
from tests.soak.good_files import FRAMES, NAMES, good_file
from tests.soak.promise import Case, Promise

LIMIT = 20  # seconds
DAMAGES = ("none", "empty", *(f"cut at {tenth}/10" for tenth in range(1, 10)), "another kind", *["bits flipped"] * 12)
CACHES = 20
Found = list[Any]


def cases(seed: int) -> Iterator[Case]:
    """Every damage to every kind of file, so that any few in a row differ in both; now and then a cut cache."""
    for turn in range(len(DAMAGES)):
        for place, name in enumerate(NAMES):
            number = (turn + place) % len(DAMAGES)
            random = np.random.default_rng((seed, number, place))
            yield Case(f"{name} {DAMAGES[number]} ({number})", partial(_file, name, DAMAGES[number], random))
        if turn < CACHES:
            yield Case(f"cache {turn}", partial(_cut_cache, turn, np.random.default_rng((seed, turn))))


def _file(name: str, damage: str, random: Generator, folder: Path) -> None:
    kind = _KINDS[name]
    path = folder / f"broken {name}"
    path.write_bytes(damaged := _damaged(name, damage, random))
    with _in_time(), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found, refused = _tried(kind.read, path)
    if refused is not None:
        assert str(path) in refused, refused
    if told := [said for said in (refused, *(str(one.message) for one in warned)) if said and str(path) in said]:
        assert damage != "none", told
        return
    try:
        expected = kind.reference(damaged)
    except Exception as error:
        raise AssertionError(f"read in silence, where the reference says {error!r}") from error
    assert_same(found, expected)
    if damage.startswith("cut") and name not in ("labels.csv", "labels.m"):  # any part of those is a whole one
        assert_same(found, kind.reference(good_file(name)))


def _tried(read: Callable[[Path], Found], path: Path) -> tuple[Found, str | None]:
    """Return what was read, or why it was refused."""
    try:
        return read(path), None
    except InputError as error:
        return [], str(error)


def _damaged(name: str, damage: str, random: Generator) -> bytes:
    good = good_file(name)
    if damage == "none":
        return good
    if damage == "empty":
        return b""
    if damage == "another kind":
        return good_file(str(random.choice([other for other in NAMES if other != name])))
    if damage == "bits flipped":
        content = np.frombuffer(good, np.uint8).copy()
        places = random.integers(content.size, size=int(random.integers(1, 9)))
        np.bitwise_xor.at(content, places, (1 << random.integers(8, size=places.size)).astype(np.uint8))
        return content.tobytes()
    tenth = int(damage.removeprefix("cut at ").removesuffix("/10"))
    return good[: len(good) * tenth // 10]


def assert_same(found: Found, expected: Found) -> None:
    """Compare what was read; what is expected as None may be anything."""
    assert len(found) == len(expected), f"{len(found)} were read, {len(expected)} are there"
    for one, other in zip(found, expected, strict=True):
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise where the block takes longer than ``LIMIT``; whoever else waits for the alarm gets it back."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done after {LIMIT} seconds")

    handler = signal.signal(signal.SIGALRM, late)
    left, interval = signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, left, interval)


# --- what the product reads, and what others make of the same bytes --------------------------------------------------


def _read_video(path: Path) -> Found:
    info, count = probe(path), sum(1 for _ in read_frames(path))
    assert info.frames is None or count >= 0.98 * info.frames, f"{count} of {info.frames} frames were read"
    return [frame for _, frame in read_timed_frames(path)]


def _reference_video(content: bytes) -> Found:
    """From the first damaged frame on, what FFmpeg guesses depends on the number of its threads: None."""
    with av.open(BytesIO(content), metadata_errors="surrogateescape") as container:
        container.streams.video[0].thread_type = "NONE"
        decoded = list(container.decode(video=0))
    sound = list(accumulate((not frame.is_corrupt for frame in decoded), and_))
    return [frame.to_ndarray(format="rgb24") if good else None for frame, good in zip(decoded, sound, strict=True)]


def _read_sound(path: Path) -> Found:
    rate = 16_000
    with suppress(av.FFmpegError), av.open(str(path), metadata_errors="surrogateescape") as container:
        rate = container.streams.audio[0].rate if container.streams.audio else rate
    return list(np.concatenate([*read_sound(path, rate)], axis=1))


def _reference_sound(content: bytes) -> Found:
    with av.open(BytesIO(content), metadata_errors="surrogateescape") as container:
        frames = [(frame.to_ndarray(), frame.layout.nb_channels) for frame in container.decode(audio=0)]
    (whole,) = np.concatenate([samples.reshape(1, -1) for samples, _ in frames], axis=1)
    assert {channels for _, channels in frames} == {1}
    if whole.dtype.kind == "i":
        whole = whole / 2.0 ** (8 * whole.itemsize - 1)
    return [whole.clip(-1, 1)]


def _reference_picture(content: bytes) -> Found:
    with Image.open(BytesIO(content)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    return [np.asarray(Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB"))]


def _reference_mask(content: bytes) -> Found:
    with Image.open(BytesIO(content)) as image:
        return [np.asarray(image) if image.mode == "P" else np.asarray(image.convert("RGB")).max(axis=-1)]


def _spans_of_mat(content: bytes) -> Found:
    spans = []
    for cell in scipy.io.loadmat(BytesIO(content))["gt"].reshape(-1):
        first, last = np.asarray(cell).reshape(2, -1).astype(int)
        spans.append(np.stack([first - 1, last], axis=-1))
    return spans


def _spans_of_csv(content: bytes) -> Found:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    _, *rows = csv.reader(StringIO(text, newline=""))
    spans: dict[str, list[list[int]]] = {}
    for name, *row in rows:
        spans.setdefault(name.strip(), []).extend([[int(cell) for cell in row]] if any(row) else [])
    return [np.asarray(rows, int).reshape(-1, 2) for rows in spans.values()]


def _spans_of_m(content: bytes) -> Found:
    text = re.sub("%.*", "", content.decode(errors="replace"))
    lines = re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", text)
    return [
        [(int(first) - 1, int(last or first)) for first, last in re.findall(r"(\d+)(?:\s*:\s*(\d+))?", line)]
        for line in lines
    ]


def _read_mat_spans(path: Path) -> Found:
    clips = read_mat_spans(path)
    if clips is None:
        raise InputError(f"{path}: the layout says that there are no labels")
    return [_array(clip) for clip in clips]


def _array(spans: Spans) -> NDArray[np.int64]:
    return np.asarray(spans.spans, int).reshape(-1, 2)


class _Kind:
    """How a kind of file is read, and by whom else."""

    def __init__(self, read: Callable[[Path], Found], reference: Callable[[bytes], Found]) -> None:
        self.read, self.reference = read, reference


def _load(content: bytes) -> NDArray[Any]:
    return np.load(BytesIO(content), allow_pickle=False)


_OF_ENDING = {
    "video": _Kind(_read_video, _reference_video),
    "sound": _Kind(_read_sound, _reference_sound),
    "picture": _Kind(lambda path: [read_picture(path, 3)], _reference_picture),
    "mask.png": _Kind(lambda path: [mask_pixels(path).values], _reference_mask),
    "mask.mat": _Kind(
        lambda path: list(read_masks(path)),
        lambda content: list(scipy.io.loadmat(BytesIO(content))["volLabel"] > 0),
    ),
    "mask.npy": _Kind(lambda path: list(read_masks(path)), lambda content: list(_load(content) > 0)),
    "labels.csv": _Kind(lambda path: [_array(one) for one in read_csv_spans(path).values()], _spans_of_csv),
    "labels.mat": _Kind(_read_mat_spans, _spans_of_mat),
    "labels.npy": _Kind(lambda path: [read_array(path)], lambda content: [_load(content)]),
    "labels.m": _Kind(lambda path: [_array(one) for one in read_ucsd_spans(path)], _spans_of_m),
}
_KINDS = {name: _OF_ENDING.get(name) or _OF_ENDING[name.partition(".")[0]] for name in NAMES}


# --- a cache that was cut --------------------------------------------------------------------------------------------


def _cut_cache(turn: int, random: Generator, folder: Path) -> None:
    """Decode into a cache, cut one of its files, and open it again: a warning names it, and nothing has changed."""
    for name in ("video.mp4", "sound.wav", "picture.png"):
        (folder / name).write_bytes(good_file(name))
    read = (read_clip, read_pair, read_pictures)[turn % 3]
    with _in_time():
        before = read(folder)
        stored = sorted(path for path in (folder / "cache").rglob("*") if path.suffix in (".npy", ".json"))
        stored = [path for path in stored if "identities" not in path.parts and path.stat().st_size]
        victim = stored[int(random.integers(len(stored)))]
        os.truncate(victim, int(random.integers(victim.stat().st_size)))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            after = read(folder)
    assert victim.name == ".sizes.json" or any(str(victim.parent) in str(one.message) for one in told), victim
    assert_same(after, before)


def read_clip(folder: Path) -> Found:
    """Return the frames of a video, from the cache of a folder."""
    (clip,) = cache_clips([Clip("a", folder / "video.mp4")], Letterbox(24, 32), folder / "cache", 1, "error")
    return [clip.frames(slice(None)).copy()]


def read_pair(folder: Path) -> Found:
    """Return the frames of a video and a sound, from the cache of a folder."""
    pair = Pair("a", folder / "video.mp4", folder / "sound.wav")
    (cached,) = cache_pairs([pair], Settings(16_000, 10.0, Letterbox(24, 32)), folder / "cache", 1, "error")
    return [cached.frames(0, FRAMES), cached.sound(0, 16_000)]


def read_pictures(folder: Path) -> Found:
    """Return a picture, from the cache of a folder."""
    form = PictureForm(24, 32, 3, "letterbox", 255, 10**6)
    return [np.load(cache_pictures(find_pictures(folder / "picture.png"), form, folder / "cache", "error").path)]


BROKEN_FILES = Promise("broken files", cases, short=25)
