"""What a user wrote as offline contacts no network; a server that fails in any way stops no training for long."""

import csv
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from callbacks.wandb_logger import BatchesLogger
from tests.soak.promise import Case, Promise
from tests.soak.small_training import start_small
from tests.soak.trainings import finish_within, said
from tests.soak.wandb_server import Answer, serve

LIMIT = 60.0  # seconds for a training of two, to which a server that fails may add twenty at its beginning
OWN = ("--trainer.logger.class_path", "WandbLogger")
SILENT = (*OWN, "--trainer.logger.init_args.offline", "true")
SETTINGS = "[default]\nmode = {}\n"

Variables = Mapping[str, str]
OFFLINE: dict[str, tuple[Variables, tuple[str, ...], str | None]] = {  # variables, words, what W&B's file says
    "WANDB_MODE dryrun": ({"WANDB_MODE": "dryrun"}, (), None),
    "own WandbLogger(offline=true)": ({}, SILENT, None),
    "wandb.mode offline": ({}, ("--wandb.mode", "offline"), None),
    "`wandb offline`": ({}, (), "offline"),
    "WANDB_MODE offline": ({"WANDB_MODE": "offline"}, (), None),
    "WANDB_MODE disabled": ({"WANDB_MODE": "disabled"}, (), None),
    "`wandb disabled`": ({}, (), "disabled"),
    "wandb.mode disabled": ({}, ("--wandb.mode", "disabled"), None),
    "WANDB_MODE run, wandb.mode offline": ({"WANDB_MODE": "run"}, ("--wandb.mode", "offline"), None),
    "no key": ({"WANDB_API_KEY": ""}, (), None),
    "own WandbLogger, wandb.mode offline": ({}, (*OWN, "--wandb.mode", "offline"), None),
    "own WandbLogger, wandb.mode disabled": ({}, (*OWN, "--wandb.mode", "disabled"), None),
    "own WandbLogger, WANDB_MODE dryrun": ({"WANDB_MODE": "dryrun"}, OWN, None),
    "own WandbLogger, `wandb offline`": ({}, OWN, "offline"),
}
REFUSED: dict[str, tuple[Variables, tuple[str, ...], str | None]] = {
    "WANDB_MODE OFFLINE": ({"WANDB_MODE": "OFFLINE"}, (), None),
    "WANDB_MODE offline, wandb.mode online": ({"WANDB_MODE": "offline"}, ("--wandb.mode", "online"), None),
    "`wandb offline`, wandb.mode online": ({}, ("--wandb.mode", "online"), "offline"),
}
FAILING: dict[str, tuple[Answer, Variables, tuple[str, ...]]] = {
    "403": ("403", {}, ()),
    "404": ("404", {}, ()),
    "garbage": ("garbage", {}, ()),
    "huge": ("huge", {}, ()),
    "redirect": ("redirect", {}, ()),
    "half an answer": ("half", {}, ()),
    "500": ("500", {"WANDB_INIT_TIMEOUT": "5"}, ()),
    "falls silent": ("falls silent", {"WANDB_FINISH_TIMEOUT": "5"}, ()),
    "own WandbLogger, 403": ("403", {}, OWN),
    "own WandbLogger, dead": ("dead", {"WANDB_INIT_TIMEOUT": "5"}, OWN),
    "dead": ("dead", {}, ()),
    "slow": ("slow", {}, ()),
}


def cases(seed: int) -> Iterator[Case]:
    """Most of those that take a second first."""
    quick = list(FAILING)[:2]
    for name in [*list(OFFLINE)[:4], *quick, *list(OFFLINE)[4:], *REFUSED, *list(FAILING)[2:]]:
        if name in FAILING:
            yield Case(f"server: {name}", partial(_server_fails, *FAILING[name]))
        else:
            code, settings = (2, REFUSED[name]) if name in REFUSED else (0, OFFLINE[name])
            yield Case(f"offline: {name}", partial(_offline, code, *settings))
    yield Case("online: requests are counted", _online)
    yield Case("W&B's own process is killed", _killed)


def _offline(code: int, variables: Variables, words: tuple[str, ...], written: str | None, folder: Path) -> None:
    if written:
        (folder / "settings").write_text(SETTINGS.format(written))
    with serve("good") as server:
        found = _train(folder, server.environment() | variables, words)
    assert (found, server.requests) == (code, []), said(folder / "log")
    assert "Traceback" not in said(folder / "log"), said(folder / "log")


def _server_fails(answer: Answer, variables: Variables, words: tuple[str, ...], folder: Path) -> None:
    with serve(answer) as server:
        code = _train(folder, server.environment() | variables, words)
    assert server.requests or answer == "dead"
    _check_done(code, folder, table=not words)
    told = "has not taken everything" if answer in ("half", "falls silent") else "The run goes on offline"
    assert told in " ".join(said(folder / "log").split()), said(folder / "log")


def _online(folder: Path) -> None:
    with serve("good") as server:
        code = _train(folder, server.environment(), ())
    _check_done(code, folder)
    assert server.requests
    assert "W&B" not in said(folder / "log"), said(folder / "log")


def _killed(folder: Path) -> None:
    with serve("good") as server:
        code = _train(folder, server.environment(), (), _kill_service_at_first_row)
    _check_done(code, folder)
    assert "W&B" in said(folder / "log"), said(folder / "log")


def _check_done(code: int, folder: Path, table: bool = True) -> None:
    """Whether a training has come to its end, with all that it leaves; a logger of one's own stands for the table."""
    told = said(folder / "log")
    assert code == 0, told
    assert "Traceback" not in told, told
    (run,) = (path for path in (folder / "runs/tiny").iterdir() if not path.is_symlink())
    assert (run / "checkpoints/last.ckpt").is_file()
    if table:
        with (run / "metrics.csv").open() as file:
            steps = {row["step"] for row in csv.DictReader(file)}
        assert {"1", "2", "3", "4"} <= steps, steps


def _train(folder: Path, variables: Variables, words: tuple[str, ...], also: Callable[[], None] = lambda: None) -> int:
    """Train in a folder and return the exit status; raise where it does not come to an end in time."""
    own = {"WANDB_CONFIG_DIR": str(folder), "NETRC": str(folder / "netrc")}

    def prepare() -> None:
        if "WANDB_MODE" not in variables:
            os.environ.pop("WANDB_MODE", None)
        also()

    process = start_small(folder, {**variables, **own}, *words, also=prepare)
    return finish_within(process, LIMIT, folder / "log")


def _kill_service_at_first_row() -> None:
    """Let a process kill W&B's own process beside it before it logs the first time."""
    original = BatchesLogger.log_metrics

    def log_metrics(self: BatchesLogger, metrics: Mapping[str, float], step: int | None = None) -> None:
        for status in Path("/proc").glob("[0-9]*/stat"):
            number, name, _, parent = status.read_text().split()[:4]
            if int(parent) == os.getpid() and name.startswith("(wandb"):
                os.kill(int(number), signal.SIGKILL)
                time.sleep(0.5)
        original(self, metrics, step)

    BatchesLogger.log_metrics = log_metrics  # type: ignore[method-assign]  # in this process alone


NETWORK = Promise("network", cases, short=2)
