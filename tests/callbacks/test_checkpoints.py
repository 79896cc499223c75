import json
import math
import os
import random
import shutil
import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import AtomicCheckpointIO, Checkpoints, resolve_checkpoint
from callbacks.clips.metrics import ClipMetrics
from datamodules import ImageFolderDataModule
from datamodules.errors import InputError
from datamodules.png_file import write_png


class Scripted(LightningModule):
    """Logs a given value per validation; a weight counts the batches."""

    def __init__(self, values, ties=None):
        super().__init__()
        self.values, self.ties = values, ties
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("validations", torch.zeros((), dtype=torch.long))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_epoch_end(self):
        if self.trainer.sanity_checking:
            return
        step = int(self.validations)
        self.validations += 1
        if self.values[step] is not None:
            self.log("val/score", self.values[step])
        if self.ties:
            self.log("val/loss", self.ties[step])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def trainer(folder, *callbacks, **kwargs):
    kwargs = {"max_epochs": 3, "limit_train_batches": 2} | kwargs
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **kwargs,
    )


def loader():
    return DataLoader(torch.zeros(4, 1), batch_size=1)


def fit(folder, values, ties=None, callback=None, ckpt_path=None, **kwargs):
    callback = callback or Checkpoints("val/score", tie_breaker="val/loss" if ties else None)
    run = trainer(folder, callback, **({"max_epochs": len(values)} | kwargs))
    run.fit(Scripted(values, ties), loader(), loader(), ckpt_path=ckpt_path)
    return callback


def weight(path):
    return -float(AtomicCheckpointIO().load_checkpoint(path)["state_dict"]["weight"])


def index(folder):
    return json.loads((folder / "checkpoints/index.json").read_text())


def oracle(values, ties, mode):
    """The earliest epoch that is best by (value, lower tie-breaker), NaN out of the race."""
    sign = 1 if mode == "max" else -1
    ranks = [(sign * v, -t, -i) for i, (v, t) in enumerate(zip(values, ties, strict=True)) if not math.isnan(v)]
    return -max(ranks)[2] if ranks else None


def test_best_is_the_argmax_on_random_sequences_with_ties_and_nan(tmp_path):
    """The rule itself, many times; the next tests drive the trainer."""
    rng = random.Random(0)
    for _ in range(1000):
        mode = rng.choice(["max", "min"])
        epochs = rng.randint(1, 8)
        values = [rng.choice([math.nan, 0.0, 0.25, 0.5, 1.0, -1.0]) for _ in range(epochs)]
        ties = [float(rng.randint(0, 2)) for _ in range(epochs)]
        callback, chosen = Checkpoints("m", mode, "t"), None
        for epoch, (value, tie) in enumerate(zip(values, ties, strict=True)):
            if not math.isnan(value) and callback.is_better(value, tie):
                callback.best, chosen = type(callback.best)("m", value, tie, epoch, epoch), epoch
            if rng.random() < 0.3:  # a resume in between changes nothing
                state, callback = callback.state_dict(), Checkpoints("m", mode, "t")
                callback.load_state_dict(json.loads(json.dumps(state)))
        assert chosen == oracle(values, ties, mode)


@pytest.mark.parametrize("seed", range(6))
def test_trained_best_is_the_argmax(tmp_path, seed):
    rng = random.Random(seed)
    mode = ["max", "min"][seed % 2]
    values = [rng.choice([math.nan, 0.0, 0.5, 1.0]) for _ in range(6)]
    ties = [float(rng.randint(0, 1)) for _ in range(6)]
    callback = Checkpoints("val/score", mode, "val/loss")
    fit(tmp_path, values, ties, callback)
    best = oracle(values, ties, mode)
    assert index(tmp_path)["best"]["epoch"] == best
    assert weight(tmp_path / "checkpoints/best.ckpt") == 2 * (best + 1)
    assert weight(tmp_path / "checkpoints/last.ckpt") == 12


def test_last_is_written_every_epoch_of_a_plateau_and_best_stays_the_first(tmp_path):
    fit(tmp_path, [1.0] * 8)
    assert weight(tmp_path / "checkpoints/last.ckpt") == 16
    assert weight(tmp_path / "checkpoints/best.ckpt") == 2
    assert index(tmp_path) == {
        "best": {"monitor": "val/score", "value": 1.0, "tie_breaker": None, "epoch": 0, "batches": 2},
        "last": {"epoch": 7, "batches": 16},
        "note": "",
    }


def test_without_validation_last_stands_in_for_best_and_says_so(tmp_path):
    with pytest.warns(UserWarning, match="best.ckpt is a copy of last.ckpt"):
        fit(tmp_path, [0.5] * 3, limit_val_batches=0)
    assert weight(tmp_path / "checkpoints/best.ckpt") == weight(tmp_path / "checkpoints/last.ckpt") == 6
    assert index(tmp_path)["best"]["value"] is None
    assert "never had a value" in index(tmp_path)["note"]
    fit(tmp_path, [0.1] * 4, ckpt_path=tmp_path / "checkpoints/last.ckpt")  # any value is better than none
    assert index(tmp_path)["best"]["epoch"] == 3
    assert index(tmp_path)["note"] == ""


