"""Trainings that want the same thing at once: a run, a name, a cache; and one whose folder is taken away."""

import hashlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from datamodules import decode_cache
from fulgurite import runs
from tests.soak import broken_files
from tests.soak.good_files import good_file
from tests.soak.promise import Case, Promise
from tests.soak.small_training import start_small
from tests.soak.trainings import NETS, Setting, check_same, finish_within, run, said, start, undisturbed

LIMIT = 120.0  # seconds after which nothing runs any more
READERS: dict[str, Callable[[Path], list[object]]] = {
    "clips": broken_files.read_clip,
    "pairs": broken_files.read_pair,
    "pictures": broken_files.read_pictures,
}


def cases(seed: int) -> Iterator[Case]:
    """One of each kind, then the others."""
    chance = random.Random(seed)
    resumes = [
        Case(f"{net}: two resumes, {late:.1f} s apart", partial(_two_resumes, net, late))
        for net, late in zip(NETS, (0.0, 0.1, 0.5, 1.0, 2.0, 0.0), strict=True)
    ]
    caches = [Case(f"{kind}: three want a cache", partial(_one_builds, kind, False)) for kind in READERS]
    killed = [Case(f"{kind}: the builder is killed", partial(_one_builds, kind, True)) for kind in READERS]
    trainings = [Case(f"{net}: three trainings, one cache", partial(_three_decode, net)) for net in NETS[:5]]
    deleted = [
        Case(f"{NETS[n % len(NETS)]}: deleted {late:.2f} s later", partial(_deleted, NETS[n % len(NETS)], late))
        for n, late in enumerate(chance.uniform(0, 1.5) for _ in range(12))
    ]
    yield Case("three starts in a second", _three_starts)
    yield from (caches[0], killed[1], resumes[2])
    yield from (*resumes[:2], *resumes[3:], *caches[1:], killed[0], killed[2], *trainings, *deleted)


def _two_resumes(net: str, late: float, folder: Path) -> None:
    """Go on with a run twice: one of them does, and comes to what it would have come to alone."""
    setting, more = Setting(net), ("--ckpt_path", "last", "--trainer.max_epochs", "5")
    for place in (folder / "alone", folder):
        shutil.copytree(undisturbed(setting, folder.parent), setting.run(place))
    assert run(setting.words(folder / "alone", *more), folder / "log") == 0, said(folder / "log")
    started = [start(setting.words(folder, *more), folder / "log.0")]
    time.sleep(late)
    started.append(start(setting.words(folder, *more), folder / "log.1"))
    codes = [finish_within(process, LIMIT, folder / f"log.{number}") for number, process in enumerate(started)]
    assert sorted(codes) == [0, 2], said(folder / "log.0") + said(folder / "log.1")
    refused = " ".join(said(folder / f"log.{codes.index(2)}").split())
    assert f"is being trained by process {started[codes.index(0)]} on" in refused, refused
    assert "Traceback" not in refused
    check_same(setting.run(folder), setting.run(folder / "alone"))


def _three_starts(folder: Path) -> None:
    """Start three trainings in the same second."""

    def stop_the_clock() -> None:
        runs.timestamp = lambda: "2026-01-01_00-00-00"

    started = [
        start_small(folder, {"WANDB_MODE": "disabled"}, log=f"log.{number}", also=stop_the_clock) for number in range(3)
    ]
    codes = [finish_within(process, LIMIT, folder / f"log.{number}") for number, process in enumerate(started)]
    assert codes == [0, 0, 0], [said(folder / f"log.{number}") for number in range(3)]
    found = [path for path in (folder / "runs/tiny").iterdir() if not path.is_symlink()]
    assert {path.name for path in found} == {f"2026-01-01_00-00-00{tail}" for tail in ("", "-2", "-3")}
    assert all((path / "checkpoints/last.ckpt").is_file() for path in found)
    assert (folder / "runs/tiny/latest").resolve() in found


# --- a cache ----------------------------------------------------------------------------------------------------------


