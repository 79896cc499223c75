"""How much of a weave D numbers can hold: ``python -m benchmarks.trainings.aitex_linear_code --source PATH/TO/aitex``.

A variational autoencoder draws a tile from D numbers, nearly linearly where its decoder is shallow. The best linear
code of D numbers is that of the principal components of the training tiles; what it leaves of tiles of held-out normal
strips is about what a trained network has to leave as well. Prints that share of their variance, by group.
"""

import argparse
from collections import defaultdict

import torch
from lightning.pytorch import seed_everything
from torch import Tensor

from benchmarks import common
from datamodules import AitexDataModule
from lightning_models.aitex_vae.tiling import grid

SIZES = (32, 128, 512)


def main() -> None:
    """Fit the components and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder of the strips (default: the generated weave)")
    parser.add_argument(
        "--stride", type=int, default=32, help="distance between training tiles in pixels (default: 32)"
    )
    options = parser.parse_args()
    seed_everything(0)
    data = AitexDataModule(options.source, train_stride=options.stride, flip_horizontal=False, flip_vertical=False)
    data.prepare_data()
    data.setup("fit")
    tiles = torch.cat([batch.images for batch in data.train_dataloader()]).flatten(1).float() / 255
    mean = tiles.mean(0)
    components = torch.linalg.svd(tiles - mean, full_matrices=False).Vh
    held_out = defaultdict(list)
    for part in data.val_dataloader()[1]:
        if part.label == 0:
            held_out[part.group] += whole_tiles(part.image.float() / 255, part.start)
    common.print_header(f"Variance of held-out tiles that a linear code leaves, fitted on {len(tiles)} tiles")
    rows = []
    for size in [size for size in SIZES if size <= len(components)]:
        left = [share_left(torch.stack(own), mean, components[:size]) for own in held_out.values()]
        rows.append((size, *(f"{share:.2f}" for share in left)))
    common.print_table(("numbers", *held_out), rows)


def whole_tiles(picture: Tensor, start: int) -> list[Tensor]:
    """Return the whole tiles of 256 x 256 of a picture ``(1, H, W)``, flat."""
    places = grid(picture.shape[1], picture.shape[2], 256, start).tolist()
    return [
        picture[:, top : top + height, left : left + width].flatten()
        for top, left, height, width in places
        if height == width == 256
    ]


def share_left(tiles: Tensor, mean: Tensor, components: Tensor) -> float:
    """Return the squared error of the code over the squared deviation of every tile from its own mean."""
    away = tiles - mean
    residual = away - (away @ components.T) @ components
    return float(residual.square().sum() / (tiles - tiles.mean(1, keepdim=True)).square().sum())


if __name__ == "__main__":
    main()
