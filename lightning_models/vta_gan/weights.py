"""The losses of VTA-GAN's generator, and how much each counts."""

from dataclasses import dataclass

from lightning_models.training.schedules import Weight
from lightning_models.training.weights import LossWeights


@dataclass(frozen=True, kw_only=True)
class VTAGANWeights(LossWeights):
    """Weights of the generator's losses, each a mean. One of a part that is switched off is refused.

    Args:
        adversarial: fooling the discriminator.
        reconstruction: distance of reconstructed to real frames.
        feature: distance of the discriminator's features.
        consistency: error in the change from frame to frame.
        smoothness: error in the second difference over time.
        flow_consistency: the reconstructed clip's error along the flow.
        photometric: the flow net's own error in explaining the next frame.
        flow_smoothness: the flow's unevenness away from edges.
    """

    adversarial: Weight = 1.0
    reconstruction: Weight = 50.0
    feature: Weight = 1.0
    consistency: Weight = 1.0
    smoothness: Weight = 0.1
    flow_consistency: Weight = 0.1
    photometric: Weight = 1.0
    flow_smoothness: Weight = 0.1