def _one_builds(kind: str, killed: bool, folder: Path) -> None:
    """Let three processes open what is in no cache yet; the one that decodes it may be killed."""
    for name in ("video.mp4", "sound.wav", "picture.png"):
        (folder / name).write_bytes(good_file(name))
    (folder / "builds").touch()
    started = [_reader(kind, folder, number) for number in range(3)]
    expected = [0, 0, 0]
    if killed:
        _wait_for(lambda: bool((folder / "builds").read_text()))
        builder = int((folder / "builds").read_text().split()[0])
        os.kill(builder, signal.SIGKILL)
        expected[started.index(builder)] = -signal.SIGKILL
    codes = [finish_within(process, LIMIT, folder / f"log.{number}") for number, process in enumerate(started)]
    assert codes == expected, [said(folder / f"log.{number}") for number in range(3)]
    assert len((folder / "builds").read_text().split()) == 1 + killed
    found = {(folder / f"found.{number}").read_text() for number, code in enumerate(codes) if code == 0}
    shutil.rmtree(folder / "cache")
    alone = _reader(kind, folder, 3)  # not in this process: threads of decoders do not survive the next fork
    assert finish_within(alone, LIMIT, folder / "log.3") == 0
    assert found == {(folder / "found.3").read_text()}


def _reader(kind: str, folder: Path, number: int) -> int:
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        log = os.open(folder / f"log.{number}", os.O_CREAT | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _count_builds(folder, seconds=0.5)
        (folder / f"found.{number}").write_text(_digest(READERS[kind](folder)))
        code = 0
    except BaseException as problem:  # the parent reads it
        os.write(2, repr(problem).encode())
    finally:
        os._exit(code)


def _count_builds(folder: Path, seconds: float) -> None:
    """Let this process leave a line in ``builds`` for everything that it begins to build, and take longer over it."""
    make = decode_cache._make

    def counted(place: Path, what: Callable[[Path], None]) -> None:
        def slowly(draft: Path) -> None:
            with (folder / "builds").open("a") as file:
                file.write(f"{os.getpid()}\n" if seconds else f"{place.name}\n")
            what(draft)
            time.sleep(seconds)

        make(place, slowly)

    decode_cache._make = counted


def _digest(arrays: list[object]) -> str:
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def _three_decode(net: str, folder: Path) -> None:
    """Start three trainings on data that none has decoded."""
    started = []
    for number in range(3):
        setting = Setting(net)
        words = setting.words(folder / str(number), "--data.cache_dir", str(folder / "cache"))
        words += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
        started.append(start(words, folder / f"log.{number}", partial(_count_builds, folder, 0.0)))
    codes = [finish_within(process, LIMIT, folder / f"log.{number}") for number, process in enumerate(started)]
    assert codes == [0, 0, 0], [said(folder / f"log.{number}") for number in range(3)]
    built = Counter((folder / "builds").read_text().split())
    assert built
    assert set(built.values()) == {1}, built


# --- a folder that is taken away --------------------------------------------------------------------------------------


DELETED = "was deleted while it was being trained. The training goes on"


def _deleted(net: str, late: float, folder: Path) -> None:
    """Delete the run folder while it trains."""
    setting = Setting(net)
    process = start(setting.words(folder, "--trainer.max_epochs", "8"), folder / "log")
    place = setting.run(folder)
    _wait_for(lambda: (place / "checkpoints/last.ckpt").exists())
    time.sleep(late)
    while place.exists() and DELETED not in " ".join(said(folder / "log").split()):
        with suppress(OSError):  # something has just been written into it, and the rest of it is still there
            shutil.rmtree(place)
    ended = "`Trainer.fit` stopped" in said(folder / "log")  # nothing is left to train: it may not notice any more
    code = finish_within(process, LIMIT, folder / "log")
    told = " ".join(said(folder / "log").split())
    assert code == 0, told
    assert "Traceback" not in told
    if not ended:
        assert DELETED in told, told
        assert (place / "checkpoints/last.ckpt").is_file()
        assert (place / "config.yaml").is_file()
        assert (place / "metrics.csv").is_file()


def _wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


TWO_AT_ONCE = Promise("two at once", cases, short=3)
