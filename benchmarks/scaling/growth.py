"""What is measured of one kind of work at several sizes, and the power of the size by which it grows."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

QUANTITIES = {"cpu": "CPU time", "operations": "operations", "memory": "memory", "disk": "disk"}
"""What is measured: seconds, floating-point operations, bytes beside the program itself, bytes."""

Measured = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """A kind of work that is done at sizes that double.

    Attributes:
        name: unique, e.g. ``VTA-GAN, training: pixels``.
        unit: of the size.
        sizes: rising.
        measure: does the work at a size and returns what was measured.
    """

    name: str
    unit: str
    sizes: Sequence[int]
    measure: Callable[[int], Measured]


@dataclass
class Growth:
    """What was measured of a kind of work.

    Attributes:
        name: as of the kind.
        unit: as of the kind.
        values: by quantity, by size: one value a repeat.
    """

    name: str
    unit: str
    values: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, size: int, measured: Measured) -> None:
        """Add one repeat at a size."""
        for quantity, value in measured.items():
            self.values.setdefault(quantity, {}).setdefault(size, []).append(value)

    def medians(self, quantity: str) -> dict[int, float]:
        """Return the median over the repeats by rising size."""
        return {size: statistics.median(values) for size, values in sorted(self.values[quantity].items())}

    def exponent(self, quantity: str) -> float | None:
        """Return the power of the size by which a quantity grows; None of fewer than two sizes, or of zeros."""
        points = self.medians(quantity)
        return exponent(list(points), list(points.values())) if len(points) > 1 and all(points.values()) else None

    def last_doubling(self, quantity: str) -> float | None:
        """Return the same from the last two sizes alone: what is fixed counts least there."""
        points = list(self.medians(quantity).items())[-2:]
        return exponent(*zip(*points, strict=True)) if len(points) > 1 and all(value for _, value in points) else None

    def at(self, quantity: str, size: float) -> float:
        """Return what a quantity comes to at a size.

        Beyond the largest one that was measured it goes on by the power of the last doubling or by the line through its
        ends, whichever is more: a part that is fixed makes the power of what grows in proportion too small.
        """
        points = self.medians(quantity)
        if size in points:
            return points[int(size)]
        (before, least), (largest, most) = list(points.items())[-2:]
        by_line = most + (most - least) / (largest - before) * (size - largest)
        return max(by_line, most * (size / largest) ** (self.last_doubling(quantity) or 0.0))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line through the logarithms, by least squares."""
    across, up = [math.log(size) for size in sizes], [math.log(value) for value in values]
    return statistics.linear_regression(across, up).slope
