"""Frames that a detector of anomalies got most wrong, and those it got most right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from callbacks.case_picture import case_picture, of_mask, with_heat
from callbacks.cases import Case, CaseBook, End, Kind, plan_of, rank_of, sentence
from callbacks.clips.places import Array
from callbacks.clips.table import VideoSeries
from callbacks.colour_bar import heat_marks
from callbacks.extremes import Extremes, Kept
from callbacks.picture_file import Picture
from datamodules.batches import FrameScores, VideoBatch
from datamodules.png_file import write_png

POOL = 24
"""Frames of each label that are kept from each end of the scores while batches pass."""

APART = 25
"""Frames of one video that are nearer to each other show the same."""

OUTER = 0.1
"""Share of the frames of a label among which a case is looked for in another video."""

_WHAT = {1: "anomalous frames", 0: "normal frames", -1: "frames"}


class Shown(NamedTuple):
    """What is kept of a frame: RGB ``(h, w, 3)`` and heat ``(h, w)``, both without bars; mask ``(h, w)`` if known."""

    frame: Picture
    heat: NDArray[np.float32]
    mask: NDArray[np.bool_] | None


class ClipCases(CaseBook[Sequence[VideoSeries]]):
    """Shows normal frames of the highest scores and anomalous ones of the lowest as worst cases, the reverse as best.

    A frame's score and heat are means over the windows that hold it; it is held until a window of its video begins
    behind it. Then ``POOL`` frames of each label and end of the scores are kept, one of every ``APART`` frames of a
    video, so that what is held depends on the size of a frame alone. In the end the scores that are judged choose among
    them, each of another video as far as it has frames among the outermost ``OUTER``; the rank among all frames stands
    beside each. With several processes each has seen a part of a frame's windows: what is kept, and the heat, go by
    that part.
    """

    def __init__(self) -> None:
        ends: tuple[End, End] = ("highest", "lowest")
        self._kept: dict[tuple[int, End], Extremes[Shown]] = {
            (label, end): Extremes(POOL) for label in (1, 0, -1) for end in ends
        }
        self._open: dict[tuple[str, int], _Open] = {}

    def add(self, outputs: Any, batch: Any) -> None:
        """Look at the frames of a batch of windows."""
        if not (isinstance(outputs, FrameScores) and isinstance(batch, VideoBatch)):
            return
        outputs, batch = outputs.to("cpu"), batch.to("cpu")
        scores, labels, frames = (one.tolist() for one in (outputs.score, outputs.label, outputs.frame))
        heats = outputs.heat.detach().float().numpy()
        for row, video in enumerate(outputs.video):
            self._close({key for key in self._open if key[0] != video or key[1] < frames[row][0]})
            for step, (score, label, number) in enumerate(zip(scores[row], labels[row], frames[row], strict=True)):
                known = self._open.get((video, number))
                if known is None:
                    known = self._open[video, number] = _opened(outputs, batch, row, step, label)
                known.score += score
                known.heat += heats[row, step]
                known.windows += 1

    def _close(self, keys: Iterable[tuple[str, int]]) -> None:
        """Take leave of frames that no further window holds, and keep those that may be cases."""
        for key in keys:
            done = self._open.pop(key)
            value, group = done.score / done.windows, (key[0], key[1] // APART)
            self._kept[done.label, "highest"].offer(value, group, key, done.shown)
            self._kept[done.label, "lowest"].offer(-value, group, key, done.shown)

    def choose(self, rows: Sequence[VideoSeries], details: Mapping[str, Any]) -> list[Case]:
        """Return the cases, by the scores of the frames."""
        self._close([*self._open])
        kept = {place: extremes.gather() for place, extremes in self._kept.items()}
        score, label = (np.concatenate([getattr(one, name) for one in rows]) for name in ("score", "label"))
        series = {one.video: one for one in rows}
        threshold = details.get("threshold")
        plan, count = plan_of(label)
        cases: list[Case] = []
        taken: set[tuple[str, int]] = set()
        for kind, wanted, end in plan:
            of_label = score[label == wanted]
            ordered = _ordered(kept[wanted, end], series, of_label, end)
            for one in _chosen([ranked for ranked in ordered if ranked[1].key not in taken], len(of_label), count):
                taken.add(one.key)
                own = _score(one, series)
                place = rank_of(own, of_label, end), len(of_label)
                says = sentence(wanted, end, _WHAT[wanted], place, own, threshold)
                cases.append(_case(one, kind, says, own, place[0], threshold))
        return cases


@dataclass(slots=True)
class _Open:
    """A frame ``(H, W, 3)`` with its bars that further windows may hold, sums over windows, and mask ``(H, W)``."""

    frame: Picture
    region: tuple[slice, slice]
    label: int
    mask: NDArray[np.bool_] | None
    score: float
    heat: NDArray[np.float64]
    windows: int = 0

    def shown(self) -> Shown:
        """Return the frame without its bars, and the mean heat."""
        mean = (self.heat / self.windows).astype(np.float32)
        full = cv2.resize(mean, self.frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        mask = None if self.mask is None else self.mask[self.region]
        return Shown(self.frame[self.region].copy(), np.asarray(full, np.float32)[self.region].copy(), mask)


def _opened(outputs: FrameScores, batch: VideoBatch, row: int, step: int, label: int) -> _Open:
    """Copy a frame out of a batch on the CPU."""
    top, left, height, width = outputs.region[row].tolist()
    region = slice(top, top + height), slice(left, left + width)
    frame = batch.frames[row, step].movedim(0, -1).numpy().copy()
    mask = None if outputs.mask is None else outputs.mask[row, step].numpy() == 1
    return _Open(frame, region, label, mask, 0.0, np.zeros(outputs.heat.shape[-2:]))


def _score(kept: Kept[Shown], series: Mapping[str, VideoSeries]) -> float:
    video, number = kept.key
    return float(series[video].score[np.searchsorted(series[video].frame, number)])


def _ordered(
    kept: Sequence[Kept[Shown]], series: Mapping[str, VideoSeries], of_label: Array, end: End
) -> list[tuple[int, Kept[Shown]]]:
    """Return frames with their ranks by the final scores, the outermost first."""
    ranked = [(rank_of(_score(one, series), of_label, end), one) for one in kept]
    return sorted(ranked, key=lambda pair: (pair[0], pair[1].key))


def _chosen(ordered: Sequence[tuple[int, Kept[Shown]]], total: int, count: int) -> list[Kept[Shown]]:
    """Return the outermost: of several videos where theirs are, else apart from each other, else any that are apart."""
    outer = max(count, round(total * OUTER))
    chosen: list[Kept[Shown]] = []
    for limit, again in ((outer, False), (outer, True), (total, True)):
        for rank, one in ordered:
            apart = [abs(one.key[1] - other.key[1]) for other in chosen if other.key[0] == one.key[0]]
            if len(chosen) < count and rank <= limit and (not apart or (again and min(apart) >= APART)):
                chosen.append(one)
    places = [one.key for _, one in ordered]
    return sorted(chosen, key=lambda one: places.index(one.key))


def _case(kept: Kept[Shown], kind: Kind, says: str, score: float, rank: int, threshold: float | None) -> Case:
    video, number = kept.key
    shown = kept.item
    name = f"{video}, frame {number}"
    figures: dict[str, float | int] = {"score": score, "rank": rank}
    figures |= {} if threshold is None else {"threshold": threshold}

    def draw(path: Path) -> None:
        columns = {"input": shown.frame, "heat": with_heat(shown.frame, shown.heat, threshold)}
        columns |= {} if shown.mask is None else {"mask": of_mask(shown.mask)}
        write_png(path, case_picture(columns, [f"{kind}: {name}", says], {"heat": heat_marks(threshold)}))

    return Case(name, kind, says, figures, ".png", draw)
