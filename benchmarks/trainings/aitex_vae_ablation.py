r"""What the variants of AitexVAE reach: ``python -m benchmarks.trainings.aitex_vae_ablation``.

Trains and tests every variant through the command itself and prints a table beside the two rules without learning.
Further ``--config`` and overrides are handed to every run and win over the variants:

    python -m benchmarks.trainings.aitex_vae_ablation \
        --config experiments/aitex_vae/long.yaml --data.source PATH/TO/aitex
"""

import argparse
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import yaml

from benchmarks import common
from callbacks.results import read_results

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
VARIANTS = {
    "v1: sigmoid and cross-entropy": "original",
    "linear and squared error, sizes of v1": "mse",
    "as shipped": None,
    "with spectral loss": "spectral",
    "with structural similarity": "ssim",
    "full posterior": "full",
    "low-rank posterior": "low_rank",
    "symmetric decoder": "symmetric",
    "as shipped, untrained (one batch)": None,
    "latent map": "map",
    "latent map, untrained (one batch)": "map",
}
ONE_BATCH = [
    "--trainer.max_epochs",
    "1",
    "--trainer.limit_train_batches",
    "1",
    "--trainer.check_val_every_n_epoch",
    "1",
]
COLUMNS = ("tile_auroc", "tile_auroc_macro", "tile_auroc_within", "pixel_auroc", "aupro", "tile_ap")
REFERENCES = {"largest blurred deviation": "_baseline_blur", "Mahalanobis distance": "_baseline_mahalanobis"}


def main() -> None:
    """Run every variant, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="variants to run (default: all)")
    options, handed_on = parser.parse_known_args()
    print(f"{date.today()}, {common.processor()}, commit {common.commit()}\n")
    rows: list[list[str]] = []
    for variant in options.only or VARIANTS:
        metrics, seconds, latent = train_and_test(variant, handed_on, Path(options.root))
        if not rows:
            rows = [[name, "-", *cells(metrics, suffix), "-"] for name, suffix in REFERENCES.items()]
        rows.append([variant, latent, *cells(metrics), "-" if "untrained" in variant else f"{seconds:.1f}"])
        common.print_table(("variant", "latent", *COLUMNS, "seconds per epoch"), rows)
        print(flush=True)


def cells(metrics: dict[str, float], suffix: str = "") -> list[str]:
    """Return a row's figures; a rule that is only known by its tiles has no others."""
    found = [metrics.get(name + suffix) for name in COLUMNS]
    return ["-" if value is None else f"{value:.3f}" for value in found]


def train_and_test(variant: str, handed_on: list[str], root: Path) -> tuple[dict[str, float], float, str]:
    """Return metrics, seconds per epoch and latent dimensions of one variant; a failed run ends the benchmark."""
    overlay = VARIANTS[variant]
    paths = [EXPERIMENTS / "aitex_vae.yaml"] + ([EXPERIMENTS / "aitex_vae" / f"{overlay}.yaml"] if overlay else [])
    untrained = "untrained" in variant
    name = "_".join(filter(None, (overlay, "untrained" if untrained else None))) or "as_shipped"
    words = [word for path in paths for word in ("--config", str(path))] + handed_on
    words += ONE_BATCH if untrained else []
    words += ["--run.root", str(root), "--run.experiment", "aitex_vae_ablation", "--run.name", name]
    command = [sys.executable, "-m", "fulgurite"]
    subprocess.run([*command, "fit", *words], check=True)
    subprocess.run([*command, "test", *words, "--ckpt_path", "best"], check=True)
    run = root / "aitex_vae_ablation" / name
    metrics: dict[str, float] = read_results(run)["metrics"]
    record = json.loads((run / "training.json").read_text())
    seconds = record.get("step_seconds", 0.0) * record["batches"] / record["epochs"]  # without its validations
    settings = yaml.safe_load((run / "config.yaml").read_text())["model"]["init_args"]
    return metrics, seconds, str(settings["latent_dim"])


if __name__ == "__main__":
    main()
