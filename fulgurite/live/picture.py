"""The newest frame whose score is final, drawn for those who look at it, and only for them."""

import threading
import time
from collections import deque
from typing import Any

import cv2
import numpy as np

from callbacks.clips.overlay import Overlay
from callbacks.clips.window_merger import Merged
from datamodules.clips.live_stream import Shot, from_jpeg, to_jpeg

WIDEST = 960
"""Pixels; wider frames are shown smaller."""
EVERY = 0.1
"""Seconds between two pictures, and between two points of the course."""
POINTS = 600


class Picture:
    """Hands what is shown of a watch from the thread that scores to those that serve the page.

    Args:
        threshold: raw score above which an event begins.
    """

    def __init__(self, threshold: float) -> None:
        self._overlay = Overlay(threshold)
        self._there, self._drawing = threading.Condition(), threading.Lock()
        self._newest: tuple[Shot, Merged, tuple[int, int]] | None = None
        self._drawn: tuple[int, bytes] = (-1, b"")
        self._course: deque[tuple[float, float]] = deque(maxlen=POINTS)
        self._facts: dict[str, Any] = {"threshold": threshold}
        self._is_over = False

    def take(self, shot: Shot, merged: Merged, place: tuple[int, int], facts: dict[str, Any]) -> None:
        """Take in a frame, with height and width of the letterboxed picture, and what else is told of the watch."""
        with self._there:
            self._newest = shot, merged, place
            self._facts |= facts | {"time": shot.time, "score": merged.score}
            if not self._course or shot.time - self._course[-1][0] >= EVERY:
                self._course.append((round(shot.time, 2), float(f"{merged.score:.5g}")))
            self._there.notify_all()

    def facts(self) -> dict[str, Any]:
        """Return what is told of the watch, with the course of the score as pairs of time and score."""
        with self._there:
            return self._facts | {"course": list(self._course), "over": self._is_over}

    def close(self) -> None:
        """Let nobody wait for a further frame."""
        with self._there:
            self._is_over = True
            self._there.notify_all()

    def wait(self, known: int) -> tuple[int, bytes] | None:
        """Return the number of a frame that is newer than a known one, with its picture as JPEG; None at the end."""
        with self._there:
            while not self._is_over and (self._newest is None or self._newest[0].number <= known):
                self._there.wait(1.0)
            if self._newest is None or self._newest[0].number <= known:
                return None
            shot, merged, place = self._newest
        with self._drawing:  # drawn once, whoever looks, and while the next is being scored
            if self._drawn[0] < shot.number:
                self._drawn = shot.number, self._draw(shot, merged, place)
            return self._drawn

    def _draw(self, shot: Shot, merged: Merged, place: tuple[int, int]) -> bytes:
        assert shot.jpeg is not None
        frame = from_jpeg(shot.jpeg)
        if frame.shape[1] > WIDEST:
            height = max(1, round(frame.shape[0] * WIDEST / frame.shape[1]))
            frame = np.asarray(cv2.resize(frame, (WIDEST, height), interpolation=cv2.INTER_AREA), np.uint8)
        return to_jpeg(self._overlay.draw(frame, merged.score, merged.heat, place, shot.region))


def pause(began: float) -> None:
    """Wait until the next picture is due."""
    time.sleep(max(0.0, began + EVERY - time.monotonic()))
