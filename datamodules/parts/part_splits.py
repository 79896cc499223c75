"""Dividing pictures of parts: by picture, within each group, and no picture in two splits."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from datamodules.errors import InputError
from datamodules.parts.part_pictures import Examined
from datamodules.seeding import derive_seed


def split_normals(
    pictures: Sequence[Examined], validation_fraction: float, test_fraction: float, seed: int
) -> dict[str, list[Examined]]:
    """Divide faultless pictures into ``train``, ``validation`` and ``test``, group by group.

    Pictures that the layout sets apart for the test stay there. Of the others the test gets ``test_fraction`` where
    the layout sets none apart, the validation ``validation_fraction``, both rounded to whole pictures and at least
    one. Who is held out depends on the seed and the names below the source only, not on the order of
    listing, nor on what the source's folder is called.

    Raises:
        InputError: if a group has too few pictures to leave one to train on.
    """
    groups: dict[str, list[Examined]] = defaultdict(list)
    for picture in pictures:
        groups[picture.part.group].append(picture)
    chosen: dict[str, str] = {}
    for group, members in groups.items():
        free = [picture.part for picture in members if not picture.part.for_test]
        undecided = any(part.for_test is None for part in free)
        test = _share(len(free), test_fraction) if undecided else 0
        validation = _share(len(free), validation_fraction)
        if len(free) <= test + validation:
            raise InputError(
                f"data.source: of {len(free)} faultless pictures of {group}, {test} would be held out for the test and "
                f"{validation} for validation, which leaves none to learn from; add some, lower data.test_fraction or "
                "data.validation_fraction, or leave the group out with data.groups"
            )
        ranked = sorted(free, key=lambda part: derive_seed(seed, "hold out", *part.key))
        for number, part in enumerate(ranked):
            chosen[part.name] = "test" if number < test else "validation" if number < test + validation else "train"
    splits: dict[str, list[Examined]] = {"train": [], "validation": [], "test": []}
    for picture in pictures:
        splits[chosen.get(picture.part.name, "test")].append(picture)
    return splits


def refuse_shared_pictures(splits: Mapping[str, Sequence[Examined]]) -> None:
    """Make sure that no picture is in two splits, whatever its name.

    Raises:
        InputError: naming both files.
    """
    seen: dict[str, tuple[str, Examined]] = {}
    for split, pictures in splits.items():
        for picture in pictures:
            other, first = seen.setdefault(picture.digest, (split, picture))
            if other != split:
                raise InputError(
                    f"{first.part.path} ({other}) and {picture.part.path} ({split}) show the same picture; a picture "
                    "must be in one split only: remove one of them"
                )


def _share(count: int, fraction: float) -> int:
    """Return a fraction of ``count``, halves rounded up, at least 1."""
    return max(1, math.floor(fraction * count + 0.5))
