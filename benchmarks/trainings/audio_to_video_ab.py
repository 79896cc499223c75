"""AudioToVideoNet against its predecessor at equal steps: ``python -m benchmarks.trainings.audio_to_video_ab``.

Trains and tests ``experiments/audio_to_video.yaml`` with both nets through the command itself, and prints one table:
parameters, time of a clip, memory of a training step, and every metric of the test. The data are made and decoded
before, so that neither training pays for it. Overlays and overrides are handed to both:

    python -m benchmarks.trainings.audio_to_video_ab --config experiments/audio_to_video/published.yaml
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
import yaml

from benchmarks import common
from benchmarks.audio_to_video import device, noise, training_step
from callbacks.results import read_results
from datamodules import AudioVideoDataModule
from fulgurite.runs import timestamp
from lightning_models.audio_to_video import AudioToVideo

EXPERIMENT = Path("experiments/audio_to_video.yaml")
NETS = ("AudioToVideoNet", "AudioToVideoNetLegacy")
COMMAND = [sys.executable, "-m", "fulgurite"]


def main() -> None:
    """Run both, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--costs", type=Path, help="measure the net of this config.yaml alone and print JSON")
    options, handed_on = parser.parse_known_args()
    if options.costs:
        print(json.dumps(costs(yaml.safe_load(options.costs.read_text()))))
        return
    fill_cache(handed_on)
    columns = {net: train_and_test(net, handed_on, Path(options.root)) for net in NETS}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    common.print_header("AudioToVideoNet against its predecessor, equal steps")
    rows = [(name, *(_cell(column.get(name)) for column in columns.values())) for name in names]
    common.print_table(("", *columns), rows)


def fill_cache(arguments: list[str]) -> None:
    """Make and decode the data that the command's configuration names."""
    given = ["--config", str(EXPERIMENT), *arguments, "--print_config"]
    printed = subprocess.run([*COMMAND, "fit", *given], check=True, stdout=subprocess.PIPE)
    AudioVideoDataModule(**yaml.safe_load(printed.stdout)["data"]["init_args"]).prepare_data()


def train_and_test(net: str, arguments: list[str], root: Path) -> dict[str, float | None]:
    """Return what is to be known of one net; a failed run ends the benchmark."""
    name = f"{net}-{timestamp()}"
    place = ["--run.root", str(root), "--run.experiment", "audio_to_video_ab", "--run.name", name]
    chosen = ["--model.network", f"lightning_models.audio_to_video.{net}"]
    given = ["--config", str(EXPERIMENT), *arguments, *chosen, *place]
    start = time.monotonic()
    subprocess.run([*COMMAND, "fit", *given], check=True)
    seconds = time.monotonic() - start
    subprocess.run([*COMMAND, "test", *given, "--ckpt_path", "best"], check=True)
    run = root / "audio_to_video_ab" / name
    metrics = read_results(run)["metrics"]
    # in a process of its own, so that its memory is known
    words = ["-m", "benchmarks.trainings.audio_to_video_ab", "--costs", str(run / "config.yaml")]
    found = subprocess.run([sys.executable, *words], check=True, stdout=subprocess.PIPE)
    return {**json.loads(found.stdout), "training, s": seconds, **metrics}


def costs(config: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Return parameters, time to draw a clip and memory of a step of a configuration's net, on this machine."""
    settings = dict(config["model"]["init_args"])
    for part in ("optimizer", "scheduler"):
        settings.pop(part)
    data = config["data"]["init_args"]
    frames, samples = (round(data["duration"] * data[rate]) for rate in ("fps", "sample_rate"))
    before = common.peak_rss_bytes()
    model = AudioToVideo(**settings).to(device())
    batch = noise(int(data["batch_size"]), frames, samples, int(data["image_size"]))
    model.eval()
    with torch.no_grad():
        drawing = common.measure(lambda: model(batch.audio[:1])).median
    common.measure(training_step(model.train(), batch), runs=1, warmup=1)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else common.peak_rss_bytes() - before
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "ms to draw a clip": 1e3 * drawing,
        "MiB of a training step": peak / 2**20,
    }


def _cell(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


if __name__ == "__main__":
    main()
