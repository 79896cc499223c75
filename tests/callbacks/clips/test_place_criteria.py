"""RBDC and TBDC of hand-made videos, and against a plain reference that walks over pixels and thresholds."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from callbacks.clips import place_criteria as criteria
from callbacks.clips.evaluation import evaluate
from callbacks.clips.place_criteria import place_criteria
from callbacks.clips.places import Places
from callbacks.clips.table import VideoSeries

SIZE = (16, 24)  # of the picture; a cell of the heat is 4 x 4 pixels
CELLS = (4, 6)


def video(masks, heat, region=(0, 0, *SIZE), label=None, frame=None, rows=None, masked=None, name="a"):
    """A video whose frames have these masks (M, H, W) and heat (M, h, w)."""
    masks, heat = np.asarray(masks, bool), np.asarray(heat, float)
    frame = np.arange(len(masks)) if frame is None else np.asarray(frame)
    rows = np.arange(len(masks)) if rows is None else np.asarray(rows)
    places = Places(rows, heat, np.packbits(masks.reshape(len(masks), -1), axis=1), SIZE, region)
    label = masks.any((1, 2)).astype(int) if label is None else np.asarray(label)
    return VideoSeries(name, frame, heat.max((1, 2)), label, {}, places, len(masks) if masked is None else masked)


def mask(*boxes):
    made = np.zeros(SIZE, bool)
    for top, left, height, width in boxes:
        made[top : top + height, left : left + width] = True
    return made


def heat(**cells):
    """Heat of a frame: r<row>c<column> = value."""
    made = np.zeros(CELLS)
    for name, value in cells.items():
        row, column = name[1:].split("c")
        made[int(row), int(column)] = value
    return made


def reference(series, thresholds):
    """Both areas, by nothing but sets of pixels; the tracks are given."""
    rates, regions, tracks = [0.0], [0.0], [0.0]
    for threshold in thresholds:
        false, found, frames = 0, {}, 0
        for number, (one, names) in enumerate(series):
            for place, (grid, truth) in enumerate(zip(one.places.heat, one.places.masks(slice(None)), strict=True)):
                frames += 1
                full = np.kron(grid, np.ones((4, 4)))
                top, left, height, width = one.places.region
                inside = np.zeros(SIZE, bool)
                inside[top : top + height, left : left + width] = True
                true, detected = pixel_sets(truth, gap=4), pixel_sets((full >= threshold) & inside)
                false += sum(all(iou(blob, own) < 0.1 for own in true) for blob in detected)
                for own, track in zip(true, names[place], strict=True):
                    hit = any(iou(blob, own) >= 0.1 for blob in detected)
                    found.setdefault((number, track), []).append(hit)
        rates.append(false / frames)
        regions.append(np.mean(np.concatenate(list(found.values()))))
        tracks.append(np.mean([np.mean(flags) >= 0.1 for flags in found.values()]))
    grid = np.linspace(0, 1, 20_001)
    rates, regions, tracks = (np.maximum.accumulate(one) for one in (rates, regions, tracks))
    return tuple(float(np.trapezoid(np.interp(grid, rates, one), grid)) for one in (regions, tracks))


def pixel_sets(marked, gap=0):
    """The pixels of every region; parts with so many pixels between them belong together."""
    wide = cv2.dilate(marked.astype(np.uint8), np.ones((gap + 1, gap + 1), np.uint8))
    count, number = cv2.connectedComponents(wide, connectivity=8)
    return [set(zip(*np.nonzero((number == one) & marked), strict=True)) for one in range(1, count)]


def iou(first, second):
    return len(first & second) / len(first | second)


def test_a_heat_that_is_the_mask_finds_everything_and_one_beside_it_nothing():
    truth = [mask((4, 8, 8, 4)), mask((4, 12, 8, 4)), mask()]
    right = [heat(r1c2=1, r2c2=1), heat(r1c3=1, r2c3=1), heat()]
    found = place_criteria([video(truth, right)])
    assert (found.rbdc, found.tbdc, found.regions, found.tracks) == (1.0, 1.0, 2, 2)  # they touch, and share no pixel
    wrong = [heat(r0c0=1), heat(r0c0=1), heat()]
    assert place_criteria([video(truth, wrong)])[:2] == (0.0, 0.0)


def test_one_false_region_in_half_of_the_frames_before_anything_is_found_costs_half():
    truth = [mask((4, 4, 4, 4)), mask((4, 4, 4, 4)), mask(), mask()]
    made = [heat(r1c1=1), heat(r1c1=1), heat(r3c5=2), heat(r3c5=2)]
    found = place_criteria([video(truth, made)])
    # at 2: false 0.5, found 0; at 1: false 0.5, found all; at 0: the whole picture, false 0.5 + 0.5
    assert found.rbdc == found.tbdc == pytest.approx(0.5)


def test_a_region_needs_a_tenth_of_overlap_exactly():
    truth = [mask((4, 4, 4, 1), (15, 20, 1, 1))]
    enough, too_wide = mask((4, 4, 4, 2)), mask((4, 4, 4, 1))
    # a row of five cells has 80 pixels: 8 of them are a tenth of the union, 4 are not
    row = heat(r1c1=1, r1c2=1, r1c3=1, r1c4=1, r1c5=1)
    assert place_criteria([video([enough], [row])]).rbdc == 1.0
    assert place_criteria([video([too_wide], [row])]).rbdc == 0.0
    assert place_criteria([video(truth, [heat(r1c1=1)])]).rbdc == 0.5


def test_a_track_is_found_by_a_tenth_of_its_regions():
    truth = [mask((4, 4, 4, 4))] * 20 + [mask()] * 5
    for hits, whole in ((1, 0.0), (2, 1.0)):
        made = [heat(r1c1=1 if number < hits else 0) for number in range(25)]
        found = place_criteria([video(truth, made)])
        assert (found.tracks, found.tbdc) == (1, whole)
        assert found.rbdc == pytest.approx(hits / 20)


def test_tracks_go_on_by_overlap_and_end_where_they_are_hidden():
    alone = [mask((0, column, 4, 3)) for column in range(0, 12, 2)]
    assert place_criteria([video(alone, np.zeros((6, *CELLS)))]).tracks == 1
    hidden = [*alone[:2], mask(), *alone[3:]]
    assert place_criteria([video(hidden, np.zeros((6, *CELLS)))]).tracks == 2
    still = [mask((0, 0, 4, 4))] * 6
    two = [video(still, np.zeros((6, *CELLS)), frame=range(first, first + 6), name=str(first)) for first in (0, 6)]
    assert place_criteria(two).tracks == 2
    apart = [video(alone, np.zeros((6, *CELLS)), frame=range(0, 12, 2))]
    assert place_criteria(apart).tracks == 6


def test_parts_stay_one_track_and_what_joins_two_goes_on_with_the_larger():
    parts = [mask((0, 0, 4, 18)), *[mask((0, 0, 4, 8), (0, 13, 4, 5))] * 2]
    found = place_criteria([video(parts, np.zeros((3, *CELLS)))])
    assert (found.regions, found.tracks) == (5, 1)
    two, joined = mask((0, 13, 4, 8), (0, 4, 4, 4)), mask((0, 4, 4, 17))
    truth = [two, *[joined] * 18, *[mask()] * 5]
    hits = [heat(r0c1=1)]  # the smaller of the two, which is 1 of 1 region of its track, and not 1 of 19
    found = place_criteria([video(truth, [*hits, *np.zeros((23, *CELLS))])])
    assert (found.tracks, found.tbdc) == (2, 0.5)


def test_parts_with_few_pixels_between_them_are_one_region():
    for gap, regions in ((4, 1), (5, 2)):
        truth = [mask((4, 4, 4, 4), (4, 8 + gap, 4, 4))]
        assert place_criteria([video(truth, np.zeros((1, *CELLS)))]).regions == regions


def test_bars_and_frames_of_unknown_label_take_no_part():
    region = (4, 0, 8, 24)  # two rows of cells, bars above and below
    truth = [mask((4, 4, 4, 4)), mask()]
    made = [heat(r1c1=1, r0c5=9), heat(r3c3=9)]
    assert place_criteria([video(truth, made, region)]).rbdc == 1.0
    loud = [heat(r1c1=1), heat(r2c3=9)]
    assert place_criteria([video(truth, loud, region, label=[1, -1])]).rbdc == 1.0
    assert place_criteria([video(truth, loud, region)]).rbdc < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_random_videos_are_as_the_plain_reference_says(seed, monkeypatch):
    monkeypatch.setattr(criteria, "AT_ONCE", 3)  # tracks go on from piece to piece
    monkeypatch.setattr(criteria, "THRESHOLDS", 10_000)  # all of them
    random = np.random.default_rng(seed)
    series = []
    for _ in range(3):
        masks, names = [], []
        for number in range(8):
            moving = (0, 2 * number, 5, 5)
            masks.append(mask(moving, (12, 18, 4, 4)) if number % 4 else mask(moving))
            names.append([0, 1 + number // 4] if number % 4 else [0])
        grids = random.integers(0, 30, (8, *CELLS)) / 10.0
        for number, grid in enumerate(grids):
            grid[0:2, number // 2 : number // 2 + 2] += random.integers(0, 20) / 10.0
        series.append((video(masks, grids, region=(0, 0, 16, 22)), names))
    thresholds = np.unique([one.places.heat[:, :, :6] for one, _ in series])[::-1]
    found = place_criteria([one for one, _ in series])
    assert found.tracks == 9
    assert 0.02 < found.rbdc < 0.98
    assert found[:2] == pytest.approx(reference(series, thresholds), abs=1e-3)


def test_few_thresholds_are_near_all_of_them(monkeypatch):
    random = np.random.default_rng(0)
    truth = [mask((4, 4 + number % 8, 8, 4)) for number in range(60)]
    made = random.gamma(2.0, 1.0, (60, *CELLS))
    made[:, 1:3, 1:4] += random.gamma(2.0, 1.5, (60, 1, 1))
    few = place_criteria([video(truth, made)])
    monkeypatch.setattr(criteria, "THRESHOLDS", 10**6)
    assert few.rbdc == pytest.approx(place_criteria([video(truth, made)]).rbdc, abs=0.01)


def test_without_masks_or_regions_and_with_gaps_the_reason_is_said():
    truth, made = [mask((4, 4, 4, 4)), mask()], [heat(r1c1=1), heat()]
    told = evaluate([video(truth, made, masked=5, label=[1, 0])], tested=True)
    assert told.metrics["rbdc"] == 1.0
    assert told.undefined["tbdc"].startswith("tracks are followed through all frames")
    assert told.details["sampled"]["rbdc"] == {"used": 2, "of": 5}
    empty = evaluate([video([mask()] * 2, made, label=[1, 0])], tested=True)
    assert empty.undefined["rbdc"] == empty.undefined["tbdc"] == "no masks, or none that marks a region"
    assert "rbdc" not in evaluate([video(truth, made)]).names  # at a validation


def boxes(*rows):
    """Boxes of the video ``a``: frame, track, top, left, height, width."""
    made = np.array(rows, float).reshape(-1, 6)
    made[:, 4:] += made[:, 2:4]
    return {"a": made}


def test_a_box_is_a_region_and_keeps_its_track():
    still = np.zeros((6, *SIZE), bool)  # boxes count, not masks
    hidden = boxes((0, 5, 0, 0, 4, 4), (1, 5, 0, 8, 4, 4), (4, 5, 8, 8, 4, 4), (4, 6, 8, 9, 4, 4))
    found = place_criteria([video(still, np.zeros((6, *CELLS)))], hidden)
    assert (found.regions, found.tracks) == (4, 2)  # also what jumps, was hidden or lies over another one
    right = [heat(r0c0=1), heat(r0c2=1), heat(), heat(), heat(r2c2=1), heat()]
    found = place_criteria([video(still, right)], hidden)
    assert (found.rbdc, found.tbdc) == (1.0, 1.0)  # at row 2, 12 of 20 pixels are shared with the second box
    assert place_criteria([video(still, right)], {"a": np.empty((0, 6))}) == (None, None, 0, 0)


def test_parts_of_a_pixel_count():
    nothing = np.zeros((1, *SIZE), bool)
    for width, rbdc in ((0.41, 1.0), (0.39, 0.0)):  # of the 16 pixels of a cell
        drawn = boxes((0, 0, 4, 4.5, 4, width))
        assert place_criteria([video(nothing, [heat(r1c1=1)])], drawn).rbdc == rbdc


@pytest.mark.parametrize("seed", range(2))
def test_boxes_are_judged_as_masks_that_are_the_same(seed, monkeypatch):
    monkeypatch.setattr(criteria, "AT_ONCE", 3)
    random = np.random.default_rng(seed)
    rows = [(number, 0, 1, number, 5, 6) for number in range(8)] + [(number, 1, 11, 14, 3, 5) for number in range(2, 7)]
    masks = [mask(*(box for frame, _, *box in rows if frame == number)) for number in range(8)]
    made = random.integers(0, 30, (8, *CELLS)) / 10.0
    made[:, 0:2, 0:2] += random.integers(0, 20, (8, 1, 1)) / 10.0
    region, label = (1, 0, 15, 22), [1, 1, 1, 1, -1, 1, 1, 1]
    by_masks = place_criteria([video(masks, made, region, label)])
    by_boxes = place_criteria([video(np.zeros_like(masks), made, region, label)], boxes(*rows))
    assert 0.02 < by_masks.rbdc < 0.98
    assert (by_boxes.rbdc, by_boxes.regions) == (pytest.approx(by_masks.rbdc, abs=1e-12), by_masks.regions)
    assert (by_boxes.tracks, by_masks.tracks) == (2, 4)  # a frame of unknown label ends the tracks of masks


def test_tracks_of_boxes_need_not_all_frames():
    drawn = boxes(*[(number, 0, 4, 4, 4, 4) for number in range(9)])
    kept = [heat(r1c1=1), heat(), heat(r1c1=1)]
    series = video([mask()] * 3, kept, label=[1] * 9, frame=range(9), rows=[0, 4, 8], masked=9)
    told = evaluate([replace(series, score=np.zeros(9))], tested=True, boxes=drawn)
    assert told.metrics["tbdc"] == 1.0
    assert told.metrics["rbdc"] == pytest.approx(2 / 3)
    assert told.details["sampled"]["tbdc"] == {"used": 3, "of": 9}
    assert told.counts["regions"] == 3
