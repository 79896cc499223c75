"""A training that is interrupted and continued comes to what it would have come to, bit for bit."""

import signal
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from tests.soak.promise import Case, Promise
from tests.soak.trainings import BATCHES, NETS, Setting, check_same, hit, run, said, undisturbed

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


EXACT_RESUME = Promise("exact resume", cases, short=2)
