"""The verb experiments: lists the experiments that are installed, and copies one to edit.

lightning experiments
lightning experiments copy vta_gan [FOLDER]
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill, shorten

from fulgurite import plugins
from fulgurite.refuse import refuse, show
from fulgurite.words import options

SHARED = "overlays"  # what serves every experiment
SPACES = "sweeps"  # what `lightning sweep` searches; nothing to lay on top of an experiment
RENAMED = {
    "smoke": "vta_gan/smoke",
    "ped2": "vta_gan/ped2",
    "aitex_vae_v1": "aitex_vae/original",
    "aitex_vae_gpu": "aitex_vae/long",
    "motor_original": "motor_vae_gan/original",
    "motor_vae_gan_256": "motor_vae_gan/published",
    "cnn_param_tanh_128": "cnn_param_tanh/published",
    "cnn_param_tanh_seed": "cnn_param_tanh/original",
}
"""Present name of an overlay by its stem before version 0.2; all others were called ``<system>_<overlay>``."""

_NAME = re.compile(r"\w[\w-]*(/\w[\w-]*)?")


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``experiments``; see :func:`fulgurite.cli.main`."""
    parser = argparse.ArgumentParser(prog="lightning experiments", description="List the experiments, or copy one.")
    actions = parser.add_subparsers(dest="action", metavar="copy")
    copying = actions.add_parser("copy", help="write an experiment and its overlays to edit; nothing is overwritten")
    copying.add_argument("name", metavar="NAME", help="the experiment, e.g. vta_gan")
    copying.add_argument(
        "folder", metavar="FOLDER", nargs="?", default="experiments", type=Path, help="where to (default: experiments)"
    )
    given = parser.parse_args((sys.argv[1:] if argv is None else list(argv))[1:])
    if given.action == "copy":
        copied = copy(given.name, given.folder)
        show("\n".join([*map(str, copied), f"Run it: lightning fit --config {copied[0]}"]))
    else:
        show(listing())


def find(name: str) -> Path | None:
    """Return the file of an experiment (``vta_gan``) or overlay (``vta_gan/smoke``) that is installed, None if none is.

    Raises:
        SystemExit: With one sentence, if several packages have an experiment of that name.
    """
    if not _NAME.fullmatch(name):
        return None
    found = [path for folder in _folders() if (path := folder / f"{name}.yaml").is_file()]
    if len(found) > 1:
        refuse(f"experiment {name}: several packages have one; write {' or '.join(map(str, found))}")
    return found[0] if found else None


def names() -> list[str]:
    """Return the names of all experiments and overlays that are installed."""
    files = [(path, folder) for folder in _folders() for path in (*folder.glob("*.yaml"), *folder.glob("*/*.yaml"))]
    found = (path.relative_to(folder).with_suffix("").as_posix() for path, folder in files)
    return sorted(name for name in found if not name.startswith(f"{SPACES}/"))


def spaces() -> list[str]:
    """Return the names of all spaces that are installed, each that of its experiment."""
    return sorted(path.stem for folder in _folders() for path in (folder / SPACES).glob("*.yaml"))


def present_name(path: Path) -> str | None:
    """Return what an overlay is called now that was called ``path`` before version 0.2, None where none was."""
    if path.parent.name not in ("", "experiments", SHARED):
        return None
    by_old = {name.replace("/", "_"): name for name in names() if "/" in name} | RENAMED
    return by_old.get(path.stem)


def named(words: Sequence[str]) -> list[str]:
    """Return the arguments of a verb with the file in the place of an experiment's name behind ``--config``.

    A file of that name in the working directory comes first.
    """
    done: list[str] = []
    for option, name, used in options(words):
        path = find(name) if option in ("-c", "--config") and name and not Path(name).is_file() else None
        done += [*used[:-1], f"{used[-1].removesuffix(name)}{path}"] if path else used
    return done


def listing() -> str:
    """Return the experiments that are installed, a line each, with their overlays below."""
    lines = []
    for folder in _folders():
        for path in sorted(folder.glob("*.yaml")):
            lines.append(f"{path.stem:<24}{shorten(summary(path), 96, placeholder='…')}")
            lines += _overlays(folder / path.stem, "    with ")
            searched = (folder / SPACES / path.name).is_file()
            lines += [f"    searched by lightning sweep {path.stem}"] if searched else []
        lines += _overlays(folder / SHARED, "for all of them: ")
    return "\n".join(
        [
            *lines,
            "",
            "Run one:  lightning fit --config vta_gan --config vta_gan/smoke",
            "Edit one: lightning experiments copy vta_gan",
        ]
    )


def summary(path: Path) -> str:
    """Return what a file says of itself: the first sentence of its first comment."""
    comment = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or line.startswith("#  "):  # an indented line is a command
            break
        comment.append(line.removeprefix("#").strip())
    return re.split(r"(?<=\.)\s", " ".join(comment))[0]


def copy(name: str, folder: Path) -> list[Path]:
    """Write the experiment ``name``, its overlays and its space into ``folder``; return the new files, its own first.

    Raises:
        SystemExit: With one sentence, if there is no such experiment, or one of the files is there already.
    """
    source = find(name)
    if source is None or "/" in name:
        experiments = [one for one in names() if "/" not in one]
        refuse(f"experiments copy {name}: there is no such experiment. Choose one of: {', '.join(experiments)}")
    files = [source, *sorted(source.with_suffix("").glob("*.yaml"))]
    files += [space for space in [source.parent / SPACES / source.name] if space.is_file()]
    targets = {file: folder / file.relative_to(source.parent) for file in files}
    for target in targets.values():
        if target.exists():
            refuse(f"experiments copy {name}: {target} is there already; name another folder behind it")
    begun: list[Path] = []
    try:
        for file, target in targets.items():
            begun.append(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as problem:
        with suppress(OSError):  # of a disk that cannot even do this the same is said
            for target in begun:  # a half of one would be in the way of the next try
                target.unlink(missing_ok=True)
        refuse(f"experiments copy {name}: cannot write {begun[-1]} ({problem.strerror}); name another folder")
    return list(targets.values())


def _folders() -> Iterator[Path]:
    here = Path(__file__).parent
    # in a clone the experiments lie at its top, where people look for them
    yield next(folder for folder in (here / "experiments", here.parent / "experiments") if folder.is_dir())
    for package in plugins.packages():
        spec = find_spec(package.partition(".")[0])
        for place in (spec and spec.submodule_search_locations) or ():
            if (Path(place) / "experiments").is_dir():
                yield Path(place) / "experiments"


def _overlays(folder: Path, intro: str) -> list[str]:
    overlays = [f"{folder.name}/{path.stem}" for path in sorted(folder.glob("*.yaml"))]
    return [fill(intro + ", ".join(overlays), 120, subsequent_indent=" " * len(intro))] if overlays else []
