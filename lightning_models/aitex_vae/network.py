"""The variational autoencoder of tiles: pure networks, no training."""

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from datamodules.errors import InputError
from lightning_models.variational import MapPosterior, Posterior, PosteriorKind, make_posterior

DecoderKind = Literal["shallow", "symmetric"]
LatentKind = Literal["vector", "map"]
OutputKind = Literal["sigmoid", "linear", "tanh"]

STRIDE = 16
"""Pixels of a tile's edge for one place of the deepest feature map."""


class Reconstruction(NamedTuple):
    """Output of the network for B tiles.

    Attributes:
        raw: ``(B, C, S, S)``, the decoder's output before its activation, e.g. logits.
        reconstructed: ``(B, C, S, S)``, after it, in the range of the input.
        posterior: q(z | x), over all latent dimensions of a tile.
    """

    raw: Tensor
    reconstructed: Tensor
    posterior: Distribution


class AitexNetwork(nn.Module):
    """Encoder, posterior and decoder.

    With the default arguments these are the published v1, 5,156,193 parameters: four convolutions of stride 2, a
    diagonal posterior of 32 dimensions on all 65,536 features, and a decoder of two transposed convolutions, which
    decodes every square of 16 x 16 pixels from one place of its 16 x 16 map.

    One vector for a whole tile cannot say where each of its threads lies. With ``latent`` map, every place of the
    encoder's last map has a posterior of its own, as in the spatial autoencoders of Baur et al. (2018), and the decoder
    begins with a convolution k3 over the places instead of a matrix.

    Args:
        tile_size: S, edge of a tile in pixels, a multiple of 16.
        channels: C, 1 grey or 3 RGB.
        width: channels of the first convolution; the others have 2, 4 and 8 times as many.
        latent_dim: D, number of latent dimensions, of every place where they are a map.
        posterior: covariance of q(z | x); of a map diagonal.
        rank: rank of its correlations, for ``low_rank`` alone; None: 4.
        decoder: ``shallow``, twice four-fold enlargement, or ``symmetric``, the encoder turned round.
        dropout: share of the encoder's channels dropped in training, as a whole.
        output: activation of the decoder.
        latent: one ``vector`` for a tile, or a ``map`` of S/16 x S/16 places.

    Raises:
        InputError: a tile size that is no multiple of 16, another argument out of its range, or a posterior that a map
            does not have.
    """

    def __init__(
        self,
        tile_size: int = 256,
        channels: int = 1,
        width: int = 32,
        latent_dim: int = 32,
        posterior: PosteriorKind = "diagonal",
        rank: int | None = None,
        decoder: DecoderKind = "shallow",
        dropout: float = 0.2,
        output: OutputKind = "sigmoid",
        latent: LatentKind = "vector",
    ) -> None:
        super().__init__()
        if tile_size < STRIDE or tile_size % STRIDE:
            raise InputError(f"model.tile_size is {tile_size}: give a multiple of {STRIDE}, such as 256")
        if channels not in (1, 3):
            raise InputError(f"model.channels is {channels}: give 1 for grey or 3 for RGB")
        if min(width, latent_dim) < 1:
            raise InputError(f"model.width is {width} and model.latent_dim {latent_dim}: give at least 1")
        if not 0 <= dropout < 1:
            raise InputError(f"model.dropout is {dropout}: give at least 0 and less than 1")
        if latent == "map" and (posterior != "diagonal" or rank is not None):
            raise InputError(
                f"model.latent is map, whose posterior is diagonal, not {posterior} (model.rank {rank}): set "
                "model.posterior to diagonal and model.rank to null, or model.latent to vector"
            )
        self.output, self.map_size, self.latent = output, tile_size // STRIDE, latent
        self.encoder = Encoder(channels, width, dropout)
        if latent == "map":
            self.posterior: MapPosterior | Posterior = MapPosterior(8 * width, latent_dim)
        else:
            self.posterior = make_posterior(posterior, 8 * width * self.map_size**2, latent_dim, rank)
        make = ShallowDecoder if decoder == "shallow" else SymmetricDecoder
        self.decoder = make(latent_dim, self.map_size, channels, width, latent)
        if latent == "map":
            self.apply(_keep_strength)
            last = self.decoder[-1]
            assert isinstance(last, nn.ConvTranspose2d)
            nn.init.normal_(last.weight, 0, 0.02)  # what is drawn at first is nearly even

    def forward(self, tiles: Tensor) -> Reconstruction:
        """Reconstruct tiles ``(B, C, S, S)`` in the output's range; z is drawn in training, the mean in evaluation."""
        return self.draw(self.encoder(tiles)[-1])  # (B, 8 width, S/16, S/16)

    def draw_mean(self, deepest: Tensor) -> Tensor:
        """Return what :meth:`draw` reconstructs in evaluation, where nobody asks for the posterior."""
        return activate(self.output, self.decoder(self.posterior.mean(self._features(deepest)).float().flatten(1)))

    def draw(self, deepest: Tensor) -> Reconstruction:
        """Reconstruct tiles from the encoder's last maps, ``(B, 8 width, S/16, S/16)``."""
        posterior = self.posterior(self._features(deepest))  # over (B, D), or (B, D S/16 S/16)
        z = posterior.rsample() if self.training else posterior.mean
        raw = self.decoder(z)  # (B, C, S, S)
        return Reconstruction(raw, activate(self.output, raw), posterior)

    def _features(self, deepest: Tensor) -> Tensor:
        """Return what the posterior is made from: the places of a map apart, for a vector all together."""
        return deepest if self.latent == "map" else deepest.flatten(1)


