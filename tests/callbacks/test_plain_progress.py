"""The lines of progress where no terminal can redraw a bar."""

from types import SimpleNamespace

import pytest
import torch

from callbacks import plain_progress, remaining
from callbacks.plain_progress import PlainProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [100.0]
    for module in (plain_progress, remaining):
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def trainer():
    return SimpleNamespace(
        current_epoch=0,
        max_epochs=3,
        num_training_batches=10,
        num_val_batches=[4, 2],
        num_test_batches=[5],
        num_predict_batches=[float("inf")],
        sanity_checking=False,
        is_global_zero=True,
        state=SimpleNamespace(fn="fit"),
        fit_loop=SimpleNamespace(batch_idx=-1),
        callback_metrics={"train/generator/total": torch.tensor(2.5), "train/generator/l1": torch.tensor(1.0)},
        progress_bar_metrics={"val/score": 0.75},
    )


@pytest.fixture
def bar(clock, trainer):
    made = PlainProgress()
    made.setup(trainer, None, "fit")
    return made


NUMBERS = "  train/generator/total 2.5000  val/score 0.7500"


def test_a_training_says_where_it_is_at_most_every_ten_seconds(clock, trainer, bar, capsys, monkeypatch):
    monkeypatch.setattr(PlainProgress, "total_train_batches", 10)
    bar.on_train_start(trainer, None)
    for batch in range(10):
        clock[0] += 4.0
        bar.on_train_batch_end(trainer, None, None, None, batch)
    trainer.current_epoch = 3
    bar.on_train_end(trainer, None)
    assert capsys.readouterr().out.splitlines() == [
        f"epoch 1 of 3, batch 3 of 10, 1 min 48 s left{NUMBERS}",
        f"epoch 1 of 3, batch 6 of 10, 1 min 36 s left{NUMBERS}",
        f"epoch 1 of 3, batch 9 of 10, 1 min 24 s left{NUMBERS}",
        f"3 epochs trained{NUMBERS}",
    ]


def test_a_resumed_training_counts_what_is_left_from_where_it_begins(clock, trainer, bar, capsys, monkeypatch):
    monkeypatch.setattr(PlainProgress, "total_train_batches", 10)
    trainer.current_epoch, trainer.fit_loop.batch_idx = 2, 4
    bar.on_train_start(trainer, None)
    clock[0] += 20.0
    bar.on_train_batch_end(trainer, None, None, None, 5)
    assert capsys.readouterr().out == f"epoch 3 of 3, batch 6 of 10, 1 min 20 s left{NUMBERS}\n"


def test_a_validation_names_what_it_does(clock, trainer, bar, capsys):
    module = SimpleNamespace(validation_names=("calibration", "validation"))
    for loader, size in enumerate(trainer.num_val_batches):
        for batch in range(size):
            bar.on_validation_batch_start(trainer, module, None, batch, loader)
            clock[0] += 10.0
            bar.on_validation_batch_end(trainer, module, None, None, batch, loader)
    lines = [line.removesuffix(NUMBERS) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        *(
            f"epoch 1 of 3, calibration batch {n} of 4, {left} left"
            for n, left in zip((1, 2, 3, 4), ("30 s", "20 s", "10 s", "0.0 s"), strict=True)
        ),
        *("epoch 1 of 3, validation batch 1 of 2, 10 s left", "epoch 1 of 3, validation batch 2 of 2, 0.0 s left"),
    ]


def test_a_test_and_a_stream_of_unknown_length(clock, trainer, bar, capsys):
    bar.on_test_batch_start(trainer, None, None, 0)
    clock[0] += 10.0
    bar.on_test_batch_end(trainer, None, None, None, 0)
    bar.on_predict_batch_start(trainer, None, None, 0)
    clock[0] += 10.0
    bar.on_predict_batch_end(trainer, None, None, None, 0)
    bar.disable()
    clock[0] += 10.0
    bar.on_predict_batch_end(trainer, None, None, None, 1)
    assert capsys.readouterr().out.splitlines() == [
        f"test batch 1 of 5, 40 s left{NUMBERS}",
        f"prediction batch 1{NUMBERS}",
    ]
