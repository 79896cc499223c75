"""One step of every system, as the trainer takes it, and one judgement, at any size."""

import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from torch.utils.flop_counter import flop_registry

from benchmarks.audio_to_video import noise
from benchmarks.common import peak_rss_bytes
from benchmarks.scaling.growth import Kind, Measured
from datamodules.batches import ImageBatch, PartBatch, TileBatch, VideoBatch
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.audio_to_video import AudioToVideoNet

STEPS = 1
"""Steps that are timed in a process, after one in which operations are counted; the repeats are other processes."""

Built = tuple[LightningModule, Any]


class Operations(TorchDispatchMode):
    """Counts floating-point operations as torch's own counter does, which cannot follow a gradient penalty.

    Products, convolutions and attention are counted; what is done number by number, and Fourier transforms, are not.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do an operation and count it."""
        out = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


class _Clocked(Callback):
    """Counts the operations of the first step and takes the CPU time of the others; says both in a file at the end."""

    def __init__(self, told: Path) -> None:
        self.told = told
        self.counter = Operations()
        self.seconds: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self.counter.__enter__()
        self.mark = time.process_time()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self.counter.__exit__(None, None, None)
        else:
            self.seconds.append(time.process_time() - self.mark)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            peak, operations = peak_rss_bytes(), self.counter.total
            self.told.write_text(json.dumps({"cpu": min(self.seconds), "operations": operations, "memory": peak}))


def train(build: Callable[[int], Built], size: int, processes: int = 1) -> Measured:
    """Take steps on one batch, in each of so many processes; what is measured is the first one's."""
    _prepare()
    before = peak_rss_bytes()
    model, batch = build(size)
    loader: DataLoader[Any] = DataLoader([batch] * (1 + STEPS), batch_size=None)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        shared = DDPStrategy(start_method="fork", find_unused_parameters=True)
        Trainer(
            accelerator="cpu",
            devices=processes,
            strategy=shared if processes > 1 else "auto",
            use_distributed_sampler=False,
            max_epochs=1,
            logger=False,
            callbacks=[_Clocked(told)],
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(model, loader)
        found: Measured = json.loads(told.read_text())
    return found | {"memory": found["memory"] - before}


def train_together(processes: int) -> Measured:
    """Train MotorVAEGAN in several processes, two pictures each."""
    return train(cars, 2, processes)


@torch.no_grad()
def judge(build: Callable[[int], Built], size: int) -> Measured:
    """Judge one batch, or decode one."""
    _prepare()
    before = peak_rss_bytes()
    model, batch = build(size)
    model.eval()
    with Operations() as counter:
        model.test_step(batch, 0)
    seconds = []
    for _ in range(STEPS):
        mark = time.process_time()
        model.test_step(batch, 0)
        seconds.append(time.process_time() - mark)
    operations = counter.total
    return {"cpu": min(seconds), "operations": operations, "memory": peak_rss_bytes() - before}


def _prepare() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)  # so that the time of the process is that of the work
    torch.manual_seed(0)


# --- what is built; sizes that are not given are those of the experiments, or smaller ------------------------------


