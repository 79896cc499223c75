"""From which column on a picture shows the part: one for each group, and what is said where that leaves doubts."""

import json
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence

from datamodules.errors import BadFile, InputError, refuse_or_warn
from datamodules.parts.inspection_folder import UNKNOWN, Part
from datamodules.parts.margin import common_start
from datamodules.parts.part_pictures import Examined


def find_starts(pictures: Sequence[Examined], given: Mapping[str, int], tile: int) -> dict[str, int]:
    """Return the first column of every group: the given one, else one clear of the margin in all its pictures.

    Args:
        pictures: of all groups.
        given: first column by group, in pixels.
        tile: edge of a tile in pixels; starts that are found are multiples of it.
    """
    margins: dict[str, list[int]] = defaultdict(list)
    for picture in pictures:
        margins[picture.part.group].append(picture.margin)
    return {group: given.get(group, common_start(columns, tile)) for group, columns in sorted(margins.items())}


def wide_enough(
    pictures: Sequence[Examined], starts: Mapping[str, int], tile: int, on_bad_file: BadFile
) -> list[Examined]:
    """Return the pictures that hold a tile right of their start; the others end the run or are left out.

    Raises:
        InputError: naming the first that does not, unless those are left out.
    """
    kept = []
    for picture in pictures:
        start = starts[picture.part.group]
        if start + tile <= picture.width:
            kept.append(picture)
        else:
            message = (
                f"{picture.part.path}: is {picture.width} columns wide, from column {start} on no tile fits; set "
                f"data.starts for {picture.part.group}, or a smaller data.tile_size"
            )
            refuse_or_warn(message, on_bad_file, "pictures")
    return kept


def refuse_other_starts(starts: Mapping[str, int], learned: Mapping[str, int]) -> None:
    """Make sure that parts begin where those did that a checkpoint learned from.

    Raises:
        InputError: naming both columns, and the setting that makes them one.
    """
    elsewhere = {group: start for group, start in learned.items() if starts.get(group, start) != start}
    if elsewhere:
        found = {group: starts[group] for group in elsewhere}
        raise InputError(
            f"parts begin at {found} here and began at {elsewhere} where the checkpoint learned, since pictures or "
            f"data.starts are others. Give --data.starts '{json.dumps({**starts, **elsewhere})}'"
        )


def warn_of_unknown_groups(parts: Sequence[Part], known: Mapping[str, int], names_tell: bool) -> None:
    """Say which pictures nobody can crop and judge as their group was, because nothing tells their group."""
    lost = [part for part in parts if part.group == UNKNOWN]
    if lost and known:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        names = "Name them number_defect_fabric, as in 0001_000_03, or put" if names_tell else "Put"
        warnings.warn(
            f"{lost[0].path}{more}: nothing tells which of {', '.join(sorted(known))} they show. "
            "They are scored from their first column on, margins included, by the statistics of all groups together. "
            f"{names} them into a folder named after their group",
            stacklevel=2,
        )


def warn_of_mask(picture: Examined, start: int) -> None:
    """Say what the masks of a defective picture cannot tell."""
    path, columns = picture.part.path, picture.defect_columns
    if columns is None:
        reason = "its masks mark nothing" if picture.part.masks else "it has no mask"
        warnings.warn(f"{path}: {reason}; it counts as a defective picture whose tiles are unknown", stacklevel=2)
    elif columns[-1] < start:
        warnings.warn(
            f"{path}: its defect lies left of column {start}, where tiles begin, and cannot be found; give a smaller "
            f"start for {picture.part.group} by data.starts if that is on the part",
            stacklevel=2,
        )
