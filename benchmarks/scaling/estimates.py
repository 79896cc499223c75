"""What large data would take, from the operations that were counted and the exponents that were measured.

No figure here was measured on a GPU. Each assumption stands beside its number, and is printed with the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.scaling.growth import Growth

PEAK = 312e12
"""Operations a second that NVIDIA states for an A100 in bfloat16, without sparsity."""

SHARE = 0.1
"""Assumed share of that peak which training and scoring reach; small convolutions reach less than large products,
and what is done number by number is not among the operations that were counted."""

TOGETHER = 0.9
"""Assumed share of 64 times the speed of one GPU that 64 reach."""

DAY, YEAR = 86_400, 365 * 86_400


@dataclass(frozen=True)
class Estimate:
    """What one of the large data sets takes.

    Attributes:
        name: of the data.
        assumed: sentences, without their ends.
        rows: what, and how much of it.
    """

    name: str
    assumed: list[str] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)


def gpu_seconds(operations: float, gpus: int = 1) -> float:
    """Return how long so many operations take."""
    return operations / (PEAK * SHARE * (1.0 if gpus == 1 else gpus * TOGETHER))


def duration(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    for length, unit in ((YEAR, "years"), (DAY, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.2g} {unit}" if seconds < 10 * length else f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} seconds" if seconds < 10 else f"{seconds:,.0f} seconds"


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for length, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= length:
            return f"{count / length:.2g} {unit}" if count < 10 * length else f"{count / length:,.0f} {unit}"
    return f"{count / 1e3:.2g} kB"


def _on_gpus(what: str, operations: float) -> list[tuple[str, str]]:
    return [
        (f"{what}, one GPU", duration(gpu_seconds(operations))),
        (f"{what}, 64 GPUs", duration(gpu_seconds(operations, 64))),
    ]


def camera(found: Mapping[str, Growth]) -> Estimate:
    """A year of one camera of 25 pictures a second, learned from its first day."""
    pixels, frames, learned, epochs = 128 * 128, 25 * YEAR, 25 * DAY, 6
    train = found["VTA-GAN, training: pixels"].at("operations", pixels)
    judge = found["VTA-GAN, scoring: pixels"]
    cache, table = found["Video: cache"], found["Video: judging a test"]
    decoded = cache.at("cpu", 1e6) / 1e6
    return Estimate(
        "a year of a camera of 25 frames a second",
        [
            "frames are seen at 128 x 128, by the networks that ship, in windows of 8",
            f"it learns from one normal day, windows 4 frames apart, {epochs} epochs",
            "the whole year is scored, windows 2 frames apart",
        ],
        [
            ("frames", f"{frames / 1e6:,.0f} million"),
            *_on_gpus("training", learned / 4 * epochs * train),
            *_on_gpus("scoring the year", frames / 2 * judge.at("operations", pixels)),
            ("scoring the year, one CPU core", duration(frames / 2 * judge.at("cpu", pixels))),
            ("decoding the year, one CPU core", duration(frames * decoded)),
            ("cache of the day that is learned from", size(cache.at("disk", learned))),
            ("memory to judge 10 days at once", size(table.at("memory", 10 * learned))),
        ],
    )


def looms(found: Mapping[str, Growth]) -> Estimate:
    """A factory of a hundred looms."""
    strips_a_day, epochs, learned = 100 * (15 * 24 / 0.41) * (1.6 / 0.0256), 30, 10_000
    tile = found["AitexVAE, training: pixels"].at("operations", 256 * 256) / 4
    strip = found["AitexVAE, scoring: length"]
    tiles_a_strip = (4096 - 256) / 64 + 1
    return Estimate(
        "a factory of 100 looms",
        [
            "each weaves 15 m an hour, day and night, 1.6 m wide, seen in strips of 4096 x 256 pixels of 0.1 mm",
            f"it learns from {learned:,} faultless strips, tiles of 256 x 256 pixels 64 apart, {epochs} epochs",
            "every strip is scored, tiles overlapping by half",
        ],
        [
            ("strips a day", f"{strips_a_day:,.0f}"),
            *_on_gpus("training", learned * tiles_a_strip * epochs * tile),
            *_on_gpus("scoring a day", strips_a_day * strip.at("operations", 4096)),
            ("scoring a day, one CPU core", duration(strips_a_day * strip.at("cpu", 4096))),
        ],
    )


def pictures(found: Mapping[str, Growth]) -> Estimate:
    """A million pictures."""
    count, epochs, cache = 1_000_000, 24, found["Pictures: cache"]
    per_picture = {
        name: found[f"{name}, training: pixels"].at("operations", 128 * 128) / 2
        for name in ("MotorVAEGAN", "CNNParamTanh")
    }
    return Estimate(
        "a million pictures",
        [f"seen at 128 x 128, {epochs} epochs, the networks that ship"],
        [
            *(
                row
                for name, each in per_picture.items()
                for row in _on_gpus(f"{name}, training", count * epochs * each)
            ),
            (
                "listing and splitting, one CPU core",
                duration(found["Pictures: listing and splitting"].at("cpu", count)),
            ),
            ("memory for the list", size(found["Pictures: listing and splitting"].at("memory", count))),
            ("knowing them again, one CPU core", duration(found["Pictures: knowing them again"].at("cpu", count))),
            ("decoding into the cache, one CPU core", duration(cache.at("cpu", count))),
            ("cache, in colour", size(cache.at("disk", count))),
        ],
    )


ESTIMATES = [camera, looms, pictures]
