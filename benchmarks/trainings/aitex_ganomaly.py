r"""What anomalib's Ganomaly finds on the same tiles: ``python -m benchmarks.trainings.aitex_ganomaly``.

Trains anomalib's GanomalyModel, by the losses and in the order of its own training step, on the training tiles of
``AitexDataModule``, brought to 64 x 64 pixels, and judges its score on the test strips by the same ``PartMetrics``.
anomalib is no dependency of this project: install it into an environment of its own beside it.

    python -m benchmarks.trainings.aitex_ganomaly --source PATH/TO/aitex
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from anomalib.models.image.ganomaly.loss import (  # type: ignore[import-not-found]
    DiscriminatorLoss,
    GeneratorLoss,
)
from anomalib.models.image.ganomaly.torch_model import GanomalyModel  # type: ignore[import-not-found]
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor

from benchmarks import common
from callbacks import PartMetrics
from datamodules import AitexDataModule
from datamodules.batches import PartBatch, PartScores, TileBatch
from lightning_models.aitex_vae.tile_scorer import cut_tile, tile_labels
from lightning_models.aitex_vae.tiling import grid

SIZE, TILE = 64, 256


class Ganomaly(LightningModule):
    """anomalib's Ganomaly with the arguments that it ships with."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = GanomalyModel((SIZE, SIZE), num_input_channels=3, n_features=64, latent_vec_size=100)
        self.generator_loss, self.discriminator_loss = GeneratorLoss(), DiscriminatorLoss()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam 2e-4 with betas (0.5, 0.999) for both."""
        parts = (self.model.discriminator, self.model.generator)
        return [torch.optim.Adam(part.parameters(), 2e-4, betas=(0.5, 0.999)) for part in parts]

    def training_step(self, batch: TileBatch, batch_idx: int) -> None:
        """Generator first, then discriminator."""
        of_discriminator, of_generator = self.optimizers()
        padded, fake, latent, latent_of_fake = self.model(small(batch.images))
        real_score, _ = self.model.discriminator(padded)
        fake_score, _ = self.model.discriminator(fake)
        loss = self.generator_loss(latent, latent_of_fake, padded, fake, real_score, fake_score)
        of_generator.zero_grad()
        self.manual_backward(loss, retain_graph=True)
        of_generator.step()
        fake_score, _ = self.model.discriminator(fake.detach())
        loss = self.discriminator_loss(real_score, fake_score)
        of_discriminator.zero_grad()
        self.manual_backward(loss)
        of_discriminator.step()

    def test_step(self, batch: PartBatch, batch_idx: int) -> PartScores:
        """Score every tile; it has no heat map, so pixels get the score of their tile."""
        tile = grid(*batch.image.shape[1:], TILE, batch.start)
        pieces = torch.cat([small(cut_tile(batch.image, place)[None]) for place in tile.tolist()])
        score = self.model(pieces).pred_score.flatten().float()
        heat = torch.full(batch.image.shape[1:], torch.nan)
        for place, value in zip(tile.tolist(), score, strict=True):
            cut_tile(heat, place).fill_(value)
        return PartScores(
            name=batch.name,
            group=batch.group,
            defect=batch.defect,
            label=batch.label,
            index=batch.index,
            heat=heat,
            tile=tile,
            tile_score=score,
            tile_label=tile_labels(batch, tile),
            score=score.amax(),
            mask=batch.mask,
        )


def small(tiles: Tensor) -> Tensor:
    """Bring bytes ``(B, 1, H, W)`` to ``(B, 3, 64, 64)`` in [0, 1]."""
    return F.interpolate(tiles.float() / 255, (SIZE, SIZE), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)


def main() -> None:
    """Train, judge, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder of the strips (default: the generated weave)")
    parser.add_argument("--stride", type=int, default=128, help="distance between training tiles (default: 128)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training tiles (default: 10)")
    parser.add_argument("--out", type=Path, default=Path("runs/ganomaly"), help="folder of the results")
    options = parser.parse_args()
    seed_everything(0)
    data = AitexDataModule(options.source, train_stride=options.stride, batch_size=16)
    common.print_header(f"anomalib's Ganomaly, {options.epochs} passes in batches of 16")
    trainer = Trainer(
        max_epochs=options.epochs,
        limit_val_batches=0,
        callbacks=[PartMetrics(plots=False)],
        default_root_dir=options.out,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
    )
    model = Ganomaly()
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data)


if __name__ == "__main__":
    main()
