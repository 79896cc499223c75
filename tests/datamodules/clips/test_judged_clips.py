"""What a test of clips is judged by, on clips without frames."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.clips.cache import CachedClip
from datamodules.clips.judged_clips import boxes_of, check_judged, counts_of, have_masks
from datamodules.clips.video_layouts import Clip, VideoSource
from datamodules.errors import InputError

NORMAL, ANOMALOUS, UNKNOWN = [0, 0, 0], [0, 1, 1], [-1, -1, -1]


class BoxedClip(CachedClip):
    drawn = None

    def boxes(self):
        return self.drawn


def clip(name, label, has_masks=False, boxes=None):
    made = BoxedClip(name, Path(name), len(label), (0, 0, 8, 8), np.array(label, np.int8), has_masks)
    if boxes is not None:
        object.__setattr__(made, "drawn", np.array(boxes, float).reshape(-1, 6))
    return made


def source(*names, boxed=()):
    clips = tuple(Clip(name, Path(name), boxes=Path("b.csv") if name in boxed else None) for name in names)
    return VideoSource("plain", (), clips)


@pytest.mark.parametrize(
    ("given", "usable", "said"),
    [
        (source("a", "b"), [], r"data\.source: all 2 test clips in set were left out, see the warnings"),
        (source(), [], r"data\.source: no test clip in set \(read as plain\); .* use lightning predict"),
        (
            source("a", "b", "c", boxed="a"),
            [clip("a", ANOMALOUS), clip("b", ANOMALOUS), clip("c", NORMAL)],
            r"there are boxes for 1 test clips, and none for b, which labels or masks call anomalous; add a file",
        ),
    ],
)
def test_a_test_without_anything_to_judge_by_is_refused(given, usable, said):
    with pytest.raises(InputError, match=said):
        check_judged(Path("set"), given, usable)


def test_normal_clips_and_those_that_nobody_has_labelled_need_no_boxes():
    clips = [clip("a", ANOMALOUS), clip("b", NORMAL), clip("c", UNKNOWN)]
    check_judged(Path("set"), source("a", "b", "c", boxed="a"), clips)
    check_judged(Path("set"), source("a"), [clip("a", ANOMALOUS)])


@pytest.mark.parametrize(
    ("clips", "have"),
    [
        ([], False),
        ([clip("a", NORMAL)], False),
        ([clip("a", NORMAL), clip("b", ANOMALOUS, has_masks=True)], True),
        ([clip("a", ANOMALOUS), clip("b", ANOMALOUS, has_masks=True)], False),
        ([clip("a", UNKNOWN), clip("b", ANOMALOUS, has_masks=True)], False),
    ],
)
def test_masks_are_there_where_every_clip_that_needs_them_has_them(clips, have):
    assert have_masks(clips) is have


def test_boxes_of_one_clip_make_those_of_the_others_empty():
    bare, boxed = clip("a", NORMAL), clip("b", ANOMALOUS, boxes=[1, 0, 2, 2, 4, 4])
    assert boxes_of([bare]) == {}
    assert {name: boxes.shape for name, boxes in boxes_of([bare, boxed]).items()} == {"a": (0, 6), "b": (1, 6)}


def test_what_is_counted():
    clips = [clip("a", UNKNOWN), clip("b", ANOMALOUS, has_masks=True)]
    counted = {"anomalous frames": 2, "unlabelled frames": 3, "clips with masks": 1}
    assert counts_of(clips) == counted
    drawn = [[1, 0, 2, 2, 4, 4], [2, 0, 2, 2, 4, 4], [2, 5, 1, 1, 3, 3]]
    assert counts_of([*clips, clip("c", NORMAL, boxes=drawn)]) == counted | {"boxes": 3, "tracks": 2}
