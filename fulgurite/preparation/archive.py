"""Archives are unpacked without trust in what is in them: into a folder of their own, or not at all.

Whatever is no plain file or folder is refused, and so is a name that leads out of the folder, and more than the bounds
below. Nothing is executable afterwards, and archives within an archive stay as they are.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from datamodules.atomic_file import readable_errors
from datamodules.errors import InputError
from datamodules.one_at_a_time import one_at_a_time
from fulgurite.preparation.entries import LEADS_OUT, Entry, is_archive, open_archive
from fulgurite.run_list.shown import size

MOST_BYTES = 500_000_000_000
MOST_FILES = 2_000_000
MOST_RATIO = 200
"""What an archive may become: bytes, files and folders, and how many times its own size."""
SMALL = 1_000_000_000
"""Bytes up to which the ratio does not matter: of masks that are nearly empty little is left when they are packed."""
RESERVE = 200_000_000
"""Bytes that stay free on the disk."""
ORIGIN = ".unpacked.json"
"""File in the folder that tells of which archive it is."""
_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")


def unpack(archive: Path, folder: Path | None = None) -> Path:
    """Unpack an archive, and return its folder; one that was unpacked from it before is taken as it is.

    Args:
        archive: The file: zip, or tar, as it is or packed by gzip, bzip2 or xz.
        folder: Where to; it must not exist, unless it is of this archive. None: ``data/<name of the archive>``.

    Raises:
        InputError: If it is damaged, holds anything but plain files and folders below its own, or too much; if the
            folder is there already or cannot be written.
    """
    if not is_archive(archive):
        raise InputError(f"{archive}: {_no_archive(archive)}")
    target = folder or Path("data") / name_of(archive)
    state = archive.stat()
    origin = {"archive": archive.name, "size": state.st_size, "mtime_ns": state.st_mtime_ns}
    with readable_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(target):
            if target.exists() or target.is_symlink():
                if _origin(target) == origin:
                    return target
                raise InputError(
                    f"{target} is there already, and not of {archive} as it is now: name it if it is what is meant "
                    f"(lightning prepare {target}), or give another folder by --to"
                )
            _unpack(archive, target, origin)
    return target


def name_of(archive: Path) -> str:
    """Return what the folder of an archive is called: its name without its ending."""
    endings = (ending for ending in sorted(_ENDINGS, key=len, reverse=True) if archive.name.lower().endswith(ending))
    return archive.name[: -len(next(endings, "")) or None] or "unpacked"


def _unpack(archive: Path, target: Path, origin: object) -> None:
    partial = target.with_name(f"{target.name}.partial")
    if partial.exists():
        if not (partial / ORIGIN).is_file():
            raise InputError(
                f"{partial} is in the way, and was not begun here: move it elsewhere, or give another --to"
            )
        shutil.rmtree(partial)  # of a process that was killed: no other is at it
    partial.mkdir()
    try:
        (partial / ORIGIN).write_text(json.dumps(origin), encoding="utf-8")
        with open_archive(archive) as entries:
            _write(archive, entries, partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(archive: Path, entries: Iterable[Entry], folder: Path) -> None:
    room = shutil.disk_usage(folder).free - RESERVE
    if isinstance(entries, list):  # of a zip all is known before
        _check_bounds(archive, sum(entry.size for entry in entries), len(entries), room)
    total = 0
    for count, entry in enumerate(entries, start=1):
        total += entry.size
        _check_bounds(archive, total, count, room)
        place = folder / _checked_name(archive, entry.name)
        try:
            if entry.is_folder:
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file, entry.open() as packed:
                shutil.copyfileobj(packed, file, 1 << 20)
                written = file.tell()
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"{archive}: holds {_shown(entry.name)} twice, or as a file and as a folder") from None
        if written != entry.size:
            raise InputError(f"{archive}: is damaged: {_shown(entry.name)} has {written} bytes, not {entry.size}")


def _check_bounds(archive: Path, total: int, count: int, room: int) -> None:
    """Refuse an archive as soon as it is known to be more than is allowed, or than there is room for."""
    own = archive.stat().st_size
    if count > MOST_FILES:
        raise InputError(f"{archive}: holds more than {MOST_FILES:,} files; unpack it yourself if you trust it")
    if total > MOST_BYTES or (total > SMALL and total > MOST_RATIO * own):
        raise InputError(
            f"{archive}: {size(own)} become {size(total)} or more, and at most {size(MOST_BYTES)} and {MOST_RATIO} "
            "times its size are unpacked; unpack it yourself if you trust it"
        )
    if total > room:
        raise InputError(
            f"{archive}: becomes {size(total)} or more, and there is room for {size(max(0, room))}: free some, or name "
            "a folder on another disk by --to"
        )


def _checked_name(archive: Path, name: str) -> PurePosixPath:
    """Return the path of an entry below its folder; refuse one that leads elsewhere, or might on some system."""
    path = PurePosixPath(name)
    odd = "\0" in name or "\\" in name or (len(name) > 1 and name[1] == ":" and name[0].isalpha())
    if path.is_absolute() or ".." in path.parts or odd or path.parts[:1] == (ORIGIN,):
        raise InputError(f"{archive}: holds {_shown(name)}, which is no name on every system, or {LEADS_OUT}")
    return path


def _origin(folder: Path) -> object:
    try:
        return json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _no_archive(path: Path) -> str:
    if path.suffix.lower() in (".7z", ".rar", ".zst"):
        return f"archives of this kind ({path.suffix}) are not read; unpack it, and name its folder"
    return "this is no zip or tar archive that can be read, and a training needs a folder; name one of these"


def _shown(name: str) -> str:
    return ascii(name[:200])
