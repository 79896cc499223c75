"""What a resumed run takes from the configuration."""

from types import SimpleNamespace

import pytest
import torch

from callbacks.written_settings import WrittenSettingsWin


@pytest.mark.parametrize("scheduled", [False, True])
def test_written_settings_win_over_the_checkpoint(scheduled, caplog):
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
    with caplog.at_level("INFO", logger="lightning.pytorch.utilities.rank_zero"):
        callback.on_train_start(trainer, None)
    (said,) = caplog.messages
    assert said == (
        "optimizer 0: lr is 0.4 as written, not 0.1 as in the checkpoint, "
        "weight_decay is 0.01 as written, not 0.0 as in the checkpoint"
    )
    assert new.param_groups[0]["weight_decay"] == 0.01
    assert new.param_groups[0]["lr"] == pytest.approx(0.2 if scheduled else 0.4)
    if new_schedule:
        new.step()
        new_schedule.step()
        assert new.param_groups[0]["lr"] == pytest.approx(0.1)
        assert new_schedule.base_lrs == [0.4]


@pytest.mark.parametrize("scheduled", [False, True])
def test_nothing_is_said_of_what_stays(scheduled, caplog):
    model = SimpleNamespace(optimizer_arguments=["generator_optimizer"])
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) if scheduled else None
    configs = [SimpleNamespace(scheduler=schedule)] if schedule else []
    trainer = SimpleNamespace(optimizers=[optimizer], ckpt_path="last.ckpt", lr_scheduler_configs=configs)
    callback = WrittenSettingsWin()
    callback.on_fit_start(trainer, model)
    optimizer.step()
    if schedule:
        schedule.step()
    for lr in (0.1, 0.2):
        optimizer.param_groups[0]["initial_lr" if scheduled else "lr"] = lr  # as a checkpoint brings it back
        with caplog.at_level("INFO", logger="lightning.pytorch.utilities.rank_zero"):
            callback.on_train_start(trainer, model)
        assert caplog.messages == (
            ["model.generator_optimizer: lr is 0.1 as written, not 0.2 as in the checkpoint"] if lr == 0.2 else []
        )
