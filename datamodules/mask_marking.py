"""Which values of masks mark is decided once, from all masks of a source together.

One mask alone often cannot tell: an empty one on white ground looks like one that marks everything. The rule:

- The values of a mask are the numbers of its palette's colours; of masks with an alpha channel, where each has one
  colour throughout, the alpha; else the brightness, the largest of red, green and blue, on black.
- Of two values the larger marks. More are divided half-way between the smallest and the largest, with a warning that
  names them. Numbers of a palette, and values below 32, are classes: of more than two, all but 0 mark, with a warning.
- If that would mark more than half of all pixels, in the masks that hold both kinds, the ground is bright and the
  others mark, with a warning.
- One value everywhere that is not 0, classes of which most would mark, and palettes that contradict each other are
  refused.
"""

import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.decode_cache import IDENTITIES, fingerprint, made_once
from datamodules.errors import InputError
from datamodules.file_identity import content_hash
from datamodules.mask_file import Kind, Levels, Marking, MaskPixels, Rule, mask_pixels
from datamodules.parallel import in_parallel
from datamodules.warn_once import tell_once

FORMAT = 1
"""Raised whenever the same masks would be decided otherwise."""

_CLASSES = 32  # values below it are numbers of classes
_NAMED = 8  # values named in a message


def one_mask(path: Path) -> Iterator[MaskPixels]:
    """Yield the mask of a picture file."""
    yield mask_pixels(path)


def decide_marking(
    sources: Sequence[Path], cache: Path, read: Callable[[Path], Iterable[MaskPixels]] = one_mask
) -> Marking:
    """Decide which values mark and say so; masks seen before are not read again.

    Args:
        sources: files, and folders of images.
        cache: its folder.
        read: yields the masks of a source; those that it cannot read do not count.

    Raises:
        InputError: if it cannot be decided.
    """
    if not sources:
        return Marking()
    look = partial(in_parallel, description="looking for changed masks")
    name = fingerprint(FORMAT, content_hash(sources, cache / IDENTITIES, look))

    def write(folder: Path) -> None:
        marking, usual, unusual = _decided(list(in_parallel(partial(_seen, read), sources, "reading masks")))
        facts = {"marking": asdict(marking), "usual": usual, "unusual": unusual}
        (folder / "marking.json").write_text(json.dumps(facts))

    facts = json.loads((made_once(cache / "masks" / name, write) / "marking.json").read_text())
    for sentence in facts["usual"]:
        tell_once(f"masks: {sentence}")
    for sentence in facts["unusual"]:
        warnings.warn(f"masks: {sentence}", stacklevel=2)
    return Marking(**{kind: rule and Rule(**rule) for kind, rule in facts["marking"].items()})


@dataclass(frozen=True, eq=False)
class _Seen:
    """What counts of one mask: how often which value occurs."""

    path: Path
    kind: Kind
    counts: tuple[Levels, NDArray[np.int64]]
    alpha: tuple[Levels, NDArray[np.int64]] | None
    one_colour: bool
    palette: dict[int, tuple[int, ...]] | None


def _seen(read: Callable[[Path], Iterable[MaskPixels]], source: Path) -> list[_Seen]:
    found = []
    try:
        for one in read(source):
            alpha = None if one.alpha is None else np.unique(one.alpha, return_counts=True)
            counts = np.unique(one.values, return_counts=True)
            found.append(_Seen(source, one.kind, counts, alpha, one.one_colour, one.palette))
    except InputError:  # told where the mask is read to be used, with its clip or picture
        pass
    return found


def _decided(found: Sequence[Sequence[_Seen]]) -> tuple[Marking, list[str], list[str]]:
    seen = [one for masks in found for one in masks]
    _refuse_contradicting_palettes(seen)
    with_alpha = [one for one in seen if one.alpha is not None]
    by_alpha = all(one.one_colour for one in with_alpha) and any(
        one.alpha is not None and (one.alpha[0] != 255).any() for one in with_alpha
    )
    groups: dict[Kind, list[_Seen]] = defaultdict(list)
    for one in seen:
        groups["alpha" if by_alpha and one.alpha is not None else one.kind].append(one)
    rules: dict[str, Rule] = {}
    usual: list[str] = []
    unusual: list[str] = []
    for kind, masks in groups.items():
        counts = [one.alpha if kind == "alpha" and one.alpha is not None else one.counts for one in masks]
        rule, reason = _rule(kind, counts, masks[0].path)
        rules[kind] = rule
        values = np.unique(np.concatenate([values for values, _ in counts]))
        sentence = f"{len(masks):,} by {kind}, with {_named(values)}; what is {_said(rule)} marks{reason}"
        (unusual if reason else usual).append(sentence)
    return Marking(**rules), usual, unusual


def _rule(kind: Kind, masks: Sequence[tuple[Levels, NDArray[np.int64]]], example: Path) -> tuple[Rule, str]:
    """Return the rule for masks of one kind, and why where it is not the plain one."""
    values = np.unique(np.concatenate([values for values, _ in masks]))
    low, high = int(values[0]), int(values[-1])
    if low == high:
        if high == 0:
            return Rule(0), ""
        raise InputError(
            f"{example}: the masks hold nothing but the value {high} ({kind}), which does not tell what they mark; "
            "give masks that are 0 where nothing is, or take them away"
        )
    classes = len(values) > 2 and (kind == "palette" or high < _CLASSES)
    rule = Rule(0 if classes else (low + high) // 2)
    marked, all_pixels = 0, 0
    for found, counts in masks:
        inside = int(counts[found > rule.threshold].sum())
        if 0 < inside < counts.sum():
            marked, all_pixels = marked + inside, all_pixels + int(counts.sum())
    if 2 * marked <= all_pixels:
        several = ": they are taken for classes" if classes else ": they are divided half-way"
        return rule, several if len(values) > 2 else ""
    if classes:
        raise InputError(
            f"{example}: the masks hold {_named(values)} ({kind}), and most pixels are not 0, which does not tell what "
            "they mark; save them with 0 where nothing is and 255 where something is"
        )
    return Rule(rule.threshold, above=False), ", since most of them lies above"


def _refuse_contradicting_palettes(seen: Iterable[_Seen]) -> None:
    known: dict[int, tuple[tuple[int, ...], Path]] = {}
    for one in seen:
        for number, colour in (one.palette or {}).items():
            first, path = known.setdefault(number, (colour, one.path))
            if first != colour:
                raise InputError(
                    f"{path} and {one.path}: colour {number} is {first} in one palette and {colour} in the other, "
                    "so that numbers do not tell what they mark; save the masks as grey"
                )


def _named(values: Levels) -> str:
    if len(values) <= _NAMED:
        return f"the values {', '.join(map(str, values))}"
    first = ", ".join(map(str, values[: _NAMED - 2]))
    return f"{len(values)} values, {first}, ..., {values[-1]}"


def _said(rule: Rule) -> str:
    return f"above {rule.threshold}" if rule.above else f"not above {rule.threshold}"
