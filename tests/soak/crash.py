"""A training that is killed at any moment loses a batch at most, and goes on to what it would have come to."""

import csv
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from datamodules import atomic_file
from tests.soak.promise import Case, Promise
from tests.soak.trainings import NETS, Setting, check_same, finish, run, said, start, undisturbed

INSTANTS, WRITES = 200, 60
LONGEST = 6.0  # seconds after which a killed training is killed at the latest; most take about four


def cases(seed: int) -> Iterator[Case]:
    """Three instants, then a write, and so on, over all nets in turn."""
    for number in range(INSTANTS + WRITES):
        chance = random.Random(f"{seed} {number}")
        setting = Setting(NETS[number % len(NETS)], chance.choice((0, 2)), chance.choice((1, 2)))
        if number % 13 in (3, 7, 11):
            write, after = chance.randrange(1, 30), chance.random() < 0.5
            place = f"{'after' if after else 'before'} the renaming of write {write}"
            yield Case(f"{_named(setting)}, {place}", partial(_killed_in_write, setting, write, after))
        else:
            seconds = chance.uniform(0.0, LONGEST)
            yield Case(f"{_named(setting)}, after {seconds:.2f} s", partial(_killed_at, setting, seconds))


def _named(setting: Setting) -> str:
    return f"{setting.net}, {setting.workers} workers, windows of {setting.accumulate}"


def _killed_at(setting: Setting, seconds: float, folder: Path) -> None:
    expected = undisturbed(setting, folder.parent)
    process = start(setting.words(folder), folder / "log")
    time.sleep(seconds)
    os.killpg(process, signal.SIGKILL) if _leads(process) else os.kill(process, signal.SIGKILL)
    _check_goes_on(setting, folder, expected, finish(process))


def _killed_in_write(setting: Setting, write: int, after: bool, folder: Path) -> None:
    expected = undisturbed(setting, folder.parent)
    (folder / "tmp").mkdir()
    code = run(setting.words(folder), folder / "log", _dies_in_write(write, after, folder / "tmp"))
    _check_goes_on(setting, folder, expected, code)


def _dies_in_write(write: int, after: bool, temporary: Path) -> Callable[[], None]:
    """Return what lets a process die at its n-th renaming of a finished file, its TMPDIR elsewhere."""

    def prepare() -> None:
        os.environ["TMPDIR"] = str(temporary)
        left, rename = write, os.replace

        def replace(old: Path, new: Path) -> None:
            nonlocal left
            left -= 1
            if not left and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(old, new)
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        atomic_file.os.replace = replace  # type: ignore[assignment]  # in this process alone

    return prepare


def _leads(process: int) -> bool:
    """Whether a process has become the leader of its group: just begun, it has not."""
    return os.getpgid(process) == process


def _check_goes_on(setting: Setting, folder: Path, expected: Path, code: int) -> None:
    """Go on with a killed training, by the command that the user would give.

    Raises:
        AssertionError: If more than a batch is lost, or it comes to something else.
    """
    assert code in (-signal.SIGKILL, 0), said(folder / "log")  # 0: it was faster
    kept = setting.run(folder) / "checkpoints/last.ckpt"
    if kept.exists():
        whole = torch.load(kept, weights_only=True)["phased_training"]["batches_seen"]
        with (setting.run(folder) / "metrics.csv").open() as file:
            begun = max((int(row["step"]) for row in csv.DictReader(file) if (row["step"] or "").isdigit()), default=0)
        assert begun - whole <= setting.accumulate, f"{begun} batches are logged, the checkpoint has {whole}"
    more = ["--ckpt_path", "last"] if kept.exists() else []
    code = run(setting.words(folder, *more), folder / "log")
    assert code == 0, said(folder / "log")
    check_same(setting.run(folder), expected)
    left = [*setting.run(folder).rglob(".tmp-*")]
    assert not left, f"drafts are left: {left}"


CRASH = Promise("crash", cases, short=1)
