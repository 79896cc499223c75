"""What a resumed run takes from the configuration."""

from types import SimpleNamespace

import pytest
import torch

from callbacks.written_settings import WrittenSettingsWin


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
