"""Where the time of a prediction goes: ``python -m benchmarks.stages RUN SOURCE``.

Runs ``lightning predict SOURCE --run RUN`` in this process, everything written, and prints the seconds of each stage:
those of the processor, which hold where others use the machine too, and those of the clock. A stage within another one
is counted in both.
"""

import argparse
import functools
import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import common
from fulgurite import cli

STAGES: dict[str, list[tuple[str, str]]] = {
    "aitex_vae": [
        ("datamodules.parts.aitex", "examine"),
        ("datamodules.parts.part_pictures:PictureReader", "picture"),
        ("lightning_models:AitexVAE", "predict_step"),
        ("lightning_models.aitex_vae.module", "reconstruct_picture"),
        ("lightning_models.aitex_vae.module", "all_evidence"),
        ("lightning_models.aitex_vae.tile_scorer:TileScorer", "join"),
        ("lightning_models.aitex_vae.tile_scorer:TileScorer", "judge"),
        ("callbacks:PartPredictions", "on_predict_batch_end"),
        ("callbacks.parts.predictions", "judge"),
        ("callbacks.parts.predictions", "draw_heat"),
        ("callbacks.parts.predictions", "write_png"),
        ("callbacks.parts.contact_sheet:ContactSheet", "add"),
    ],
    "audio_to_video": [
        ("datamodules.sound.sound_stream", "count_samples"),
        ("lightning_models:AudioToVideo", "predict_step"),
        ("lightning_models.audio_to_video.network:AudioToVideoNet", "features"),
        ("lightning_models.audio_to_video.network:AudioToVideoNet", "decode"),
        ("callbacks:SoundPredictions", "on_predict_batch_end"),
        ("callbacks.sound.predictions", "to_pixels"),
        ("callbacks.sound.predictions", "enlarge"),
        ("datamodules.media:VideoWriter", "write"),
        ("datamodules.sound.sound:SoundVideoWriter", "write_sound"),
    ],
}
WHOLE = ("lightning.pytorch:Trainer", "predict")


class Clock:
    """Counts calls and seconds of functions that it takes the place of."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[float, float]]] = {}

    def watch(self, place: str, name: str) -> None:
        """Count the calls of a function of a module, or of a class, ``module:Class``."""
        module, _, owner = place.partition(":")
        holder: Any = importlib.import_module(module)
        holder = getattr(holder, owner) if owner else holder
        seen = self.calls.setdefault(f"{owner or module.rpartition('.')[2]}.{name}", [])
        setattr(holder, name, _counted(getattr(holder, name), seen))


def _counted(work: Callable[..., Any], seen: list[tuple[float, float]]) -> Callable[..., Any]:
    @functools.wraps(work)
    def counted(*arguments: Any, **named: Any) -> Any:
        begun = time.process_time(), time.perf_counter()
        try:
            return work(*arguments, **named)
        finally:
            seen.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))

    return counted


def main() -> None:
    """Predict once and print the table."""
    parser = argparse.ArgumentParser(description="Show where the time of a prediction goes.")
    parser.add_argument("run", help="the run folder of a trained model, or its experiment")
    parser.add_argument("source", help="what to predict")
    parser.add_argument("--system", choices=STAGES, required=True, help="whose stages are counted")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: 2)")
    options, more = parser.parse_known_args()
    torch.set_num_threads(options.threads)
    clock = Clock()
    for place, name in [WHOLE, *STAGES[options.system]]:
        clock.watch(place, name)
    words = ["predict", options.source, "--run", options.run, *more]
    sys.argv = ["lightning", *words]
    cli.main(words)
    common.print_header(f"Predicting by {options.system}, {options.threads} threads")
    rows = [
        (name, str(len(seen)), f"{sum(cpu for cpu, _ in seen):.3f}", f"{sum(wall for _, wall in seen):.3f}")
        for name, seen in clock.calls.items()
    ]
    common.print_table(("stage", "calls", "processor, s", "clock, s"), rows)


if __name__ == "__main__":
    main()
