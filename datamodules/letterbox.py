"""Fitting pictures of any size into one size, without cutting anything off."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from datamodules.picture_file import Frame

Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Letterbox:
    """Scales pictures into ``height`` x ``width`` pixels.

    Attributes:
        height: of the result.
        width: of the result.
        fit: ``"letterbox"`` keeps the shape of things and fills the rest with black; ``"stretch"`` fills the
            whole picture and changes the shape.
    """

    height: int
    width: int
    fit: Literal["letterbox", "stretch"] = "letterbox"

    def region(self, height: int, width: int) -> Region:
        """Return top, left, height, width, in pixels, of a ``height`` x ``width`` picture in the result."""
        if self.fit == "stretch":
            return 0, 0, self.height, self.width
        scale = min(self.height / height, self.width / width)
        new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
        return (self.height - new_height) // 2, (self.width - new_width) // 2, new_height, new_width

    def picture(self, frame: Frame) -> Frame:
        """Map uint8 ``(h, w, 3)`` to ``(3, height, width)``, averaging the area that becomes one pixel."""
        top, left, height, width = self.region(*frame.shape[:2])
        shrinks = height <= frame.shape[0] and width <= frame.shape[1]
        scaled = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        result = np.zeros((frame.shape[2], self.height, self.width), np.uint8)
        result[:, top : top + height, left : left + width] = scaled.transpose(2, 0, 1)
        return result

    def mask(self, mask: Frame) -> Frame:
        """Map uint8 0/1 ``(h, w)`` to ``(height, width)``; a pixel is 1 if any part of its area is."""
        top, left, height, width = self.region(*mask.shape)
        shrinks = height <= mask.shape[0] and width <= mask.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        result = np.zeros((self.height, self.width), np.uint8)
        scaled = cv2.resize(mask.astype(np.float32), (width, height), interpolation=way)
        result[top : top + height, left : left + width] = scaled > 0
        return result