def test_a_training_killed_after_its_last_checkpoint_gets_its_best_when_continued(tmp_path):
    fit(tmp_path, [0.5] * 3, limit_val_batches=0)
    (tmp_path / "checkpoints/best.ckpt").unlink()  # as if killed before it was written
    fit(tmp_path, [0.5] * 3, limit_val_batches=0, ckpt_path=tmp_path / "checkpoints/last.ckpt")
    assert weight(tmp_path / "checkpoints/best.ckpt") == 6


def test_a_value_of_an_earlier_validation_is_not_judged_twice(tmp_path):
    class Forgetful(Scripted):
        def on_validation_epoch_end(self):
            if not self.trainer.sanity_checking:
                self.log("val/other", 0.5)
                super().on_validation_epoch_end()

    run = trainer(tmp_path, Checkpoints("val/score"))
    with pytest.raises(InputError, match=r"checkpoints\.monitor is val/score, .* It logged: val/other$"):
        run.fit(Forgetful([0.5, None]), loader(), loader())
    assert weight(tmp_path / "checkpoints/last.ckpt") == 2


def test_a_monitor_declared_undefined_leaves_the_best(tmp_path):
    metrics = ClipMetrics()
    values = [0.5, None, 0.4]

    class Undefining(Scripted):
        def on_validation_epoch_end(self):
            missing = values[int(self.validations)] is None
            super().on_validation_epoch_end()
            metrics.undefined = {"val/score": "one class"} if missing else {}

    metrics.on_validation_epoch_end = lambda *_: None
    with pytest.warns(UserWarning, match="has no value in epoch 1; best.ckpt is left"):
        trainer(tmp_path, metrics, Checkpoints("val/score")).fit(Undefining(values), loader(), loader())
    assert index(tmp_path)["best"]["epoch"] == 0


def test_a_resumed_run_keeps_its_best_also_when_its_folder_moved(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    fit(old, [0.2, 0.9, 0.3])
    shutil.move(old, new)
    values = [0.2, 0.9, 0.3, 0.5, 0.9]
    fit(new, values, ckpt_path=new / "checkpoints/last.ckpt")
    assert index(new)["best"]["epoch"] == 1
    assert weight(new / "checkpoints/best.ckpt") == 4
    assert weight(new / "checkpoints/last.ckpt") == 10
    fit(new, [*values, 0.95], ckpt_path=new / "checkpoints/last.ckpt")
    assert weight(new / "checkpoints/best.ckpt") == 12


def test_a_run_continued_in_another_folder_takes_its_best_along(tmp_path):
    fit(tmp_path / "a", [0.9, 0.3])
    fit(tmp_path / "b", [0.9, 0.3, 0.5], ckpt_path=tmp_path / "a/checkpoints/last.ckpt")
    assert weight(tmp_path / "b/checkpoints/best.ckpt") == 2
    assert weight(tmp_path / "a/checkpoints/last.ckpt") == 4
    (tmp_path / "a/checkpoints/best.ckpt").unlink()
    with pytest.warns(UserWarning, match="judged anew"):
        fit(tmp_path / "c", [0.9, 0.3, 0.5], ckpt_path=tmp_path / "a/checkpoints/last.ckpt")
    assert weight(tmp_path / "c/checkpoints/best.ckpt") == 6


def test_a_kill_between_best_and_last_does_not_promise_a_best_that_is_not_there(tmp_path):
    folder = tmp_path / "checkpoints"
    fit(tmp_path, [0.2])
    (tmp_path / "first.ckpt").write_bytes((folder / "last.ckpt").read_bytes())
    fit(tmp_path, [0.2, 0.8], ckpt_path=folder / "last.ckpt")
    (folder / "last.ckpt").write_bytes((tmp_path / "first.ckpt").read_bytes())  # best is an epoch ahead of last
    fit(tmp_path, [0.2, 0.8, 0.5], ckpt_path=folder / "last.ckpt")
    assert weight(folder / "best.ckpt") == 4
    assert index(tmp_path)["best"]["value"] == pytest.approx(0.8)


def test_validations_within_an_epoch_keep_the_weights_that_were_validated(tmp_path):
    values = [0.1, 0.7, 0.3, 0.6]
    fit(tmp_path, values, max_epochs=1, limit_train_batches=4, val_check_interval=1)
    assert weight(tmp_path / "checkpoints/best.ckpt") == 2
    assert index(tmp_path)["best"]["batches"] == 2


def test_last_every_so_many_batches(tmp_path):
    seen = []

    class Watch(Scripted):
        def on_train_batch_start(self, batch, batch_idx):
            path = tmp_path / "checkpoints/last.ckpt"
            seen.append(weight(path) if path.exists() else None)

    callback = Checkpoints("val/score", every_n_batches=2)
    trainer(tmp_path, callback, max_epochs=1, limit_train_batches=4).fit(Watch([0.1]), loader(), loader())
    assert seen == [None, None, 2, 2]


def test_a_new_run_does_not_overwrite_an_older_one(tmp_path):
    fit(tmp_path, [0.5])
    with pytest.raises(InputError, match="already holds the checkpoints of a run"):
        fit(tmp_path, [0.5])


def test_a_fast_dev_run_leaves_nothing(tmp_path):
    fit(tmp_path, [0.5], fast_dev_run=True)
    assert not (tmp_path / "checkpoints").exists()


def test_best_of_this_process_can_be_tested(tmp_path):
    run = trainer(tmp_path, Checkpoints("val/score"))
    model = Scripted([0.9, 0.2, 0.1])
    model.test_step = lambda batch, batch_idx: None
    run.fit(model, loader(), loader())
    run.test(dataloaders=loader(), ckpt_path="best")
    assert model.weight.item() == -2


def test_resolve_checkpoint(tmp_path):
    run = tmp_path / "first"
    with pytest.raises(InputError, match=r"best: .*first/checkpoints/best.ckpt does not exist; train first"):
        resolve_checkpoint(run, "best")
    fit(run, [0.5])
    assert resolve_checkpoint(run, "best") == run / "checkpoints/best.ckpt"
    assert resolve_checkpoint(run, "last") == run / "checkpoints/last.ckpt"
    (tmp_path / "second").mkdir()
    (tmp_path / "latest").symlink_to("first")
    with pytest.raises(InputError, match=r"ended before its first checkpoint. Name another one: --run.name first$"):
        resolve_checkpoint(tmp_path / "second", "best")
    (run / "checkpoints/best.ckpt").unlink()
    with pytest.raises(InputError, match=r"beside it lies last.ckpt$"):
        resolve_checkpoint(run, "best")


def test_refuses_a_senseless_interval():
    with pytest.raises(InputError, match="every_n_batches is -1"):
        Checkpoints("val/score", every_n_batches=-1)


def fit_on_rank(rank, port, folder):
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in here.items()})
    torch.set_num_threads(1)
    # what each rank logged differs in its last bits, as after a reduction in another order: rank 0 decides for all
    values = [0.5, 0.5 + 1e-6 * rank, 0.7]
    resumed = fit(folder, values[:2], devices=2, strategy="ddp", ckpt_path=None)
    assert resumed.best.epoch == 0
    again = fit(folder, values, devices=2, strategy="ddp", ckpt_path=folder / "checkpoints/last.ckpt")
    assert again.best.epoch == 2
    assert again.best.value == pytest.approx(0.7)


