r"""What each part of VTA-GAN contributes: ``python -m benchmarks.trainings.vta_gan_ablation``.

Trains and tests the configuration once as it is and once with each part left out, through the command itself, and
prints a table of the results. Further ``--config`` and overrides are handed to every run:

    python -m benchmarks.trainings.vta_gan_ablation \
        --config experiments/vta_gan.yaml --config experiments/vta_gan/small.yaml
"""

import argparse
import subprocess
import sys
from pathlib import Path

from callbacks.results import read_results

VARIANTS = {
    "whole": [],
    "without frequency split": ["--model.frequency_split", "false"],
    "without channel selection": ["--model.channel_selection", "off"],
    "without optical flow": ["--model.flow_backend", "none", "--model.flow_width", "null"],
    "without temporal attention": ["--model.temporal_attention", "false", "--model.token_width", "null"],
    "without falsified clips": ["--model.pseudo_fakes", "false"],
    "without discriminator": ["--model.adversarial", "off", "--model.ndf", "null"],
}
COLUMNS = ("frame_auroc_micro", "frame_auroc_minmax", "frame_auroc_macro", "frame_auroc_micro_baseline")


def main() -> None:
    """Run every variant, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="variants to run (default: all)")
    options, handed_on = parser.parse_known_args()
    rows = [f"| variant | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    for variant in options.only or VARIANTS:
        metrics = train_and_test(variant, handed_on + VARIANTS[variant], Path(options.root))
        cells = [f"{metrics[name]:.3f}" if name in metrics else "undefined" for name in COLUMNS]
        rows.append(f"| {variant} | {' | '.join(cells)} |")
        print("\n".join(rows), flush=True)


def train_and_test(variant: str, arguments: list[str], root: Path) -> dict[str, float]:
    """Return the metrics of one variant; a failed run ends the benchmark."""
    name = variant.replace(" ", "_")
    place = ["--run.root", str(root), "--run.experiment", "vta_gan_ablation", "--run.name", name]
    command = [sys.executable, "-m", "fulgurite"]
    subprocess.run([*command, "fit", *arguments, *place], check=True)
    subprocess.run([*command, "test", *arguments, *place, "--ckpt_path", "best"], check=True)
    return read_results(root / "vta_gan_ablation" / name)["metrics"]


if __name__ == "__main__":
    main()