def _keep_strength(layer: nn.Module) -> None:
    """Draw the weights of a convolution so that it keeps the strength of what ReLU lets through (He et al. 2015)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        (edge, _), (step, _) = layer.kernel_size, layer.stride
        seen = layer.in_channels * edge**2 / (step**2 if isinstance(layer, nn.ConvTranspose2d) else 1)
        nn.init.normal_(layer.weight, 0, (2 / seen) ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Encoder(nn.Module):
    """Four convolutions k3 s2 p1, each with ReLU and Dropout2d: ``(B, C, H, W)`` to maps of 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.ReLU(inplace=True), nn.Dropout2d(dropout))
            for before, after in pairwise(widths)
        )

    def forward(self, picture: Tensor, stages: int = 4) -> list[Tensor]:
        """Return the maps ``(B, width * 2^i, H / 2^(i+1), W / 2^(i+1))`` of the first stages, shallow to deep."""
        maps = [by_pixel(picture)]
        for stage in self.stages[:stages]:
            maps.append(stage(maps[-1]))  # half of the height and width each time
        return maps[1:]


def seed_layers(latent: LatentKind, latent_dim: int, features: int, size: int) -> tuple[nn.Module, nn.Module]:
    """Return two layers that make a map ``(B, features, size, size)`` of z, a vector or a flattened map."""
    if latent == "map":
        return nn.Unflatten(1, (latent_dim, size, size)), nn.Conv2d(latent_dim, features, 3, 1, 1)
    return nn.Linear(latent_dim, features * size**2), nn.Unflatten(1, (features, size, size))


class ShallowDecoder(nn.Sequential):
    """Linear, ConvTranspose2d k4 s4, ReLU, ConvTranspose2d k4 s4: ``(B, D)`` to ``(B, C, S, S)``, no activation.

    Where kernel and stride are equal no two places draw the same pixel, so that each layer is a matrix product. As such
    it is computed, place by place, and the pixels are put in their places at the end: in two thirds of the time.
    """

    def __init__(
        self, latent_dim: int, map_size: int, channels: int, width: int, latent: LatentKind = "vector"
    ) -> None:
        super().__init__(
            *seed_layers(latent, latent_dim, 2 * width, map_size),
            nn.ConvTranspose2d(2 * width, width, 4, 4),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, 4),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Draw tiles from z ``(B, D)``, or of a map ``(B, D S/16 S/16)``."""
        seed = self[1](self[0](z))  # (B, 2 width, M, M)
        size, channels = seed.shape[2], self[4].out_channels
        maps = _enlarged(self[2], seed.flatten(2).transpose(1, 2)).relu()  # (B, M M 16, width)
        pixels = _enlarged(self[4], maps)  # (B, M M 16 16, C)
        # rows and columns of the seed, of the four-fold map within it, of the pixels within that
        placed = pixels.unflatten(1, (size, size, 4, 4, 4, 4)).permute(0, 7, 1, 3, 5, 2, 4, 6)
        return placed.reshape(len(z), channels, 16 * size, 16 * size)


def _enlarged(layer: nn.Module, places: Tensor) -> Tensor:
    """Apply ConvTranspose2d k4 s4 to places ``(B, N, C)``: ``(B, N 16, C')``, the 16 pixels of each row after row."""
    assert isinstance(layer, nn.ConvTranspose2d)
    assert layer.bias is not None
    weight = layer.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (16 C', C)
    return F.linear(places, weight, layer.bias.repeat(16)).unflatten(2, (16, -1)).flatten(1, 2)


class SymmetricDecoder(nn.Sequential):
    """Linear and four ConvTranspose2d k4 s2 p1 with ReLU between: ``(B, D)`` to ``(B, C, S, S)``, no activation."""

    def __init__(
        self, latent_dim: int, map_size: int, channels: int, width: int, latent: LatentKind = "vector"
    ) -> None:
        widths = [8 * width, 4 * width, 2 * width, width, channels]
        layers: list[nn.Module] = [*seed_layers(latent, latent_dim, widths[0], map_size)]
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        super().__init__(*layers)


def activate(output: OutputKind, raw: Tensor) -> Tensor:
    """Bring the decoder's output into the range of the data."""
    if output == "sigmoid":
        return raw.sigmoid()
    return raw.tanh() if output == "tanh" else raw


def by_pixel(picture: Tensor) -> Tensor:
    """Lay ``(B, C, H, W)`` out pixel by pixel where that makes convolutions a quarter faster, on a processor.

    The layers behind keep the layout. Of a single channel torch takes any layout for the usual one, unless the step
    from channel to channel says otherwise.
    """
    if picture.device.type != "cpu" or torch.compiler.is_compiling():
        return picture
    return picture.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format).permute(0, 3, 1, 2)