@pytest.mark.timeout(60)
def test_two_processes_decide_alike(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    multiprocessing.start_processes(fit_on_rank, (port, tmp_path), nprocs=2, start_method="fork")
    assert index(tmp_path)["best"]["epoch"] == 2
    assert weight(tmp_path / "checkpoints/best.ckpt") == 6


class Reader(Scripted):
    """Notes which pictures it was shown, and may die at a batch."""

    def __init__(self, dies_at=None):
        super().__init__([0.1 * number for number in range(20)])
        self.seen, self.dies_at = [], dies_at

    def training_step(self, batch, batch_idx):
        if len(self.seen) == self.dies_at:
            raise RuntimeError("killed")
        self.seen.append(batch.index.tolist())
        return super().training_step(batch, batch_idx)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(40):
        write_png(folder / f"{number:02d}.png", np.random.default_rng(number).integers(0, 255, (16, 16, 3), np.uint8))
    return folder


@pytest.mark.filterwarnings("ignore:.*workers", "ignore:.*LeafSpec", "ignore:.*before the epoch ended")
@pytest.mark.parametrize(
    ("name", "dies_at", "goes_on_at", "workers", "every"),
    [
        ("last", 5, 4, 0, 2),
        ("last", 5, 4, 2, 2),
        ("last", 13, 12, 0, 2),
        ("best", 6, 4, 0, 2),
        ("last", 7, 7, 0, 1),  # at the last batch of an epoch
        ("last", 8, 8, 0, 1),  # at the first
    ],
)
def test_a_run_killed_within_an_epoch_goes_on_with_the_batch_after_its_checkpoint(
    pictures, tmp_path, name, dies_at, goes_on_at, workers, every
):
    def run(model, folder, **kwargs):
        options = {"image_size": 16, "batch_size": 4, "cache_dir": str(tmp_path / "cache"), "num_workers": workers}
        data = ImageFolderDataModule(str(pictures), validation_fraction=0.2, test_fraction=0.0, **options)
        callback = Checkpoints("val/score", every_n_batches=every)
        settings = {"max_epochs": 3, "limit_train_batches": 8, "val_check_interval": 4, "num_sanity_val_steps": 0}
        trainer(folder, callback, **settings).fit(model, datamodule=data, **kwargs)

    whole, first, rest = Reader(), Reader(dies_at), Reader()
    run(whole, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="killed"):
        run(first, tmp_path / "run")
    run(rest, tmp_path / "run", ckpt_path=tmp_path / f"run/checkpoints/{name}.ckpt")
    assert rest.seen == whole.seen[goes_on_at:]
    assert len(whole.seen) > 2 * 6
