"""Trainings by the real command, in processes of their own that can be hit at any moment, and what they come to.

The processes are forked from this one, in which everything is imported already: a training of a dozen batches then
takes about three seconds instead of ten.
"""

import fcntl
import gc
import os
import re
import resource
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, Trainer

from fulgurite.cli import main
from fulgurite.train import CommandLine

NETS = ("vta_gan", "motor_vae_gan", "cnn_param_tanh", "aitex_vae", "audio_to_video", "audio_to_video_legacy")
EPOCHS, BATCHES = 3, 4
DDP = ("--trainer.strategy", "ddp_find_unused_parameters_true")
LIMIT = 240.0  # seconds of a training in two processes
KEPT = (
    "state_dict",
    "optimizer_states",
    "lr_schedulers",
    "weight_average",
    "epoch",
    "global_step",
    "callbacks",
    "loops",
)
"""Of a checkpoint: what a run that was interrupted must come to as well as one that was not."""


class Setting(NamedTuple):
    """What is trained, and how."""

    net: str
    workers: int = 0
    accumulate: int = 1

    def words(self, folder: Path, *more: str) -> list[str]:
        """Return the command ``fit`` of a run ``folder / runs / net / a``, in which every batch is saved."""
        smoke = self.net.removesuffix("_legacy")
        words = ["fit", "--config", self.net, "--config", f"{smoke}/smoke", "--run.root", f"{folder}/runs"]
        words += [
            "--run.name",
            "a",
            "--data.num_workers",
            str(self.workers),
            "--model.accumulate",
            str(self.accumulate),
        ]
        words += ["--trainer.max_epochs", str(EPOCHS), "--trainer.limit_val_batches", "2", "--wandb.mode", "disabled"]
        words += ["--trainer.num_sanity_val_steps", "0", "--checkpoints.every_n_batches", "1"]
        words += [] if self.net == "aitex_vae" else ["--data.eval_batch_size", "4"]
        return [*words, *more]

    def run(self, folder: Path) -> Path:
        """Return the run folder of :meth:`words`."""
        return folder / "runs" / self.net / "a"


class Hit(Callback):
    """Send the process a signal.

    Args:
        hook: Where, as Lightning calls it.
        count: At which call of it, from 1.
        number: The signal.
    """

    def __init__(self, hook: str, count: int, number: int) -> None:
        self._left, self._number = count, number
        setattr(self, hook, self._called)

    def _called(self, trainer: Trainer, *_: Any) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), self._number)


def start(words: Sequence[str], log: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Begin a command in a process of its own and return its number.

    Args:
        words: The command without ``lightning``.
        log: File for all that it says.
        prepare: Called in the process before the command.
    """

    def job() -> None:
        prepare()
        main(list(words))

    return fork(job, log)


def fork(job: Callable[[], None], log: Path) -> int:
    """Begin a job in a process of its own and return its number; see :func:`start`."""
    gc.freeze()  # or the first collection in the process copies all that the two share
    process = os.fork()
    if process:
        gc.unfreeze()
        return process
    code = 70
    try:
        file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        # pytest has put others there; errors are as in a process of Python's own
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
        warnings.showwarning = _print_warning
        os.setsid()
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        job()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _print_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    """Print a warning as Python does; pytest keeps it in a list."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def finish(process: int, seconds: float | None = None) -> int:
    """Wait for a process and return its status, negative after a signal.

    Args:
        process: Its number.
        seconds: Time after which it is killed, with the processes that it has begun; None waits for ever.
    """
    ended = os.pidfd_open(process)
    try:
        if not select.select([ended], [], [], seconds)[0]:
            os.killpg(process, signal.SIGKILL)
    finally:
        os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def finish_within(process: int, seconds: float, log: Path) -> int:
    """Wait for a process and return its status; kill its group and raise where that takes longer."""
    deadline = time.monotonic() + seconds
    while not os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() > deadline:
            os.killpg(process, signal.SIGKILL)
            finish(process)
            raise AssertionError(f"not done after {seconds:g} seconds: {said(log)}")
        time.sleep(0.05)
    return finish(process)


def run(words: Sequence[str], log: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Run a command to its end; see :func:`start`."""
    return finish(start(words, log, prepare))


def free_port() -> int:
    """Return the number of a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def as_process(rank: int, port: int) -> None:
    """Make this process one of two that train together; see :func:`run_together`."""
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))


def run_together(words: Sequence[str], folder: Path, prepare: Callable[[], None] = lambda: None) -> list[int]:
    """Run a command in two processes that train together, and return their statuses.

    Args:
        words: The command without ``lightning``.
        folder: For ``log.0`` and ``log.1``.
        prepare: Called in both processes before the command.
    """
    port, words = free_port(), [*words, *DDP, "--trainer.devices", "2", "--trainer.accelerator", "cpu"]

    def begin(rank: int) -> None:
        as_process(rank, port)
        prepare()

    started = [start(words, folder / f"log.{rank}", partial(begin, rank)) for rank in (1, 0)]
    return [finish_within(process, LIMIT, folder / "log.0") for process in started]


def hit(hook: str, count: int, number: int) -> Callable[[], None]:
    """Return what lets the training of a process hit itself; see :class:`Hit`."""
    return added(Hit(hook, count, number))


def added(callback: Callback) -> Callable[[], None]:
    """Return what gives the trainer of a process one more callback, before all others."""

    def prepare() -> None:
        original = CommandLine.instantiate_trainer

        def instantiate(self: CommandLine, **kwargs: Any) -> Trainer:
            trainer = original(self, **kwargs)
            trainer.callbacks.insert(0, callback)  # type: ignore[attr-defined]  # set without a type
            return trainer

        CommandLine.instantiate_trainer = instantiate  # type: ignore[method-assign]  # in this process alone

    return prepare


def undisturbed(setting: Setting, folder: Path) -> Path:
    """Return the run folder of a training that nothing happened to; made on the first call."""

    def train(place: Path) -> None:
        code = run(setting.words(place), place / "log")
        assert code == 0, (place / "log").read_text()

    return setting.run(made_once(folder / "undisturbed" / "-".join(map(str, setting)), train))


def made_once(place: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder that is made on the first call, also where several processes need it."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "whole").open("a+") as whole:
        fcntl.flock(whole, fcntl.LOCK_EX)
        whole.seek(0)
        if not whole.read():
            make(place)
            whole.write("yes")
    return place


def check_same(found: Path, expected: Path) -> None:
    """Compare what two runs have come to.

    Raises:
        AssertionError: If weights, optimizers, schedules, averages, positions, or a row of ``metrics.csv`` differ.
    """
    for name in ("last", "best"):
        one, other = (
            torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True, map_location="cpu")
            for run in (found, expected)
        )
        for key in KEPT:
            _check_equal(one.get(key), other.get(key), f"{name}.{key}")
    assert _rows(found) == _rows(expected), f"metrics.csv of {found} and {expected} differ"


def _rows(run: Path) -> list[str]:
    return (run / "metrics.csv").read_text().splitlines()


def _check_equal(one: Any, other: Any, place: str) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one.nan_to_num(nan=1e30), other.nan_to_num(nan=1e30)), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), (place, one.keys() ^ other.keys())
        for key in one:
            _check_equal(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            _check_equal(mine, theirs, f"{place}.{number}")
    else:
        assert one == other or (one != one and other != other), (place, one, other)


def said(log: Path) -> str:
    """Return what a command said, without the codes of a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", log.read_text(errors="replace"))
