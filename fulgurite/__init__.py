"""Fulgurite: train, judge and ship generative models for video, images and sound.

    import fulgurite

    model = fulgurite.load("runs/vta_gan")
    scores = model.score("today.mp4")

Nothing heavy is imported until one of the names below is asked for. ``docs/python.md`` shows them at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callbacks.clips.events import Event
    from callbacks.parts.boxes import Box
    from datamodules.errors import InputError
    from fulgurite.python.answers import (
        DrawnSamples,
        DrawnVideo,
        Embeddings,
        FrameScore,
        PartScore,
        ReconstructedPictures,
        VideoScores,
    )
    from fulgurite.python.loaded import Loaded, NotOffered
    from fulgurite.python.opening import load

__all__ = [
    "Box",
    "DrawnSamples",
    "DrawnVideo",
    "Embeddings",
    "Event",
    "FrameScore",
    "InputError",
    "Loaded",
    "NotOffered",
    "PartScore",
    "ReconstructedPictures",
    "VideoScores",
    "load",
]

_HOMES = {
    "Box": "callbacks.parts.boxes",
    "Event": "callbacks.clips.events",
    "InputError": "datamodules.errors",
    "Loaded": "fulgurite.python.loaded",
    "NotOffered": "fulgurite.python.loaded",
    "load": "fulgurite.python.opening",
}


def __getattr__(name: str) -> Any:
    """Import what a public name stands for when it is first asked for.

    Raises:
        ImportError: If a release of a package is installed that must not run.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fulgurite.bad_versions import bad_version

    if said := bad_version():
        raise ImportError(said)
    return getattr(import_module(_HOMES.get(name, "fulgurite.python.answers")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
