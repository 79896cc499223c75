"""A calibration counts every row once, and knows which weights it belongs to."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from datamodules.errors import InputError
from lightning_models.training.calibration import CalibratedModule


class ToyCalibrated(CalibratedModule):
    """Nothing to train but one weight."""

    phases = ("only",)
    phase_modules = {"only": ("layer",)}  # noqa: RUF012

    def __init__(self):
        super().__init__(optimizers={}, averaged_phase="only")
        self.layer = nn.Linear(1, 1)


@pytest.fixture
def system(monkeypatch):
    monkeypatch.setattr(ToyCalibrated, "trainer", SimpleNamespace(world_size=1, strategy=None))
    monkeypatch.setattr("lightning_models.training.phases.check_finite", lambda losses, strategy: None)
    return ToyCalibrated()


def rows(*numbers):
    return {number: (f"group{number}", torch.full((2,), float(number))) for number in numbers}


def test_rows_of_all_processes_count_once_and_in_their_order(system, monkeypatch):
    alone = system.gathered(rows(2, 0, 1))
    assert [group for group, _ in alone] == ["group0", "group1", "group2"]

    def exchange(tables, own):
        assert sorted(own) == [0, 2]
        tables[:] = [own, rows(1, 0)]  # the sampler showed the second process a row again

    monkeypatch.setattr(ToyCalibrated, "trainer", SimpleNamespace(world_size=2))
    monkeypatch.setattr(torch.distributed, "all_gather_object", exchange)
    collected = rows(0, 2)
    together = system.gathered(collected)
    assert collected == {}
    assert [group for group, _ in together] == [group for group, _ in alone]
    assert all(torch.equal(one[1], other[1]) for one, other in zip(alone, together, strict=True))


def test_the_count_of_batches_travels_and_newer_weights_are_told(system):
    with pytest.raises(InputError, match="never calibrated"):
        system.check_calibration(torch.tensor(float("nan")))
    system.batches_seen = system.calibrated_at = 20
    checkpoint = {"state_dict": system.state_dict()}
    system.batches_seen = 30
    later = {"state_dict": system.state_dict()}
    system.on_save_checkpoint(later)
    system.batches_seen = 20
    system.on_save_checkpoint(checkpoint)
    fresh = ToyCalibrated()
    fresh.on_load_checkpoint(checkpoint)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh.check_calibration(torch.tensor(1.0))
    fresh.on_load_checkpoint(later)
    with pytest.warns(UserWarning, match=r"after 20 batches .* have seen 30.*--ckpt_path best"):
        fresh.check_calibration(torch.tensor(1.0))
