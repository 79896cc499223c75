"""Which experiments can train on a folder, asked of the same readers of layouts by which ``fit`` opens it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.clips.video_layouts import read_layout
from datamodules.errors import InputError
from datamodules.images.picture_layouts import read_pictures
from datamodules.listing import COMPANIONS, children, folders
from datamodules.parts.inspection_folder import read_inspection
from datamodules.sound.audio_video_sources import divide, find_pairs
from datamodules.sound.sound import read_sound

LAYOUTS: Mapping[str, tuple[str, ...]] = {
    "ped2": ("UCSD", "research"),
    "avenue": ("Avenue", "research"),
    "shanghaitech": ("ShanghaiTech", "research"),
    "aitex": ("AITEX",),
    "mvtec": ("MVTec AD",),
    "folder": ("plain", "flat", "classes", "splits", "sound"),
}
"""What the readers call each layout that can be asked for; research repositories hand several data sets on alike."""
ONE_CLASS = "one folder"
"""Pictures in a single folder below another: they can be trained on, but so can what the inner folder is read as."""


@dataclass(frozen=True)
class Fits:
    """What can be trained on a folder.

    Attributes:
        folder: as ``data.source`` names it.
        layouts: by experiment, what its reader calls the layout.
        reasons: by experiment, why it cannot be trained on this.
    """

    folder: Path
    layouts: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, str]:
        """Those experiments whose layout is that of a published data set."""
        own = {name for key, names in LAYOUTS.items() if key != "folder" for name in names}
        return {experiment: layout for experiment, layout in self.layouts.items() if layout in own}


def recognise(source: Path) -> Fits:
    """Return what can be trained on a folder, or on the one within it that an archive has wrapped around.

    Raises:
        InputError: If nothing can; it says why of each experiment, or names folders within that can be trained on.
    """
    levels = [fits(level) for level in _levels(source)]
    if found := next((one for one in levels if one.named), None):
        return found
    last = levels[-1].folder
    # a class of pictures is a folder without further ones, and need not be looked at
    if not any(folders(child) and fits(child).named for child in folders(last)):
        for good in (lambda one: {*one.layouts.values()} - {ONE_CLASS}, lambda one: one.layouts):
            if found := next(filter(good, levels), None):
                return found
    if sets := [child for child in folders(last) if fits(child).layouts]:
        raise InputError(f"{last} holds data sets of its own: name {' or '.join(map(str, sets))}")
    told = "\n".join(f"- {experiment}: {reason}" for experiment, reason in levels[-1].reasons.items())
    raise InputError(f"{source}: no experiment can be trained on it, since\n{told}")


def fits(folder: Path) -> Fits:
    """Ask all readers of layouts."""
    layouts: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for reader, experiments in READERS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is left out is said when the data are opened
                layouts |= dict.fromkeys(experiments, reader(folder))
        except InputError as problem:
            reasons |= dict.fromkeys(experiments, str(problem))
    return Fits(folder, layouts, reasons)


def choose(found: Fits, experiment: str | None, layout: str | None) -> str:
    """Return the experiment that is meant.

    Args:
        found: what can be trained.
        experiment: What the user named, a known one or any configuration; None: the only one that fits.
        layout: A key of ``LAYOUTS`` that the folder has to be read as; None: any. A published one is preferred.

    Raises:
        InputError: If that is none, or several.
    """
    if experiment is not None and experiment in found.reasons:
        raise InputError(f"--experiment {experiment}: {found.reasons[experiment]}")
    layouts = found.layouts
    if layout is not None:
        layouts = {name: read for name, read in layouts.items() if read in (*LAYOUTS[layout], ONE_CLASS)}
        if experiment in found.layouts and experiment not in layouts:
            layouts = {}
        if not layouts:
            read = sorted(set(found.layouts.values()))
            raise InputError(
                f"--layout {layout}: {found.folder} is read as {' or '.join(read)}; leave it out, or look in the "
                "documents how the folders of that layout are called"
            )
    if experiment is not None:
        return experiment
    chosen = {name: read for name, read in found.named.items() if name in layouts} or layouts
    if len(chosen) > 1:
        raise InputError(
            f"{found.folder}: several experiments can be trained on it: choose one by --experiment "
            f"{' or '.join(chosen)}. {PURPOSES}"
        )
    return next(iter(chosen))


PURPOSES = (
    "vta_gan finds what is unusual in video, aitex_vae defects in surfaces; motor_vae_gan and cnn_param_tanh invent "
    "pictures like these, grey and in colour; audio_to_video draws pictures to sound"
)


def _levels(folder: Path) -> Sequence[Path]:
    """Return a folder and, as long as there is nothing but a single folder in it, that one too."""
    levels = [folder]
    while len(inside := children(levels[-1], lambda path: path.is_dir() or path.suffix.lower() not in COMPANIONS)) == 1:
        if not inside[0].is_dir() or len(levels) > 8:
            break
        levels.append(inside[0])
    return levels


def _video(folder: Path) -> str:
    return read_layout(folder).layout


def _pictures(folder: Path) -> str:
    found = read_pictures(folder, 0.1, 0.1)
    return ONE_CLASS if found.layout == "classes" and len(found.classes) == 1 else found.layout


def _parts(folder: Path) -> str:
    return read_inspection(folder, "error").layout


def _sound(folder: Path) -> str:
    pairs = find_pairs(folder)
    divide(pairs, 0.15, 0.15)
    next(read_sound(pairs[0].sound, 16_000))  # a film may be silent
    return "sound"


READERS: Mapping[Callable[[Path], str], tuple[str, ...]] = {
    _video: ("vta_gan",),
    _parts: ("aitex_vae",),
    _pictures: ("motor_vae_gan", "cnn_param_tanh"),
    _sound: ("audio_to_video",),
}
"""What reads a folder for which experiments; each returns the layout, or raises why there is none."""
