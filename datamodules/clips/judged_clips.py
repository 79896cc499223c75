"""The test clips of a source: whether a model can be judged by them, and by what: labels, masks, boxes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.batches import UNKNOWN_LABEL
from datamodules.clips.boxes import NO_BOXES, Boxes
from datamodules.clips.cache import CachedClip
from datamodules.clips.video_layouts import VideoSource
from datamodules.errors import InputError
from datamodules.listing import some_of


def check_judged(root: Path, source: VideoSource, clips: Sequence[CachedClip]) -> None:
    """Make sure that there is something to judge by.

    Args:
        root: folder of the source.
        source: what was found in it.
        clips: its test clips that can be used.

    Raises:
        InputError: if there is none; if some have boxes around their anomalies, and others, anomalous too, have none:
            what is found in these would count as false.
    """
    if source.test and not clips:
        raise InputError(
            f"data.source: all {len(source.test)} test clips in {root} were left out, see the warnings; mend them or "
            "give others"
        )
    if not clips:
        raise InputError(
            f"data.source: no test clip in {root} (read as {source.layout}); put videos, or folders of frames, into "
            "its folder of test clips, see docs/video.md; to score videos without labels use lightning predict"
        )
    boxed = {clip.name for clip in source.test if clip.boxes}
    missing = [clip.name for clip in clips if clip.name not in boxed and (clip.label == 1).any()]
    if boxed and missing:
        raise InputError(
            f"data.source: there are boxes for {len(boxed)} test clips, and none for {some_of(missing)}, which labels "
            "or masks call anomalous; add a file for each to tracks/, or rename that folder"
        )


def have_masks(clips: Sequence[CachedClip]) -> bool:
    """Return whether all of the clips that are anomalous have masks, and any has."""
    return any(clip.has_masks for clip in clips) and all(clip.has_masks or not clip.label.any() for clip in clips)


def boxes_of(clips: Sequence[CachedClip]) -> dict[str, Boxes]:
    """Return the :data:`~datamodules.clips.boxes.Boxes` of every clip by its name, or none where no clip has any."""
    found = {clip.name: clip.boxes() for clip in clips}
    drawn = any(boxes is not None for boxes in found.values())
    return {name: NO_BOXES if boxes is None else boxes for name, boxes in found.items()} if drawn else {}


def counts_of(clips: Sequence[CachedClip]) -> dict[str, int]:
    """Return the numbers of frames by their label, of clips with masks, and where there are any of boxes and tracks."""
    labels = {"anomalous frames": 1, "unlabelled frames": UNKNOWN_LABEL}
    found = {name: sum(int((clip.label == label).sum()) for clip in clips) for name, label in labels.items()}
    found |= {"clips with masks": sum(clip.has_masks for clip in clips)}
    boxes = boxes_of(clips)
    tracks = sum(len(np.unique(of_clip[:, 1])) for of_clip in boxes.values())
    return found | ({"boxes": sum(map(len, boxes.values())), "tracks": tracks} if boxes else {})
