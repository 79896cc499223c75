"""metrics.csv, the progress lines, and what a resumed run takes from the configuration."""

import csv
from types import SimpleNamespace

import pytest
import torch

from fulgurite.metrics_csv import MetricsCsv
from fulgurite.progress import PlainProgress
from fulgurite.resume import WrittenSettingsWin


def read(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_are_on_the_disk_at_once_and_columns_may_come_later(tmp_path):
    log = MetricsCsv(tmp_path)
    log.log_metrics({"a": 1.0}, 0)
    assert read(tmp_path) == [{"step": "0", "a": "1.0"}]
    log.log_metrics({"b": 2.0}, 1)
    log.log_metrics({"a": 3.0}, 2)
    assert read(tmp_path) == [
        {"step": "0", "a": "1.0", "b": ""},
        {"step": "1", "a": "", "b": "2.0"},
        {"step": "2", "a": "3.0", "b": ""},
    ]


def test_a_resumed_run_replaces_the_rows_it_repeats(tmp_path):
    first = MetricsCsv(tmp_path)
    for step in range(4):
        first.log_metrics({"a": step}, step)
    again = MetricsCsv(tmp_path)
    for step in (2, 3, 4):
        again.log_metrics({"a": -step}, step)
    assert [(row["step"], row["a"]) for row in read(tmp_path)] == [
        ("0", "0"), ("1", "1"), ("2", "-2"), ("3", "-3"), ("4", "-4"),
    ]  # fmt: skip


@pytest.mark.parametrize("scheduled", [False, True])
def test_written_settings_win_over_the_checkpoint(scheduled):
    def build(lr, decay):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) if scheduled else None
        return optimizer, schedule

    old, old_schedule = build(0.1, 0.0)
    old.step()
    if old_schedule:
        old_schedule.step()  # the rate is now 0.05
    new, new_schedule = build(0.4, 0.01)
    configs = [SimpleNamespace(scheduler=new_schedule)] if new_schedule else []
    trainer = SimpleNamespace(optimizers=[new], ckpt_path="last.ckpt", lr_scheduler_configs=configs)
    callback = WrittenSettingsWin()
    callback.on_fit_start(trainer, None)
    new.load_state_dict(old.state_dict())
    if new_schedule:
        new_schedule.load_state_dict(old_schedule.state_dict())
    callback.on_train_start(trainer, None)
    assert new.param_groups[0]["weight_decay"] == 0.01
    assert new.param_groups[0]["lr"] == pytest.approx(0.2 if scheduled else 0.4)
    if new_schedule:
        new.step()
        new_schedule.step()
        assert new.param_groups[0]["lr"] == pytest.approx(0.1)
        assert new_schedule.base_lrs == [0.4]


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
