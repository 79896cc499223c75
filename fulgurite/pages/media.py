"""Pictures and clips of a run, put into a page as they are: what is shown, whether it can be, and how much fits in."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import av

from datamodules.errors import InputError
from datamodules.media import open_container, probe
from datamodules.picture_file import opened
from fulgurite.refuse import shortened

_BATCHES = re.compile(r"(?P<kind>.+?)-(?P<batches>\d{7,})(?P<ending>(?:-[\w-]+)?\.(?:png|mp4))")
_PLAYS = ("h264", "vp8", "vp9", "av1")
"""Codecs that browsers play."""
SMALL = 460  # pixels that neither side of a small picture or clip exceeds when it is enlarged
WIDE = 700  # pixels from which on a picture gets the whole width of the page


@dataclass(frozen=True)
class Medium:
    """A picture or a clip in a page.

    Attributes:
        path: its file.
        where: the same, relative to the run folder.
        title: what stands above it.
        says: what stands below it.
        width: in pixels.
        height: in pixels.
        size: of the file in bytes.
        is_video: whether it plays.
        has_sound: whether it sounds.
        uri: its content as the page holds it; empty where it is left out, because there is no room.
        is_compressed: whether that is less than the file holds, because there is too little room.
        figures: numbers below it, by name.
    """

    path: Path
    where: str
    title: str
    says: str
    width: int
    height: int
    size: int
    is_video: bool
    has_sound: bool = False
    uri: str = ""
    is_compressed: bool = False
    figures: dict[str, float | int | None] = field(default_factory=dict)

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of the page."""
        return self.width > WIDE

    @property
    def shown_width(self) -> int:
        """Width in pixels at which it is shown where there is room: small ones are enlarged.

        A picture by a whole factor, so that its pixels stay alike; a clip so that its controls leave something to see.
        """
        longest = max(self.width, self.height, 1)
        factor = SMALL / longest if self.is_video else SMALL // longest
        return round(self.width * max(1, factor))


def medium(run: Path, path: Path, title: str, says: str = "") -> Medium:
    """Look at a file, without taking it in yet.

    Raises:
        InputError: if it lies outside of the run folder, is damaged, or is no picture or clip that a browser shows.
    """
    check_within(path, run)
    size, where = path.stat().st_size, str(path.relative_to(run))
    if path.suffix == ".png":
        with opened(path) as image:
            if image.format != "PNG":
                raise InputError(f"{path} is called .png and is {image.format}")
            return Medium(path, where, title, says, *image.size, size, is_video=False)
    info = probe(path)
    try:
        with open_container(path) as container:
            codec, has_sound = container.streams.video[0].codec_context.name, bool(container.streams.audio)
    except av.FFmpegError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    if codec not in _PLAYS:
        raise InputError(f"{path} is coded by {codec}, which browsers do not play")
    return Medium(path, where, title, says, info.width, info.height, size, is_video=True, has_sound=has_sound)


def check_within(path: Path, folder: Path) -> None:
    """Look whether a path leads to a file in a folder, through whatever links.

    Raises:
        InputError: if it does not.
    """
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        there = path.is_file()
    except (OSError, RuntimeError) as problem:  # too long a name; a link that leads to itself
        raise InputError(f"{shortened(str(path))} leads to no file: {shortened(str(problem))}") from None
    if not inside:
        raise InputError(f"{path} leads out of {folder}, so it is not shown")
    if not there:
        raise InputError(f"{path} does not exist")


def of_last_validation(run: Path) -> list[Path]:
    """Return of each kind of file in ``media/`` the one of the most batches, clips last."""
    newest: dict[tuple[str, str], tuple[int, Path]] = {}
    for path in sorted((run / "media").glob("*-*.*")):
        if found := _BATCHES.fullmatch(path.name):
            key = found["kind"], found["ending"]
            newest[key] = max(newest.get(key, (-1, path)), (int(found["batches"]), path))
    return sorted((path for _, path in newest.values()), key=lambda path: (path.suffix == ".mp4", path.name))


def title_of(path: Path) -> tuple[str, str]:
    """Return what a file of a validation is called, and after how many batches it was made.

    ``batch-0000012-samples.png`` shows ``samples``, ``attention-0000012.png`` ``attention``.
    """
    found = _BATCHES.fullmatch(path.name)
    if found is None:
        return path.stem, ""
    ending = found["ending"].partition(".")[0].lstrip("-")
    title = f"{found['kind']} {ending}" if ending and found["kind"] != "batch" else ending or found["kind"]
    return title.replace("_", " "), f"After {int(found['batches']):,} batches."
