"""Reading pictures of inspected parts and the masks of their defects, and finding where the part begins."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.deep_pictures import BitRange
from datamodules.errors import BadFile, InputError, refuse_or_warn
from datamodules.mask_file import PLAIN, Marking, mask_pixels
from datamodules.parallel import in_parallel
from datamodules.parts.inspection_folder import Part
from datamodules.parts.margin import margin_width
from datamodules.picture_file import Frame, in_channels, read_picture

_CELL = 64  # edge in pixels of the cells whose histograms CLAHE equalises


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures in the form in which they travel.

    Attributes:
        channels: 1 for grey, 3 for RGB.
        tile: edge in pixels of the tiles that a picture is cut into; a smaller picture is an error.
        clahe: limit of contrast-limited adaptive histogram equalisation (OpenCV), in units of a flat histogram;
            0 leaves the pictures as they are. Colour pictures are equalised in lightness.
        marking: which values of masks mark the defect.
        bit_range: values of black and white in pictures of more than 8 bits.
    """

    channels: Literal[1, 3]
    tile: int
    clahe: float = 0.0
    marking: Marking = PLAIN
    bit_range: BitRange | None = None

    def picture(self, part: Part) -> Frame:
        """Return uint8 ``(C, H, W)``.

        Raises:
            InputError: if the file is unreadable or smaller than a tile.
        """
        return self._travelling(self.recorded(part))

    def given(self, picture: Frame, name: str) -> Frame:
        """Return a picture uint8 ``(H, W, 1 or 3)`` that a program hands over as uint8 ``(C, H, W)``.

        Raises:
            InputError: if it is smaller than a tile.
        """
        self._refuse_small(picture, name)
        return self._travelling(in_channels(picture, self.channels))

    def recorded(self, part: Part) -> Frame:
        """Return uint8 ``(H, W, C)`` as it was recorded, not equalised.

        Raises:
            InputError: if the file is unreadable or smaller than a tile.
        """
        image = read_picture(part.path, self.channels, bit_range=self.bit_range)
        self._refuse_small(image, part.path)
        return image

    def mask(self, part: Part, size: tuple[int, int]) -> Frame | None:
        """Return uint8 ``(H, W)``, 1 where any of the part's masks marks the defect.

        Returns:
            Zeros for a faultless part; None where no mask says where the defect is: there is none, or it is empty.

        Raises:
            InputError: if a mask is unreadable or its size is not ``size`` (height, width).
        """
        if part.label == 0:
            return np.zeros(size, np.uint8)
        marked = np.zeros(size, np.uint8)
        for path in part.masks:
            mask = self.marking.read(mask_pixels(path))
            if mask.shape != size:
                raise InputError(
                    f"{path}: measures {mask.shape[1]}x{mask.shape[0]}, its picture {part.path} {size[1]}x{size[0]}"
                )
            marked |= mask
        return marked if marked.any() else None

    def _refuse_small(self, image: Frame, name: object) -> None:
        height, width = image.shape[:2]
        if min(height, width) < self.tile:
            raise InputError(
                f"{name}: measures {width}x{height} pixels, less than a tile; set data.tile_size, now {self.tile}"
            )

    def _travelling(self, image: Frame) -> Frame:
        """Bring a picture ``(H, W, C)`` to the form of a batch, ``(C, H, W)``."""
        return np.ascontiguousarray((self._equalised(image) if self.clahe else image).transpose(2, 0, 1))

    def _equalised(self, image: Frame) -> Frame:
        height, width = image.shape[:2]
        clahe = cv2.createCLAHE(self.clahe, (max(1, width // _CELL), max(1, height // _CELL)))
        if self.channels == 1:
            return np.asarray(clahe.apply(image[..., 0]), np.uint8)[..., None]
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        lab[..., 0] = clahe.apply(np.ascontiguousarray(lab[..., 0]))
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


@dataclass(frozen=True, eq=False)
class Examined:
    """A part whose files were found to be readable.

    Attributes:
        part: what was read.
        width: of the picture in pixels.
        margin: columns of machine left of the part in this picture alone; 0 where it was not sought.
        digest: of the recorded pixels: equal for equal pictures, whatever they are called.
        defect_columns: columns that the masks mark, ascending; None where no mask says.
    """

    part: Part
    width: int
    margin: int
    digest: str
    defect_columns: NDArray[np.int64] | None


def examine(parts: Sequence[Part], reader: PictureReader, on_bad_file: BadFile) -> list[Examined]:
    """Read every picture and its masks once, several at a time, and note what splitting them needs.

    Raises:
        InputError: naming the first unusable file, unless those are skipped with a warning.
    """

    def look(part: Part) -> Examined | InputError:
        try:
            picture = reader.recorded(part)
            mask = reader.mask(part, picture.shape[:2])
        except InputError as error:
            return error
        columns = None if mask is None else np.flatnonzero(mask.any(axis=0))
        digest = hashlib.blake2b(picture.tobytes(), digest_size=16).hexdigest()
        # before equalisation, which lends a smooth bed the texture and the grey of cloth
        margin = margin_width(_grey(picture)) if part.has_margin else 0
        return Examined(part, picture.shape[1], margin, digest, columns)

    kept = []
    for result in in_parallel(look, parts, "reading pictures"):
        if isinstance(result, Examined):
            kept.append(result)
        else:
            refuse_or_warn(result, on_bad_file, "pictures")
    return kept


def _grey(image: Frame) -> Frame:
    return image[..., 0] if image.shape[2] == 1 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
