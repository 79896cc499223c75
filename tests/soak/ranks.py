"""Several processes train and judge as one does, and end together."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import yaml
from lightning.fabric.utilities.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.distributions import lowrank_multivariate_normal, multivariate_normal, normal
from torch.multiprocessing import start_processes

from lightning_models.training import phases
from lightning_models.training.phases import PhasedModule
from lightning_models.vta_gan import module as vta_gan
from tests.callbacks.clips import test_metrics as of_clips
from tests.callbacks.clips.conftest import make_scores, make_windows
from tests.callbacks.parts import test_metrics as of_parts
from tests.soak.promise import Case, Promise
from tests.soak.trainings import DDP, LIMIT, NETS, as_process, finish_within, free_port, said, start

STEPS, BATCH = 20, 3
TOLERANCE = 1e-10


# --- one process with twice the batch ---------------------------------------------------------------------------------


def _equal(net: str, words: tuple[str, ...], folder: Path) -> None:
    """Train in float64 with two processes, and with one of twice the batch."""
    port = free_port()
    started = [
        start(_words(folder, net, "two", BATCH, *DDP, *words), folder / f"log.{rank}", _as_process(rank, port))
        for rank in (1, 0)
    ]
    codes = [finish_within(process, LIMIT, folder / "log.0") for process in started]
    assert codes == [0, 0], said(folder / "log.0") + said(folder / "log.1")
    one = start(_words(folder, net, "one", 2 * BATCH, *words), folder / "log", _precise(0, 1))
    assert finish_within(one, LIMIT, folder / "log") == 0, said(folder / "log")
    two, one_alone = (
        torch.load(folder / f"runs/{net}/{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("two", "one")
    )
    assert two.keys() == one_alone.keys()
    apart = {key: float(np.abs(np.nan_to_num(two[key].numpy() - one_alone[key].numpy())).max(initial=0)) for key in two}
    far = {key: distance for key, distance in apart.items() if not distance < TOLERANCE}
    assert not far, far
    assert sum(value.dtype == torch.float64 for value in two.values()) > len(two) / 2


def _words(folder: Path, net: str, name: str, batch: int, *more: str) -> list[str]:
    words = ["fit", "--config", net, "--config", f"{net.removesuffix('_legacy')}/smoke", "--run.root", f"{folder}/runs"]
    words += ["--run.name", name, "--data.batch_size", str(batch), "--trainer.max_epochs", "5", "--wandb.mode"]
    words += ["disabled", "--trainer.limit_val_batches", "0", "--trainer.limit_train_batches", str(STEPS // 5)]
    words += ["--trainer.devices", "2" if name == "two" else "1", "--trainer.accelerator", "cpu"]
    return [*words, "--checkpoints.monitor", "null", *more]


def _as_process(rank: int, port: int) -> Callable[[], None]:
    def prepare() -> None:
        as_process(rank, port)
        _precise(rank, 2)()

    return prepare


def _precise(rank: int, processes: int) -> Callable[[], None]:
    """Return what makes a training one in float64, of noise by sample, and of batch statistics over all processes."""

    def prepare() -> None:
        torch.set_default_dtype(torch.float64)
        torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
        vta_gan.from_pixels = lambda frames: frames.double() / 127.5 - 1  # type: ignore[attr-defined]
        _in_double(PhasedModule)
        _noise_by_sample(rank, processes)
        if processes > 1:
            nn.modules.batchnorm._BatchNorm.forward = _normalised_together  # type: ignore[method-assign]

    return prepare


def _in_double(base: type[PhasedModule]) -> None:
    """Give every system its batches in float64, and no dropout, whose masks know no sample."""
    step, make = base.training_step, base.configure_optimizers

    def training_step(self: PhasedModule, batch: Any, batch_idx: int) -> None:
        step(self, apply_to_collection(batch, Tensor, lambda x: x.double() if x.is_floating_point() else x), batch_idx)

    def configure_optimizers(self: PhasedModule) -> Any:
        for module in self.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = 0.0
            elif isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        made = make(self)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                # Adam makes steps of the rounding that is left where a gradient is zero, and a game makes more of it
                group["eps"], group["lr"] = 1e-2, group["lr"] / 10
        return made

    base.training_step, base.configure_optimizers = training_step, configure_optimizers  # type: ignore[method-assign]


def _noise_by_sample(rank: int, processes: int) -> None:
    """Draw the noise of the whole batch in every process, of which each takes that of its own samples."""
    derive = phases.derive_seed
    phases.derive_seed = lambda *purpose: derive(*purpose[:-1], 0)  # type: ignore[attr-defined]

    def by_sample(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def drawn(*size: Any, **options: Any) -> Tensor:
            shape = tuple(size[0]) if isinstance(size[0], tuple | list | torch.Size) else size
            if processes == 1 or shape[0] % BATCH:
                return draw(*shape, **options)
            whole = draw(processes * shape[0], *shape[1:], **options)
            return whole.unflatten(0, (processes * BATCH, -1))[rank::processes].flatten(0, 1)

        return drawn

    randn = torch.randn = by_sample(torch.randn)  # type: ignore[assignment]
    torch.rand = by_sample(torch.rand)  # type: ignore[assignment]
    torch.randn_like = lambda like: randn(*like.shape)  # type: ignore[assignment]
    for drawing in (normal, multivariate_normal, lowrank_multivariate_normal):
        drawing._standard_normal = lambda shape, dtype, device: randn(*shape)


def _normalised_together(self: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    """Batch norm over all processes, on a CPU, where torch has none."""
    dims = [0, *range(2, maps.dim())]
    shape = [1, -1] + [1] * (maps.dim() - 2)
    count = maps.numel() // maps.shape[1] * dist.get_world_size()
    mean = _Total.apply(maps.sum(dims)) / count
    centred = maps - mean.view(shape)
    variance = _Total.apply(centred.square().sum(dims)) / count
    assert self.running_mean is not None
    assert self.running_var is not None
    assert self.num_batches_tracked is not None
    with torch.no_grad():
        self.running_mean.lerp_(mean, self.momentum or 0.0)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum or 0.0)
        self.num_batches_tracked += 1
    scale = self.weight * (variance + self.eps).rsqrt()
    return centred * scale.view(shape) + self.bias.view(shape)


class _Total(torch.autograd.Function):
    """The sum over all processes, and of its gradients."""

    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        dist.all_reduce(total := own.clone())
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:  # type: ignore[override]
        return _Total.apply(gradients[0])  # type: ignore[no-any-return,no-untyped-call]


# --- figures of 1, 2 and 3 processes ----------------------------------------------------------------------------------


def _same_figures(run_rank: Callable[..., None], *data: Any, folder: Path) -> None:
    """Let 1, 2 and 3 processes judge the same recorded scores: not a bit of what they write may differ."""
    written = []
    for processes in (1, 2, 3):
        place = folder / str(processes)
        place.mkdir()
        started = start_processes(
            _into_log, (run_rank, processes, free_port(), place, *data), processes, join=False, start_method="fork"
        )
        assert started is not None
        deadline = time.monotonic() + LIMIT
        while not started.join(1.0):
            assert time.monotonic() < deadline, "the processes do not end"
        results = json.loads((place / "results/dataloader/results.json").read_text())
        logged = [(place / f"rank{rank}.json").read_text() for rank in range(processes)]
        assert len(set(logged)) == 1
        assert any("auroc" in name for name in results["metrics"])
        assert json.loads(logged[0])
        kept = {key: value for key, value in results.items() if key not in ("date", "test_seconds", "processes")}
        written.append((kept, logged[0], (place / "results/dataloader/scores.csv").read_text()))
    assert written[0] == written[1] == written[2]


def _into_log(rank: int, run_rank: Callable[..., None], processes: int, port: int, place: Path, *data: Any) -> None:
    log = os.open(place / f"log.{rank}", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    run_rank(rank, processes, port, place, *data)


# --- one that fails ends all ------------------------------------------------------------------------------------------

TOLD = {
    "raises": "process 1 has failed: RuntimeError: a defect of this process",
    "refuses": "process 1 has failed: clip7.mp4: this file is damaged; remove it",
    "dies": "process {} was ended by SIGKILL",
    "stops": "process {} was stopped, and not continued for 30 s",
    "sleeps": "process {} has done nothing for 30 s",
}
OF_THE_FIRST = {
    "raises": "[rank0]: RuntimeError: a defect of this process",
    "refuses": "error: clip7.mp4: this file is damaged; remove it",
    "dies": "process 0 has ended without a word",
}
FAILURES = (
    ("raises", 1, "batch", 1),
    ("dies", 1, "batch", 1),
    ("refuses", 1, "setup", 2),
    ("raises", 0, "validation", 1),
    ("refuses", 0, "batch", 2),
    ("dies", 0, "save", -signal.SIGKILL),
    ("sleeps", 1, "batch", 1),
    ("stops", 1, "validation", 1),
    ("sleeps", 0, "validation", 1),
    ("stops", 0, "batch", -signal.SIGKILL),
)
PACKAGES = Path(__file__).with_name("packages")
ENDED = 60.0  # seconds after which nothing may be left


def _fails(how: str, rank: int, at: str, status: int, folder: Path) -> None:
    """Break one process of a training by the real command."""
    callback = {"class_path": "Breaks", "init_args": {"how": how, "rank": rank, "at": at}}
    callbacks = [{"class_path": "ImageMetrics"}, callback]  # in the place of the experiment's, whose headline is kept
    (folder / "break.yaml").write_text(yaml.safe_dump({"trust": ["breaking"], "trainer": {"callbacks": callbacks}}))
    words = ["fit", "--config", "cnn_param_tanh", "--config", "cnn_param_tanh/smoke", "--config", "break.yaml", *DDP]
    words += ["--trainer.devices", "2", "--trainer.accelerator", "cpu", "--wandb.mode", "disabled", "--run.name", "a"]
    words += ["--trainer.num_sanity_val_steps", "0"]
    places = os.pathsep.join([str(Path.cwd()), str(PACKAGES)])
    environment = os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fulgurite", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(lambda: (folder / "broken").exists() or process.poll() is not None, LIMIT, folder)
        assert (folder / "broken").exists(), said(folder / "log")
        _wait(lambda: not _left(process.pid), ENDED, folder)
        assert process.wait() == status, said(folder / "log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    told = (OF_THE_FIRST.get(how) if rank == 0 else None) or TOLD[how].format(rank)
    assert told in " ".join(said(folder / "log").split()), said(folder / "log")
    if how != "raises":
        assert "Traceback" not in said(folder / "log"), said(folder / "log")


def _wait(done: Callable[[], bool], seconds: float, folder: Path) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not after {seconds:g} s: {said(folder / 'log')}"
        time.sleep(0.1)


def _left(group: int) -> list[str]:
    """Return the processes of a group that live still; those that only nobody has waited for do not."""
    left = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            state, _, of_group = file.read_text().rpartition(")")[2].split()[:3]
            left += [file.parent.name] if int(of_group) == group and state != "Z" else []
    return left


VARIANTS = (
    ("motor_vae_gan", "--model.free_bits", "0.5", "--model.weights.feature", "0.1", "--model.weights.r1", "0.1"),
    ("vta_gan", "--model.accumulate", "2", "--model.gradient_clip", "0.1", "--model.ema_decay", "0.9"),
    ("aitex_vae", "--model.posterior", "low_rank", "--model.accumulate", "3"),
    ("audio_to_video", "--model.weights.l2", "1.0", "--data.duration", "1.7"),
)


def cases(seed: int) -> Iterator[Case]:
    """One of each kind first, those that take longest last."""
    frames = np.random.default_rng(seed)
    judged = []
    for number in range(4):
        lengths = frames.integers(4, 12, size=2 + number)
        lengths[-1] += (lengths - 3).sum() % 2 == 0  # an odd number of windows
        windows = make_windows(tuple(map(int, lengths)), seed=number)
        check = partial(_same_figures, of_clips.run_rank, make_scores, windows)
        judged.append(Case(f"clips: {len(windows)} windows", lambda folder, check=check: check(folder=folder)))
    for size in (11, 9, 8):
        check = partial(_same_figures, of_parts.run_rank, of_parts.make_parts()[:size])
        judged.append(Case(f"parts: {size} pictures", lambda folder, check=check: check(folder=folder)))
    nets = [Case(f"{net}: two processes equal one", partial(_equal, net, ())) for net in reversed(NETS)]
    variants = [Case(f"{' '.join((net, *words))}: equal", partial(_equal, net, words)) for net, *words in VARIANTS]
    failures = [Case("process {1} {0} at {2}".format(*one), partial(_fails, *one)) for one in FAILURES]
    yield from (judged[0], judged[4], nets[0], failures[0])
    yield from (*judged[1:4], *judged[5:], *nets[1:], *variants, *failures[1:])


RANKS = Promise("ranks", cases, short=3)
