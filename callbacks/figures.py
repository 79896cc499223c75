"""Numbers as people read them."""

import math


def figure(value: float) -> str:
    """Return a number with as many digits as anybody reads: ``0.9401``, ``23.42``, ``1,590``, ``3.1e-05``; never -0."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1e15:
        return f"{value:.4g}"
    if value == int(value) and size >= 10:
        return f"{int(value):,}"
    if 0 < size < 0.00005:
        return f"{value:.1e}"
    text = f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:,.0f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def duration(seconds: float) -> str:
    """Return a time that passed: ``0.4 s``, ``41 s``, ``6 min 12 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(seconds: float) -> str:
    """Return a place in a recording: ``0:04``, ``1:02:03``."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def several(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 event``, ``3 events``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
