"""Whether a texture fills the pictures, as the score supposes, or parts lie before a background.

The score compares a place with the rest of its own picture. Where that rest is a background, the part itself is
unusual everywhere, and a defect has to stand out more than the part does.
"""

import warnings
from collections.abc import Sequence

from torch import Tensor

OUTLIER = 10.0
"""Robust standard deviations from the picture's median, beyond which no cell of AITEX's normal strips lies."""

TOLERATED = 0.02
"""Share of a group's normal cells that may."""


def outlier_share(z_scores: Tensor) -> float:
    """Return the share of cells that are outliers of the picture in some channel.

    Args:
        z_scores: ``(K, h, w)``, of the picture itself: the residual of a network says little about a background.
    """
    return float((z_scores > OUTLIER).any(0).float().mean())


def warn_of_backgrounds(groups: Sequence[str], shares: Sequence[float]) -> None:
    """Warn, by name, of groups whose normal pictures are no textures; one group and one share a picture."""
    for group in sorted(set(groups)):
        own = [share for name, share in zip(groups, shares, strict=True) if name == group]
        if (mean := sum(own) / len(own)) > TOLERATED:
            warnings.warn(
                f"group {group!r}: {mean:.0%} of the area of its normal pictures is far from the rest of the picture, "
                "as of a part before a background. A score compares a place with the rest of its picture: defects that "
                "stand out less than the part does are missed. Crop the pictures to what is textured alike",
                stacklevel=2,
            )
