"""The discriminator: real frames against reconstructed and against damaged ones, with features on the way.

DCGAN's discriminator as OCR-GAN uses it (``BasicDiscriminator``), but on logits: the sigmoid belongs to the
loss.
"""

from math import gcd
from typing import Literal, NamedTuple

from torch import Tensor, nn

from datamodules.errors import InputError
from lightning_models.vta_gan.layers import init_gan_weights

DiscriminatorNorm = Literal["batch", "group", "spectral"]


class DiscriminatorOutput(NamedTuple):
    """Output of the discriminator for N frames of H x W.

    Attributes:
        logits: ``(N, h, w)``, positive for real, one per overlapping patch; 1 x 1 for frames of 64 x 64, in
            general h = H/16 - 3.
        features: ``(N, features, h, w)``, the map just before the logits, for feature matching.
        maps: Four activated maps, ``(N, ndf * 2**l, H / 2**(l+1), W / 2**(l+1))`` for l = 0..3, for errors
            per place.
    """

    logits: Tensor
    features: Tensor
    maps: list[Tensor]


class Discriminator(nn.Module):
    """Tell real frames from others. 3,577,476 parameters at ndf 64 and 100 features.

    Convolutions k4 s2 p1 with 64, 128, 256, 512 channels, LeakyReLU 0.2, a norm on all but the first; then
    k4 s1 p0 to the features and k3 p1 to the logits. No biases.

    The norm is a GroupNorm by default, where the paper has a BatchNorm of as many parameters. A BatchNorm couples
    the frames of a call: with real, fake and damaged frames in separate calls their statistics alone tell the kinds
    apart, and in common calls the generator is judged under other statistics than the discriminator learned with,
    unless its step passes the real frames too. Per frame nothing of this matters, training and evaluation agree,
    and the generator's step passes the fakes alone, at a tenth less time.

    Args:
        ndf: Channels of the first layer.
        features: Channels of the feature map.
        norm: ``"group"``: 8 groups per frame; ``"batch"``: as in the paper, all kinds in one concatenated call;
            ``"spectral"``: no norm, but convolutions of spectral norm one, for hinge and Wasserstein losses.
    """

    def __init__(self, ndf: int = 64, features: int = 100, norm: DiscriminatorNorm = "group") -> None:
        super().__init__()
        if ndf < 1 or features < 1:
            raise InputError(f"the discriminator needs ndf >= 1 and features >= 1, not {ndf} and {features}")
        self.norm = norm
        self.stages = nn.ModuleList()
        entering = 3
        for level in range(4):
            leaving = ndf * 2**level
            stage: list[nn.Module] = [nn.Conv2d(entering, leaving, 4, 2, 1, bias=False)]
            if level > 0 and norm == "batch":
                stage.append(nn.BatchNorm2d(leaving))
            elif level > 0 and norm == "group":
                stage.append(nn.GroupNorm(gcd(8, leaving), leaving))
            stage.append(nn.LeakyReLU(0.2))
            self.stages.append(nn.Sequential(*stage))
            entering = leaving
        self.to_features = nn.Conv2d(entering, features, 4, 1, 0, bias=False)
        self.to_logits = nn.Conv2d(features, 1, 3, 1, 1, bias=False)
        init_gan_weights(self)
        if norm == "spectral":
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]:
                nn.utils.parametrizations.spectral_norm(layer)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judge frames.

        Args:
            x: ``(N, 3, H, W)``, whole frames (lap + res), about [-1, 1]; H and W at least 64.

        Raises:
            InputError: If H or W is below 64.
        """
        if min(x.shape[-2:]) < 64:
            height, width = x.shape[-2:]
            raise InputError(
                f"data.image_size is {height}x{width}, and the discriminator needs at least 64x64: give that, or set "
                "model.adversarial to off"
            )
        maps = []
        for stage in self.stages:
            x = stage(x)  # (N, ndf 2^l, H / 2^(l+1), W / 2^(l+1))
            maps.append(x)
        features = self.to_features(x)  # (N, features, h, w), h = H/16 - 3
        logits = self.to_logits(features).squeeze(1)  # (N, h, w)
        return DiscriminatorOutput(logits, features, maps)
