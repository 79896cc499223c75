"""A training that is interrupted and continued comes to what it would have come to, bit for bit."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import torch

from tests.soak.promise import Case, Promise
from tests.soak.trainings import BATCHES, NETS, Setting, check_same, hit, run, run_together, said, undisturbed

PLACES = {  # in the second of three epochs, of four batches each: hook, which call of it, batches of a window
    "mid-epoch": ("on_train_batch_end", BATCHES + 2, 1),
    "epoch end": ("on_train_epoch_start", 2, 1),
    "mid-window": ("on_train_batch_end", BATCHES + 3, 2),
    "validation": ("on_validation_batch_end", 3, 1),
}
SIGNALS = {"KILL": -9, "TERM": 143, "INT": 130}


def cases(seed: int) -> Iterator[Case]:
    """Every place, signal, number of workers and net; the nets change fastest, so that the first few show several."""
    for place, name, workers, net in product(PLACES, SIGNALS, (2, 0), reversed(NETS)):
        yield Case(f"{net}, {workers} workers, {name} at {place}", partial(_interrupt, net, workers, name, place))
    for net in NETS:
        yield Case(f"{net}, moved", partial(_moved, net))
        yield Case(f"{net}, requeued by SLURM", partial(_requeued, net))
        yield Case(f"{net}, with another learning rate", partial(_another_rate, net))
        yield Case(f"{net}, two processes", partial(_two_processes, net))


def _interrupt(net: str, workers: int, name: str, place: str, folder: Path) -> None:
    hook, count, accumulate = PLACES[place]
    setting = Setting(net, workers, accumulate)
    expected = undisturbed(setting, folder.parent)
    code = run(setting.words(folder), folder / "log", hit(hook, count, signal.Signals[f"SIG{name}"]))
    assert code == SIGNALS[name], said(folder / "log")
    code = run(setting.words(folder, "--ckpt_path", "last"), folder / "log")
    assert code == 0, said(folder / "log")
    check_same(setting.run(folder), expected)


def _moved(net: str, folder: Path) -> None:
    setting = Setting(net)
    expected = undisturbed(setting, folder.parent)
    hook, count, _ = PLACES["mid-epoch"]
    assert run(setting.words(folder), folder / "log", hit(hook, count, signal.SIGKILL)) == -9, said(folder / "log")
    (folder / "elsewhere").mkdir()
    moved = setting.run(folder).rename(folder / "elsewhere" / "b")
    code = run(["fit", "--config", f"{moved}/config.yaml", "--ckpt_path", "last"], folder / "log")
    assert code == 0, said(folder / "log")
    check_same(moved, expected)


def _requeued(net: str, folder: Path) -> None:
    """The same command again, as SLURM starts it after the job has been put back into the queue."""
    setting = Setting(net, workers=2)
    expected = undisturbed(setting, folder.parent)
    (folder / "scontrol").write_text(f"#!/bin/sh\necho $@ > {folder}/told\n")
    (folder / "scontrol").chmod(0o755)
    hook, count, _ = PLACES["mid-epoch"]
    strike = hit(hook, count, signal.SIGUSR1)

    def begin(restarts: int) -> None:
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        os.environ |= {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}
        os.environ |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_RESTART_COUNT": str(restarts)}
        if not restarts:
            strike()

    assert run(setting.words(folder), folder / "log", partial(begin, 0)) == 128 + signal.SIGUSR1, said(folder / "log")
    assert (folder / "told").read_text() == "requeue 7\n"
    assert run(setting.words(folder), folder / "log", partial(begin, 1)) == 0, said(folder / "log")
    check_same(setting.run(folder), expected)


def _two_processes(net: str, folder: Path) -> None:
    """Two processes that are asked to end within an epoch, and go on."""
    setting = Setting(net, workers=2)
    whole, cut = folder / "whole", folder / "cut"
    whole.mkdir()
    cut.mkdir()
    assert run_together(setting.words(whole), whole) == [0, 0], said(whole / "log.0") + said(whole / "log.1")
    hook, count, _ = PLACES["mid-epoch"]
    codes = run_together(setting.words(cut), cut, hit(hook, count, signal.SIGTERM))
    assert codes == [143, 143], said(cut / "log.0") + said(cut / "log.1")
    assert run_together(setting.words(cut, "--ckpt_path", "last"), cut) == [0, 0], said(cut / "log.0")
    check_same(setting.run(cut), setting.run(whole))


def _another_rate(net: str, folder: Path) -> None:
    """What is written when a run goes on counts, and is said."""
    setting = Setting(net)
    hook, count, _ = PLACES["mid-epoch"]
    assert run(setting.words(folder), folder / "log", hit(hook, count, signal.SIGKILL)) == -9, said(folder / "log")
    optimizer = "generator_optimizer" if "gan" in net or net.startswith("cnn") else "optimizer"
    more = [f"--model.{optimizer}.lr", "0.000123", "--ckpt_path", "last"]
    assert run(setting.words(folder, *more), folder / "log") == 0, said(folder / "log")
    assert f"model.{optimizer}: lr is 0.000123 as written, not" in said(folder / "log")
    last = torch.load(setting.run(folder) / "checkpoints/last.ckpt", weights_only=True)
    (group,) = last["optimizer_states"][-1]["param_groups"]
    assert group.get("initial_lr", group["lr"]) == 0.000123


EXACT_RESUME = Promise("exact resume", cases, short=1)
