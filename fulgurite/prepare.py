"""The verb prepare: everything before a first run: unpack, recognise, check, decode, and say how to train.

lightning prepare ped2.zip
lightning prepare my_pictures/ --experiment motor_vae_gan
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from callbacks.screen import plain_console
from callbacks.text import printable
from datamodules.errors import InputError
from datamodules.png_file import write_png
from fulgurite.errors import readable_errors
from fulgurite.preparation.archive import MOST_BYTES, MOST_FILES, MOST_RATIO, name_of, unpack
from fulgurite.preparation.recognise import LAYOUTS, Fits, choose, recognise
from fulgurite.preparation.rehearsal import QUIET, Rehearsal
from fulgurite.preparation.shown import loaders_of, picture, table
from fulgurite.quiet import keep_quiet
from fulgurite.run_list.shown import size


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``prepare``; see :func:`fulgurite.cli.main`."""
    parser = argparse.ArgumentParser(
        prog="lightning prepare",
        allow_abbrev=False,
        description="Get data ready for a first run: an archive is unpacked, the layout recognised, labels are checked "
        "against clips and pictures against masks, everything is decoded into the cache, and a table says what would "
        "be trained on, held out and tested. All is done by what fit does up to its first batch: when it ends with "
        "status 0, the command that it prints starts.",
        epilog="Further options are those of fit, such as --config vta_gan/ped2 or --data.image_size 128.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        type=Path,
        help="a folder, or a zip or tar archive (gz, bz2, xz). Links, devices and names that lead elsewhere are "
        f"refused, and more than {MOST_FILES:,} files, {size(MOST_BYTES)} or {MOST_RATIO} times its size",
    )
    parser.add_argument("--experiment", metavar="NAME", help="what to train, where several can be (vta_gan, ...)")
    parser.add_argument("--layout", choices=LAYOUTS, help="refuse the folder if it is read as anything else")
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, help="where an archive is unpacked (default: data/ and its name)"
    )
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="PNG of one of each (default: prepared/ and the source's name)"
    )
    words = (sys.argv[1:] if argv is None else list(argv))[1:]
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        parser.error("SOURCE comes first: behind an option of fit nothing would tell it from a value")
    given, further = parser.parse_known_args(words)
    keep_quiet()
    with readable_errors():
        _prepare(given, further)


def _prepare(given: argparse.Namespace, further: Sequence[str]) -> None:
    _refuse_own(further)
    source: Path = given.source.expanduser()
    if source.is_file():
        source = unpack(source, given.to)
        print(f"Unpacked: {printable(str(source))}", flush=True)
    elif given.to:
        raise InputError(f"--to {given.to}: {source} is no archive, and stays where it is; leave --to out")
    elif not source.is_dir():
        raise InputError(f"{source}: there is no such folder or archive; name one of your data")
    found = recognise(source)
    experiment = choose(found, given.experiment, given.layout)
    print(_recognised(found, experiment), flush=True)
    words = ["--config", experiment, "--data.source", str(found.folder), *further]
    with TemporaryDirectory(prefix="fulgurite-") as folder:
        run = Path(folder) / "runs" / "prepared"
        run.mkdir(parents=True)
        done = Rehearsal(words, run)
    loaders = loaders_of(done)
    plain_console().print(table(done, loaders))
    if not done.can_test:
        print("Nothing to test on: lightning test needs labelled data, lightning predict none.")
    path = given.picture or Path("prepared") / f"{name_of(found.folder.resolve())}.png"
    write_png(path, picture(done, loaders))
    print(f"One of each: {printable(os.path.relpath(path))}")
    print(f"Next: {shlex.join(['lightning', 'fit', *words])}", flush=True)


def _refuse_own(further: Sequence[str]) -> None:
    """Refuse options of ``fit`` that say here what is said otherwise, and what is no option."""
    for number, word in enumerate(further):
        option = word.partition("=")[0].removeprefix("--")
        if option == "data.source":
            raise InputError(f"{word}: the source is the first word; write lightning prepare SOURCE")
        if option in QUIET:
            raise InputError(f"{word}: one process prepares, which shows and sends nothing; give it to fit alone")
        if number == 0 and not word.startswith("-"):
            raise InputError(f"{word}: a second source; give one")


def _recognised(found: Fits, experiment: str) -> str:
    layout = found.layouts.get(experiment)
    read = f", read as {layout}" if layout else ""
    return f"{printable(str(found.folder))}: data for {experiment}{read}"
