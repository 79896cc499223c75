import numpy as np
import pytest

from datamodules.clips.pseudo_anomalies import KINDS, VISIBLE, PseudoAnomalousClip


class Scene:
    """Squares that walk to the right over a rough ground, in the upper 40 of 48 rows."""

    def __init__(self, length=160, still=False, channels=1, name="a"):
        self.name, self.length, self.region = name, length, (0, 0, 40, 64)
        self.label = np.zeros(length, np.int8)
        ground = np.random.default_rng(0).integers(60, 90, (channels, 48, 64), np.uint8)
        ground[:, 40:] = 0
        self._frames = np.repeat(ground[None], length, axis=0)
        if not still:
            for number in range(length):
                for row, offset in ((4, 0), (14, 20), (26, 45)):
                    left = (number + offset) % 58
                    self._frames[number, :, row : row + 9, left : left + 6] = 230

    def frames(self, numbers):
        return self._frames[numbers]

    def masks(self, numbers):
        return np.zeros((len(self._frames[numbers]), 48, 64), np.uint8)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("channels", [1, 3])
def test_copy_has_all_kinds_with_normal_frames_around(turn, channels):
    scene = Scene(channels=channels)
    before = scene.frames(slice(None)).copy()
    copy = PseudoAnomalousClip(scene, turn, 8)
    assert sorted(event.kind for event in copy.events) == sorted(KINDS)
    assert 0.15 < copy.label.mean() < 0.6
    inside = np.zeros(copy.length, bool)
    for event in copy.events:
        inside[event.start : event.end] = True
        assert not inside[event.start - 1]
        assert copy.label[event.start : event.end].mean() >= 0.5
    assert not copy.label[~inside].any()
    assert len(copy.label) == copy.length < scene.length
    np.testing.assert_array_equal(scene.frames(slice(None)), before)


@pytest.mark.parametrize("turn", range(4))
def test_frames_outside_events_are_the_clips_and_masks_mark_what_differs(turn):
    scene = Scene()
    copy = PseudoAnomalousClip(scene, turn, 8)
    made, masks = copy.frames(slice(None)), copy.masks(slice(None))
    normal = scene.frames(copy.source)
    inside = np.zeros(copy.length, bool)
    for event in copy.events:
        inside[event.start : event.end] = True
    np.testing.assert_array_equal(made[~inside], normal[~inside])
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), copy.label == 1)
    assert not masks[:, 40:].any()
    for event in copy.events:
        if event.kind != "speed":
            span = slice(event.start, event.end)
            differs = np.abs(made[span, 0].astype(int) - normal[span, 0]) > VISIBLE
            shown = copy.label[span] == 1
            np.testing.assert_array_equal(masks[span][shown] == 1, differs[shown])


@pytest.mark.parametrize("turn", range(4))
def test_every_anomalous_frame_has_the_kind_of_its_event_and_no_other_frame_has_one(turn):
    copy = PseudoAnomalousClip(Scene(), turn, 8)
    np.testing.assert_array_equal(copy.kinds != "", copy.label == 1)
    assert {*copy.kinds} == {"", *KINDS}
    for event in copy.events:
        assert {*copy.kinds[event.start : event.end]} <= {"", event.kind}


def test_each_kind_does_what_it_says():
    scene = Scene()
    copy = PseudoAnomalousClip(scene, 0, 8)
    made = copy.frames(slice(None))
    for event in copy.events:
        top, left, height, width = event.box
        box = (slice(None), slice(top, top + height), slice(left, left + width))
        span = range(event.start, event.end)
        steps = np.diff(copy.source[event.start : event.end])
        assert set(steps.tolist()) == ({2} if event.kind == "speed" else {1})
        if event.kind == "freeze":
            assert all(np.array_equal(made[number][box], made[event.start][box]) for number in span)
        if event.kind == "reverse":
            original = scene.frames(copy.source)
            for number in span:
                twin = event.start + event.end - 1 - number
                np.testing.assert_array_equal(made[number][box], original[twin][box])
        if event.kind == "paste":
            speed = np.hypot(*event.speed)
            assert 0.25 < speed < 0.04 * 64 + 0.01
            for number in (event.start, event.end - 1):
                row, column = (
                    round(place + pace * (number - event.start))
                    for place, pace in zip(event.place, event.speed, strict=True)
                )
                pasted = made[number, :, row : row + height, column : column + width]
                np.testing.assert_array_equal(pasted, scene.frames(copy.source)[number][box])
    np.testing.assert_array_equal(np.sort(copy.source), copy.source)


@pytest.mark.parametrize("numbers", [slice(3, 90, 5), slice(60, 61), np.array([5, 50, 51, 100])])
def test_any_frames_can_be_read(numbers):
    copy = PseudoAnomalousClip(Scene(), 1, 8)
    np.testing.assert_array_equal(copy.frames(numbers), copy.frames(slice(None))[numbers])
    np.testing.assert_array_equal(copy.masks(numbers), copy.masks(slice(None))[numbers])


def test_choice_depends_on_seed_and_name_only(monkeypatch):
    first = PseudoAnomalousClip(Scene(), 0, 8).events
    assert PseudoAnomalousClip(Scene(), 0, 8).events == first
    assert PseudoAnomalousClip(Scene(name="b"), 0, 8).events != first
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert PseudoAnomalousClip(Scene(), 0, 8).events != first


def test_nothing_is_labelled_where_nothing_moves():
    scene = Scene(still=True)
    scene._frames[...] = 70
    copy = PseudoAnomalousClip(scene, 0, 8)
    assert copy.events == []
    assert not copy.label.any()


@pytest.mark.parametrize("length", [8, 9, 15, 31, 33, 70])
def test_short_clips_keep_a_window(length):
    for turn in range(4):
        copy = PseudoAnomalousClip(Scene(length), turn, 8)
        assert copy.length >= 8
        assert copy.label.any()
        assert not copy.label.all()
