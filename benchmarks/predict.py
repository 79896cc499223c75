"""How fast a video is predicted, and by what: ``python -m benchmarks.predict [RUN...] [--video FILE]``.

Each RUN is one of VTA-GAN; its ``predictions/<video>/`` is written anew, as ``lightning predict`` does. Without one the
default and the small network are trained for two batches each, as speed does not depend on what was learned. Every row
is a process of its own. Frames per second are told without the start, and the stages by processor time, so that their
shares hold on a machine that others use, too. ``--anomalib PYTHON`` names the interpreter of an environment with
anomalib, which scores the same frames one by one by PaDiM, its ResNet-18 with random weights.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import common
from datamodules.media import VideoWriter, read_frames
from datamodules.picture_file import Frame

STAGES = "decoding for the network", "letterbox", "decoding for the overlay", "drawing", "encoding"
_SIZE, _FRAMES = (576, 768), 400  # of the generated video
_LEARNED = 16  # frames that PaDiM's statistics are of


def generate(path: Path, frames: int = _FRAMES) -> Path:
    """Write a video of a noisy scene in which blocks move."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (*_SIZE, 3), np.uint8), (0, 0), 5)
    with VideoWriter(path, 25, _SIZE) as video:
        for number in range(frames):
            frame = cv2.add(scene, rng.integers(0, 6, scene.shape, np.uint8))
            for block in range(6):
                left = (97 * block + (3 + block) * number) % _SIZE[1]
                frame[80 * block + 40 : 80 * block + 100, left : left + 30] = 220 - 30 * block
            video.write(frame)
    return path


class Stopwatch:
    """Adds up the processor time that threads spend in stages, and that of the process from start to end."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._began = (0.0, 0.0)
        self.wall = self.processor = 0.0

    def function(self, owner: Any, name: str, stage: str) -> None:
        """Count the calls of a function for a stage."""
        work = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                self.spent[stage] += time.thread_time() - start

        setattr(owner, name, timed)

    def frames(self, owner: Any, stage: str) -> None:
        """Count the ``read_frames`` that a module calls for a stage."""

        def timed(*args: Any) -> Iterator[Frame]:
            stream = read_frames(*args)
            while True:
                start = time.thread_time()
                frame = next(stream, None)
                self.spent[stage] += time.thread_time() - start
                if frame is None:
                    return
                yield frame

        owner.read_frames = timed

    def span(self, owner: Any, first: str, last: str) -> None:
        """Take the time from the end of one method to the end of another."""
        begin, end = getattr(owner, first), getattr(owner, last)

        def began(*args: Any) -> None:
            begin(*args)
            self.spent.clear()
            self._began = time.perf_counter(), time.process_time()

        def ended(*args: Any) -> None:
            end(*args)
            self.wall, self.processor = time.perf_counter() - self._began[0], time.process_time() - self._began[1]

        setattr(owner, first, began)
        setattr(owner, last, ended)


def predicted(run: str, video: str) -> dict[str, Any]:
    """Predict as the command does, and return what it took."""
    from callbacks.clips import overlay, predictions
    from datamodules.clips import video_stream
    from datamodules.letterbox import Letterbox
    from fulgurite.cli import main as command

    watch = Stopwatch()
    watch.frames(video_stream, STAGES[0])
    watch.function(Letterbox, "picture", STAGES[1])
    watch.frames(predictions, STAGES[2])
    watch.function(overlay.Overlay, "draw", STAGES[3])
    watch.function(VideoWriter, "write", STAGES[4])
    watch.span(predictions.ClipPredictions, "on_predict_start", "on_predict_epoch_end")
    command(["predict", video, "--run", run])
    return _row(watch.wall, {stage: watch.spent[stage] / watch.processor for stage in STAGES})


def scored_by_anomalib(video: str) -> dict[str, Any]:
    """Score every frame by anomalib's PaDiM, and return what it took."""
    from anomalib.models import Padim  # type: ignore[import-not-found]  # in an environment of its own

    model = Padim(backbone="resnet18", pre_trained=False)
    model.model.train()
    for picture in islice(map(_as_picture, read_frames(Path(video))), _LEARNED):
        model.model(model.pre_processor(picture))
    model.model.fit()
    model.eval()
    start = time.perf_counter()
    with torch.inference_mode():
        for picture in map(_as_picture, read_frames(Path(video))):
            model(picture)
    return _row(time.perf_counter() - start, {})


def _as_picture(frame: Frame) -> torch.Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255


def _row(seconds: float, shares: dict[str, float]) -> dict[str, Any]:
    return {"seconds": seconds, "shares": shares, "memory": common.peak_rss_bytes()}


def _in_own_process(python: str, threads: int, *words: str) -> dict[str, Any]:
    """Measure a row; its process prints it in its last line.

    Raises:
        SystemExit: with what it said, if it fails.
    """
    root = str(Path(__file__).parents[1])
    surroundings = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": root}
    command = [python, "-m", "benchmarks.predict", *words]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _train(folder: Path) -> list[str]:
    """Train the default and the small network for two batches, and return their run folders."""
    experiments = Path(__file__).parents[1] / "experiments"
    few = ["--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1", "--trainer.limit_train_batches=2"]
    few += ["--wandb.mode=disabled", f"--run.root={folder}"]
    for name, configs in (("default", ["vta_gan.yaml"]), ("small", ["vta_gan.yaml", "vta_gan/small.yaml"])):
        chosen = [word for config in configs for word in ("--config", str(experiments / config))]
        command = [sys.executable, "-m", "fulgurite", "fit", *chosen, *few, f"--run.name={name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [str(folder / "vta_gan" / name) for name in ("default", "small")]


def main() -> None:
    """Print the table."""
    arguments = common.parser("how fast a video is predicted")
    arguments.add_argument("run", nargs="*", help="run folder of VTA-GAN")
    arguments.add_argument("--video", help="default: a generated one of 768x576")
    arguments.add_argument("--anomalib", metavar="PYTHON", help="interpreter of an environment with anomalib")
    arguments.add_argument("--row", choices=sorted(_ROWS), help="measure one row, which the others are started for")
    given = arguments.parse_args()
    if given.row:
        print("\n" + json.dumps(_ROWS[given.row](*given.run)))
        return
    torch.set_num_threads(given.threads)
    common.print_header("prediction of a video")
    with tempfile.TemporaryDirectory() as scratch:
        video = given.video or str(generate(Path(scratch) / "blocks.mp4"))
        frames = sum(1 for _ in read_frames(Path(video)))
        print(f"- {Path(video).name}: {frames} frames")
        found = {}
        for run in given.run or _train(Path(scratch)):
            found[Path(run).name] = _in_own_process(sys.executable, given.threads, run, video, "--row", "run")
        if given.anomalib:
            row = _in_own_process(given.anomalib, given.threads, video, "--row", "anomalib")
            found["anomalib's PaDiM"] = row
    rows = []
    for name, row in found.items():
        shares = [f"{row['shares'][stage]:.0%}" if row["shares"] else "" for stage in STAGES]
        rest = f"{1 - sum(row['shares'].values()):.0%}" if row["shares"] else ""
        memory = f"{row['memory'] / 2**20:.0f} MiB"
        rows.append([name, f"{frames / row['seconds']:.3g}", *shares, rest, memory])
    common.print_table(["network", "frames/s", *STAGES, "network and the rest", "memory"], rows)


_ROWS: dict[str, Callable[..., dict[str, Any]]] = {"run": predicted, "anomalib": scored_by_anomalib}


if __name__ == "__main__":
    main()
