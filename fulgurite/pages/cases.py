"""The worst and the best of a test, as ``cases.json`` beside its ``results.json`` names them."""

from pathlib import Path

from callbacks.cases import CASES
from datamodules.errors import InputError
from fulgurite.pages.checked import Checked, read_object
from fulgurite.pages.media import Medium, check_within, medium

ENDINGS = (".png", ".mp4")


def read_cases(run: Path, folder: Path, notes: list[str]) -> dict[str, list[Medium]]:
    """Return the cases of a test that can be shown, by their kind, ``worst`` and ``best``, each in its order.

    Args:
        run: the run folder.
        folder: of the test.
        notes: gets a sentence for each case that cannot be shown, or one for the whole file.
    """
    path = folder / CASES
    if not path.is_file():
        return {}
    found: dict[str, list[Medium]] = {}
    try:
        entries = Checked(read_object(path), str(path)).objects("cases")
    except InputError as problem:
        notes.append(str(problem))
        return {}
    for entry in entries:
        try:
            kind, case = _case(run, folder, entry)
            found.setdefault(kind, []).append(case)
        except InputError as problem:
            notes.append(str(problem))
    return found


def _case(run: Path, folder: Path, entry: Checked) -> tuple[str, Medium]:
    kind, file = entry.text("kind"), entry.text("file")
    if kind not in ("worst", "best"):
        raise InputError(f"{entry.place}: kind is {kind}, expected worst or best")
    if not file or "\0" in file or not file.endswith(ENDINGS):
        raise InputError(f"{entry.place}: file is {file!r}, expected a name that ends in .png or .mp4")
    path = folder / file
    try:
        check_within(path, folder)
    except InputError as problem:
        raise InputError(f"{entry.place}: {problem}") from None
    shown = medium(run, path, entry.text("name") or "", entry.text("says") or "")
    shown.figures.update(entry.within("figures").all_numbers())
    return kind, shown
