"""The lines of progress where no terminal can redraw a bar."""

from types import SimpleNamespace

import torch

from callbacks.plain_progress import PlainProgress


def test_progress_lines(capsys):
    trainer = SimpleNamespace(
        current_epoch=1,
        max_epochs=3,
        num_test_batches=[5],
        callback_metrics={"train/generator/total": torch.tensor(2.5), "train/generator/l1": torch.tensor(1.0)},
        progress_bar_metrics={"val/score": 0.75},
    )
    bar = PlainProgress(every=0)
    bar.on_train_epoch_start(trainer, None)
    bar.on_train_epoch_end(trainer, None)
    bar.on_test_batch_end(trainer, None, None, None, 2)
    bar.disable()
    bar.on_test_batch_end(trainer, None, None, None, 3)
    epoch, test = capsys.readouterr().out.splitlines()
    assert epoch.startswith("epoch 2 of 3, 0.0 s")
    assert epoch.endswith("train/generator/total 2.5  val/score 0.75")
    assert test.startswith("test batch 3 of 5")
