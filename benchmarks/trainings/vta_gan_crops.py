"""Whole frames against crops around what moves: ``python -m benchmarks.trainings.vta_gan_crops``.

Trains the small VTA-GAN with the classical flow once on whole frames and once on crops (``data.train_crop``), each
until the training steps have taken the seconds given, calibrates it on normal clips as a validation does, and judges
whole frames of held-out clips and their pseudo-anomalies. No test clip is opened. One thread, so that seconds compare.
"""

import argparse
import time
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything

from benchmarks import common
from callbacks import ClipMetrics
from datamodules import VideoSnippetDataModule
from lightning_models.vta_gan.module import VTAGAN

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
SHOWN = ("reconstruction", "high_band", "temporal", "flow", "feature", "discriminator", "baseline")


class ProcessorTime(Callback):
    """Ends a training when its steps have taken so many seconds of the processor."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.used, self.steps = seconds, 0.0, 0
        self._start = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """Start the clock."""
        self._start = time.process_time()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Stop the clock, and the training where its time is up."""
        self.used += time.process_time() - self._start
        self.steps += 1
        trainer.should_stop = self.used >= self.seconds


def main() -> None:
    """Train both, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder of videos (default: the generated scene)")
    parser.add_argument("--scene", default="plaza", help="the generated scene (default: plaza)")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128), help="of whole frames (default: 128 128)")
    parser.add_argument("--crop", type=int, nargs="*", default=(0, 64), help="to compare; 0: none (default: 0 64)")
    parser.add_argument("--batch", type=int, default=4, help="windows a step (default: 4)")
    parser.add_argument("--seconds", type=float, default=150, help="of the training steps (default: 150)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    common.print_header(f"{options.source or options.scene}, {options.seconds:g} s of training, seed {options.seed}")
    print("val/frame_auroc_micro, of all evidence and of some kinds alone\n")
    rows = [train_and_judge(crop, options) for crop in options.crop]
    common.print_table(("trained on", "steps", "seconds", "all", *SHOWN), rows)


def train_and_judge(crop: int, options: argparse.Namespace) -> tuple[str, ...]:
    """Return the row of crops of that edge, or of whole frames."""
    model, data, clock = train(crop, options)
    areas = judge(model, data)
    name = f"crops of {crop}" if crop else "whole frames"
    return (name, str(clock.steps), f"{clock.used:.0f}", *(f"{areas[kind]:.3f}" for kind in ("", *SHOWN)))


def train(crop: int, options: argparse.Namespace) -> tuple[VTAGAN, VideoSnippetDataModule, ProcessorTime]:
    """Return a trained model, its data, and what the training took."""
    seed_everything(options.seed)
    data = VideoSnippetDataModule(
        options.source,
        tuple(options.size),
        train_stride=4,
        train_crop=crop or None,
        validation_stride=8,
        batch_size=options.batch,
        eval_batch_size=options.batch,
        validation_fraction=1 / 3,  # the more clips are held out, the less chance there is in the comparison
        scene=options.scene,
    )
    model = VTAGAN(ngf=16, ndf=16, flow_backend="farneback", token_width=256)
    clock = ProcessorTime(options.seconds)
    Trainer(max_epochs=-1, limit_val_batches=0, callbacks=[clock], **QUIET).fit(model, datamodule=data)
    return model, data, clock


def judge(model: VTAGAN, data: VideoSnippetDataModule) -> dict[str, float]:
    """Return the area under the curve of frames, of all evidence by the name "" and of every kind alone."""
    found = Trainer(callbacks=[ClipMetrics()], **QUIET).validate(model, datamodule=data, verbose=False)
    metrics = {name: value for one in found for name, value in one.items()}
    area = "val/frame_auroc_micro"
    return {name.removeprefix(area).removeprefix("_"): metrics[name] for name in metrics if name.startswith(area)}


if __name__ == "__main__":
    main()
