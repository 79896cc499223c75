"""However long a command runs and however often, it takes no more memory, threads, files and processes for that."""

import ctypes
import gc
import json
import os
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from scipy.stats import theilslopes

from fulgurite.cli import main
from tests.soak.promise import Case, Promise
from tests.soak.trainings import NETS, Setting, added, finish, fork, made_once, run, said, start

MOST = 0.1  # MB of growth for 1,000 frames or batches
MOST_OF_FITS = 0.1  # MB for each
INDEX = 0.12  # MB that FFmpeg itself keeps of 1,000 frames with sound until an MP4 is closed: the table of its packets
FEW = 20  # times as much is allowed where there are too few batches to tell it from the noise
FITS = 200
FRAMES = {"audio_to_video_legacy": 100_000, "vta_gan": 10_000}  # the first is the cheapest by far
BATCHES = {net: 2_000 if net in ("cnn_param_tanh", "aitex_vae", "audio_to_video_legacy") else 500 for net in NETS}
CHEAP = {
    "audio_to_video_legacy": [
        "--data.stride=1.0",
        "--data.fps=25.0",
        "--data.image_size=16",
        "--model.network.width=8",
    ],
    "vta_gan": ["--model.ngf=1", "--model.flow_width=0.02"],
}
EDGE = 32  # pixels
FPS = 25
RATE = 16_000
SECONDS = 1800  # until a case counts as hung
LIBC = ctypes.CDLL(None)


class Look(NamedTuple):
    """What a process holds, and what time of the processor it has taken."""

    batches: int
    seconds: float
    megabytes: float
    threads: int
    files: int
    children: int

    @classmethod
    def now(cls, batches: int) -> "Look":
        """Look at this process, when all that nobody needs any more is given back."""
        gc.collect()
        LIBC.malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # of which the listing is one
        megabytes = pages * resource.getpagesize() / 1e6
        return cls(batches, time.process_time(), megabytes, threading.active_count(), files, len(children))