def video(windows: int = 1, frames: int = 8, height: int = 64, width: int = 64) -> Built:
    """VTA-GAN as it ships."""
    pixels = torch.randint(0, 256, (2, windows, frames, 3, height, width), dtype=torch.uint8)
    mask = torch.zeros(windows, frames, height, width, dtype=torch.uint8)
    mask[:, :, : height // 4, : width // 4] = 1
    batch = VideoBatch(
        frames=pixels[0],
        video=["clip"] * windows,
        frame=torch.arange(frames).repeat(windows, 1),
        label=torch.zeros(windows, frames, dtype=torch.int64),
        region=torch.tensor([[0, 0, height, width]] * windows),
        index=torch.arange(windows),
        mask=mask,
        pseudo=pixels[1],
        pseudo_mask=mask,
    )
    return VTAGAN(num_frames=frames, ngf=32, ndf=32, flow_width=0.25), batch


def tiles(count: int = 4, edge: int = 128) -> Built:
    """AitexVAE as it ships, on tiles."""
    images = torch.randint(0, 256, (count, 1, edge, edge), dtype=torch.uint8)
    batch = TileBatch(images, ["00"] * count, torch.arange(count))
    return AitexVAE(tile_size=edge, latent_dim=128), batch


def strip(length: int) -> Built:
    """AitexVAE on a strip 256 pixels wide, its tiles overlapping by half."""
    model = AitexVAE(latent_dim=128)
    model.scorer.regroup(["00"])
    picture = torch.randint(0, 256, (1, 256, length), dtype=torch.uint8)
    return model, PartBatch(picture, "strip", "00", "good", 0, 0, 0)


def _pictures(count: int, channels: int, edge: int) -> ImageBatch:
    images = torch.randint(0, 256, (count, channels, edge, edge), dtype=torch.uint8)
    return ImageBatch(images, [str(number) for number in range(count)], torch.zeros(count).long(), torch.arange(count))


def cars(count: int = 2, edge: int = 64) -> Built:
    """MotorVAEGAN as it ships."""
    return MotorVAEGAN(image_size=edge), _pictures(count, 1, edge)


def colour(count: int = 2, edge: int = 64) -> Built:
    """CNNParamTanh as it ships, but that every step trains the generator, too."""
    return CNNParamTanh(image_size=edge, n_critic=1), _pictures(count, 3, edge)


def music(clips: int = 1, frames: int = 30, edge: int = 64) -> Built:
    """AudioToVideo as it ships."""
    network = partial(AudioToVideoNet, width=128, feedforward=512, chunk=512)
    return AudioToVideo(network, image_size=edge), noise(clips, frames, frames * 16000 // 30, edge)


def _wide(pixels: int) -> dict[str, int]:
    """Return edges of a picture of so many pixels that are multiples of 64: a square or twice as wide."""
    height = next(edge for edge in (64, 128, 256) if pixels in (edge * edge, 2 * edge * edge))
    return {"height": height, "width": pixels // height}


def _edge(pixels: int) -> int:
    return round(pixels**0.5)


def _kind(name: str, unit: str, sizes: tuple[int, ...], work: Callable[..., Measured], build: Any) -> Kind:
    return Kind(name, unit, sizes, partial(work, build))


def video_of_pixels(pixels: int) -> Built:
    """A window whose frames have so many pixels."""
    return video(**_wide(pixels))


def video_of_frames(frames: int) -> Built:
    """A window of so many frames."""
    return video(frames=frames)


def tiles_of_pixels(pixels: int) -> Built:
    """Tiles of so many pixels."""
    return tiles(edge=_edge(pixels))


def cars_of_pixels(pixels: int) -> Built:
    """Pictures of so many pixels."""
    return cars(edge=_edge(pixels))


def colour_of_pixels(pixels: int) -> Built:
    """Pictures of so many pixels."""
    return colour(edge=_edge(pixels))


def music_of_frames(frames: int) -> Built:
    """A piece of so many frames."""
    return music(frames=frames)


def music_of_pixels(pixels: int) -> Built:
    """A piece whose frames have so many pixels."""
    return music(edge=_edge(pixels))


SQUARES = (64 * 64, 128 * 128, 256 * 256)

KINDS = [
    _kind("VTA-GAN, training: windows", "windows a batch", (1, 2, 4), train, video),
    _kind("VTA-GAN, training: pixels", "pixels a frame", (4096, 8192, 16384), train, video_of_pixels),
    _kind("VTA-GAN, training: frames", "frames a window", (4, 8, 16), train, video_of_frames),
    _kind("VTA-GAN, scoring: windows", "windows a batch", (1, 2, 4, 8), judge, video),
    _kind("VTA-GAN, scoring: pixels", "pixels a frame", (4096, 8192, 16384, 32768), judge, video_of_pixels),
    _kind("VTA-GAN, scoring: frames", "frames a window", (4, 8, 16, 32), judge, video_of_frames),
    _kind("AitexVAE, training: tiles", "tiles a batch", (2, 4, 8, 16), train, tiles),
    _kind("AitexVAE, training: pixels", "pixels a tile", SQUARES, train, tiles_of_pixels),
    _kind("AitexVAE, scoring: length", "pixels of a strip's length", (512, 1024, 2048, 4096), judge, strip),
    _kind("MotorVAEGAN, training: pictures", "pictures a batch", (2, 4, 8), train, cars),
    _kind("MotorVAEGAN, training: pixels", "pixels a picture", SQUARES, train, cars_of_pixels),
    Kind("MotorVAEGAN, training: processes", "processes, 2 pictures each", (1, 2, 4), train_together),
    _kind("CNNParamTanh, training: pictures", "pictures a batch", (2, 4, 8), train, colour),
    _kind("CNNParamTanh, training: pixels", "pixels a picture", SQUARES, train, colour_of_pixels),
    _kind("AudioToVideo, training: pieces", "pieces a batch", (1, 2, 4), train, music),
    _kind("AudioToVideo, training: frames", "frames a piece", (30, 60, 120, 240), train, music_of_frames),
    _kind("AudioToVideo, training: pixels", "pixels a frame", SQUARES, train, music_of_pixels),
]
