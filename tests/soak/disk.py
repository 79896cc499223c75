"""A disk that fails in the midst of writing is told in a sentence and costs nothing that was there; then it goes on."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import yaml
from numpy.random import Generator

from callbacks.checkpoint_io import read_checkpoint
from datamodules.atomic_file import DRAFT
from datamodules.errors import InputError
from tests.soak.broken_files import Found, assert_same, read_clip, read_pair, read_pictures
from tests.soak.full_disk import Fault, break_at, run_on
from tests.soak.good_files import good_file
from tests.soak.promise import Case, Promise
from tests.soak.trainings import NETS, Setting, check_same, finish, fork, made_once, run, said, undisturbed

FITS, VERBS, CACHES, RUNS_ON_WANDB = 24, 30, 30, 6
STALE = f"{DRAFT}4194305-0123"  # of a process that there cannot be
STEPS = {
    "fit": 60,
    "validate": 8,
    "test": 16,
    "predict": 30,
    "sample": 14,
    "offline": 40,
}  # at most; some runs have fewer
SECONDS = 60
ORDER = sorted(NETS, key="cnn_param_tanh".__ne__)  # the cheapest first: ``make test`` tries no other
DRAWS = ("motor_vae_gan", "cnn_param_tanh")


def cases(seed: int) -> Iterator[Case]:
    """Trainings, other verbs, caches and runs on Weights & Biases in turn; each draws its fault and its step."""
    for found in chain.from_iterable(zip_longest(_fits(seed), _verbs(seed), _caches(seed), _wandb(seed))):
        if found:
            yield found


def _fits(seed: int) -> Iterator[Case]:
    for number in range(FITS):
        net = ORDER[number % len(ORDER)]
        fault, step = _drawn(np.random.default_rng((seed, 0, number)), STEPS["fit"])
        yield Case(f"fit {net}, {fault.value} at {step}", partial(_fit, net, fault, step))


def _verbs(seed: int) -> Iterator[Case]:
    for number in range(VERBS):
        net = ORDER[number % len(ORDER)]
        verbs = ("validate", "test", "predict", *(("sample",) if net in DRAWS else ()))
        verb = verbs[number // len(ORDER) % len(verbs)]
        fault, step = _drawn(np.random.default_rng((seed, 1, number)), STEPS[verb])
        yield Case(f"{verb} {net}, {fault.value} at {step}", partial(_verb, verb, net, fault, step))


def _caches(seed: int) -> Iterator[Case]:
    for number in range(CACHES):
        read = (read_clip, read_pair, read_pictures)[number % 3]
        fault, step = _drawn(np.random.default_rng((seed, 2, number)), 8)
        yield Case(f"cache of {read.__name__}, {fault.value} at {step}", partial(_cache, read, fault, step))


def _wandb(seed: int) -> Iterator[Case]:
    for number in range(RUNS_ON_WANDB):
        fault, step = _drawn(np.random.default_rng((seed, 3, number)), STEPS["offline"])
        yield Case(f"offline run, {fault.value} at {step}", partial(_offline, fault, step))


def _drawn(random: Generator, steps: int) -> tuple[Fault, int]:
    return list(Fault)[int(random.integers(len(Fault)))], int(random.integers(1, steps + 1))


def _fit(net: str, fault: Fault, step: int, folder: Path) -> None:
    setting = Setting(net)
    expected, log = undisturbed(setting, folder.parent), folder / "log"
    code = run_on(fault, step, [folder / "runs"], setting.words(folder), folder / "failed", SECONDS)
    if code == 0:  # it has fewer steps, or the last ones are for nothing that was asked for
        check_same(setting.run(folder), expected)
        return
    _check_told(code, fault, folder / "failed")
    _check_whole(setting.run(folder))
    for place in (setting.run(folder), setting.run(folder) / "checkpoints"):
        if place.exists():
            (place / STALE).touch()
    assert run(_going_on(setting, folder), log) == 0, said(log)
    check_same(setting.run(folder), expected)
    _check_no_drafts(setting.run(folder))


def _verb(verb: str, net: str, fault: Fault, step: int, folder: Path) -> None:
    """Run a verb that has been run before, and once more when the disk is well again."""
    setting, log = Setting(net), folder / "log"
    before = _with_results(verb, setting, folder.parent)
    shutil.copytree(before, setting.run(folder), symlinks=True)
    words = _words(verb, setting, folder)
    code = run_on(fault, step, [folder / "runs"], words, folder / "failed", SECONDS)
    if code != 0:
        _check_told(code, fault, folder / "failed")
        for path in _files(before):  # of which a validation's are new ones
            assert (setting.run(folder) / path).read_bytes() == (before / path).read_bytes(), path
        assert run(words, log) == 0, said(log)
    _check_no_drafts(setting.run(folder))
    assert _files(before) <= _files(setting.run(folder))
    _check_whole(setting.run(folder))


def _with_results(verb: str, setting: Setting, folder: Path) -> Path:
    """Return a run folder in which a verb has been run."""

    def make(place: Path) -> None:
        shutil.copytree(undisturbed(setting, folder), setting.run(place), symlinks=True)
        assert run(_words(verb, setting, place), place / "log") == 0, said(place / "log")

    return setting.run(made_once(folder / "with results" / f"{verb} {setting.net}", make))


def _words(verb: str, setting: Setting, folder: Path) -> list[str]:
    words = setting.words(folder, "--ckpt_path", "last")[1:]
    if verb == "sample":
        wanted = ("--config", "--run.root", "--run.name", "--ckpt_path")
        words = [word for place, word in enumerate(words) if word in wanted or words[place - 1] in wanted]
        words += ["--count", "4"]
    return [verb, *words, *(["--trainer.limit_predict_batches", "2"] if verb == "predict" else [])]


def _cache(read: Callable[[Path], Found], fault: Fault, step: int, folder: Path) -> None:
    """Decode into a cache on a failing disk, then on a good one, and into one that nothing has happened to."""
    for place in ("tried", "good"):
        (folder / place).mkdir()
        for name in ("video.mp4", "sound.wav", "picture.png"):
            (folder / place / name).write_bytes(good_file(name))
    code = finish(fork(partial(_decode, read, fault, step, folder), folder / "log"), SECONDS)
    assert code in (0, 2), said(folder / "log")
    if code:
        for place in (folder / "tried/cache").glob("*/"):
            (place / STALE).mkdir()
    again = fork(lambda: assert_same(read(folder / "tried"), read(folder / "good")), folder / "log")
    assert finish(again, SECONDS) == 0, said(folder / "log")  # a process with threads, as reading has, forks badly
    _check_no_drafts(folder)


def _decode(read: Callable[[Path], Found], fault: Fault, step: int, folder: Path) -> None:
    """Exit with 2 where the disk is told to have failed."""
    break_at(fault, step, [folder / "tried"])
    try:
        read(folder / "tried")
    except InputError as error:
        if fault.reason in str(error) and "cache_dir" in str(error):
            raise SystemExit(2) from None
        raise


def _offline(fault: Fault, step: int, folder: Path) -> None:
    """Keep a run for Weights & Biases on a failing disk: nothing is kept elsewhere in silence."""
    setting, log = Setting("cnn_param_tanh"), folder / "log"
    more = ["--wandb.mode", "offline", "--trainer.max_epochs", "1"]
    code = run_on(fault, step, [folder / "runs"], setting.words(folder, *more), folder / "failed", SECONDS)
    if code != 0:
        _check_told(code, fault, folder / "failed")
        assert run(_going_on(setting, folder, *more), log) == 0, said(log)
    assert [*setting.run(folder).glob("wandb/offline-run-*/run-*.wandb")]


def _going_on(setting: Setting, folder: Path, *more: str) -> list[str]:
    """Return the command that the user would give after a training that has failed."""
    kept = (setting.run(folder) / "checkpoints/last.ckpt").exists()
    return setting.words(folder, *more, *(["--ckpt_path", "last"] if kept else []))


def _check_told(code: int, fault: Fault, log: Path) -> None:
    told = said(log)
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert code == 2, f"status {code}: {told[-3000:]}"
    assert len(errors) == 1, told[-3000:]
    assert fault.reason in errors[0], errors
    assert "Traceback" not in told, told[-3000:]


def _check_whole(run: Path) -> None:
    """Read every file that a run holds outside of what is said to be unfinished."""
    for path in map(run.joinpath, _files(run)):
        if path.suffix == ".ckpt":
            read_checkpoint(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".yaml":
            yaml.safe_load(path.read_text())
        elif path.suffix == ".csv" and path.name != "metrics.csv":  # whose last row may be cut
            with path.open(newline="") as file:
                header, *rows = csv.reader(file)
            assert {len(row) for row in rows} <= {len(header)}, path
        elif path.suffix in (".png", ".mp4", ".npy", ".gif"):
            assert path.stat().st_size > 100, path


def _files(run: Path) -> set[str]:
    found = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return {str(path) for path in found if not any(DRAFT in part or ".unfinished" in part for part in path.parts)}


def _check_no_drafts(folder: Path) -> None:
    left = [*folder.rglob(f"{DRAFT}*")]
    assert not left, f"drafts are left: {left}"


DISK = Promise("disk", cases, short=2)