class Watch(Callback):
    """Look at the process every few batches, and keep what was seen in a file.

    Args:
        every: batches between two looks.
        file: where it is kept in the end.
    """

    def __init__(self, every: int, file: Path) -> None:
        self._every, self._file = every, file
        self._batches, self._seen = 0, list[Look]()

    def on_train_batch_end(self, *_: Any) -> None:
        """Count."""
        self._batches += 1
        if self._batches % self._every == 0:
            self._seen.append(Look.now(self._batches))

    on_predict_batch_end = on_train_batch_end

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep."""
        self._file.write_text(json.dumps(self._seen))


def cases(seed: int) -> Iterator[Case]:
    """Nothing is drawn at random. The short ones come first: in them a real leak shows, a small one does not."""
    yield Case("a few trainings in a row", partial(_fits, 10, 30 * MOST_OF_FITS))
    yield Case("a short training of cnn_param_tanh", partial(_training, "cnn_param_tanh", 100, 1_000 * MOST))
    yield Case("pictures to a short sound", partial(_predicted, "audio_to_video_legacy", 1_000, 30 * MOST))
    yield Case("trainings in a row", partial(_fits, FITS, MOST_OF_FITS))
    for net, frames in FRAMES.items():
        most = MOST + (INDEX if net == "audio_to_video_legacy" else 0)
        yield Case(f"{frames} frames of {net}", partial(_predicted, net, frames, most))
    yield Case("20000 frames that are watched", partial(_live, 20_000, MOST))
    for net, batches in BATCHES.items():
        yield Case(
            f"{batches} batches of {net}", partial(_training, net, batches, MOST if batches == 2_000 else FEW * MOST)
        )


def _training(net: str, batches: int, most: float, folder: Path) -> None:
    words = Setting(net).words(folder, *CHEAP.get(net, []))
    words += [f"--trainer.max_steps={batches}", "--trainer.max_epochs=-1"]
    words += [f"--trainer.limit_train_batches={max(10, batches // 40)}"]
    words += ["--checkpoints.every_n_batches=0", "--trainer.log_every_n_steps=50"]
    seen = _watched(words, batches // 20, folder)
    assert seen[-1].batches == batches, seen[-1]
    _check_level(seen, most / 1000)
    if batches > 100:
        _check_pace(seen)


def _predicted(net: str, frames: int, most: float, folder: Path) -> None:
    setting = Setting(net)

    def train(place: Path) -> None:
        words = setting.words(place, *CHEAP[net], "--trainer.max_epochs=1")
        assert run(words, place / "log") == 0, said(place / "log")

    trained = setting.run(made_once(folder.parent / "trained" / net, train))
    maker = _video if net == "vta_gan" else _sound
    maker(frames, folder)
    words = ["predict", *setting.words(folder, *CHEAP[net])[1:], f"--ckpt_path={trained}/checkpoints/last.ckpt"]
    words += [f"--data.source={next(folder.glob('long.*'))}"]
    batches = 40
    pieces = frames // (4 if net == "vta_gan" else FPS)
    seen = _watched([*words, f"--data.eval_batch_size={max(1, pieces // batches)}"], 2, folder)
    _check_level(seen, most / 1000 * frames / seen[-1].batches)
    if frames > 1_000:
        _check_pace(seen)


def _live(frames: int, most: float, folder: Path) -> None:
    process = fork(partial(_look_at_a_watch, frames, folder), folder / "log")
    assert finish(process, SECONDS) == 0, said(folder / "log")
    _check_level([Look(*one) for one in json.loads((folder / "seen").read_text())], most / 1000)


def _look_at_a_watch(frames: int, folder: Path) -> None:
    from tests.soak.watching import watched  # which looks as we do

    (folder / "seen").write_text(json.dumps(watched(frames, folder / "watch", 40)))


def _watched(words: Sequence[str], every: int, folder: Path) -> list[Look]:
    process = start(words, folder / "log", added(Watch(every, folder / "seen")))
    assert finish(process, SECONDS) == 0, said(folder / "log")
    return [Look(*one) for one in json.loads((folder / "seen").read_text())]


def _fits(count: int, most: float, folder: Path) -> None:
    """Train again and again in one process."""
    process = fork(partial(_in_a_row, count, folder), folder / "log")
    assert finish(process, SECONDS) == 0, said(folder / "log")
    seen = [Look(*one) for one in json.loads((folder / "seen").read_text())]
    _check_level(seen, most)
    if count > 10:
        _check_pace(seen)


def _in_a_row(count: int, folder: Path) -> None:
    seen = []
    for number in range(count):
        words = Setting("cnn_param_tanh").words(folder / str(number))
        words += ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]
        main(words)
        seen.append(Look.now(number + 1))
    (folder / "seen").write_text(json.dumps(seen))


def _check_level(seen: Sequence[Look], most: float) -> None:
    """Compare the second half with itself.

    Raises:
        AssertionError: If the memory grows by more than ``most`` MB with every batch, by the median of the slopes
            between any two looks; if there are more threads, files or processes at the end than at its beginning.
    """
    half = seen[len(seen) // 2 :]
    assert len(half) >= 5, seen
    slope: float = theilslopes([one.megabytes for one in half], [one.batches for one in half]).slope
    assert slope < most, f"{slope:.5f} MB with every batch, not {most:.5f}: {[one.megabytes for one in seen]}"
    for name in ("threads", "files", "children"):
        first, last = (getattr(one, name) for one in (half[0], half[-1]))
        assert last <= first, f"{name}: {first}, in the end {last}"


def _check_pace(seen: Sequence[Look]) -> None:
    """Compare the time of the processor; only of long runs, whose parts are long.

    Raises:
        AssertionError: If a batch takes twice the time in the last quarter than in the one before.
    """
    half = seen[len(seen) // 2 :]
    places = [half[0], half[len(half) // 2], half[-1]]
    pace = [(two.seconds - one.seconds) / (two.batches - one.batches) for one, two in pairwise(places)]
    assert pace[1] < 2 * pace[0], f"{pace} seconds for a batch"


def _video(frames: int, folder: Path) -> None:
    """Write a square that moves, grey, without sound."""
    pixels = np.full((EDGE, EDGE, 3), 90, np.uint8)
    with av.open(str(folder / "long.mp4"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "250"})
        stream.height = stream.width = EDGE
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            shown = pixels.copy()
            shown[8:16, number % (EDGE - 8) :][:, :8] = 200
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _sound(frames: int, folder: Path) -> None:
    """Write a tone that comes and goes, as long as so many pictures."""
    second = np.arange(RATE) / RATE
    with av.open(str(folder / "long.flac"), "w") as container:
        stream: Any = container.add_stream("flac", rate=RATE, layout="mono")
        for number in range(frames // FPS):
            wave = (9000 * np.sin(2 * np.pi * (200 + number % 7 * 50) * second)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), number * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


MEMORY = Promise("memory and time", cases, short=1)
