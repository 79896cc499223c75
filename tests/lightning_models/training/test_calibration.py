"""A calibration is fitted to every row once, and knows which weights it belongs to."""

import warnings
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerState
from torch import nn

from datamodules.errors import InputError
from lightning_models.training.bounded_rows import MOST_BYTES, TENSOR_BYTES
from lightning_models.training.calibration import CalibratedModule


class Batch(NamedTuple):
    """B samples of one value each."""

    value: torch.Tensor
    index: torch.Tensor
    anomalous: torch.Tensor


class ToyCalibrated(CalibratedModule[Batch, torch.Tensor, torch.Tensor]):
    """Scores a value by its distance from the mean of normal ones; nothing to train but one weight."""

    phases = ("only",)
    phase_modules = {"only": ("layer",)}  # noqa: RUF012
    renamed_state = {"old_threshold": "threshold", "mean": "centre"}  # noqa: RUF012

    def __init__(self):
        super().__init__(optimizers={}, averaged_phase="only")
        self.layer = nn.Linear(1, 1)
        self.register_buffer("centre", torch.tensor(0.0))
        self.computed = 0

    def evidence(self, batch):
        self.computed += 1
        return batch.value

    def calibration_rows(self, batch, evidence):
        return dict(zip(batch.index.tolist(), evidence, strict=True))

    def fit_scale(self, rows):
        self.centre.copy_(torch.stack(rows).mean())

    def score(self, batch, evidence):
        return evidence - self.centre

    def normal_rows(self, batch, scores):
        normal = ~batch.anomalous
        return dict(zip(batch.index[normal].tolist(), scores[normal], strict=True))

    def fit_threshold(self, rows):
        self.threshold.copy_(torch.stack(rows).max())


@pytest.fixture
def system(monkeypatch):
    trainer = SimpleNamespace(world_size=1, strategy=None, sanity_checking=False, ckpt_path=None, state=TrainerState())
    monkeypatch.setattr(ToyCalibrated, "trainer", trainer)
    monkeypatch.setattr("lightning_models.training.saved_training.check_finite", lambda *_: None)
    return ToyCalibrated()


def batch(values, first=0, anomalous=()):
    number = torch.arange(first, first + len(values))
    return Batch(torch.tensor(values), number, torch.isin(number, torch.tensor(anomalous, dtype=torch.int64)))


def validate(system):
    """Four normal values with mean 2, one of them twice; then three held-out ones, the largest of them anomalous."""
    system.on_validation_start()
    found = [system.validation_step(one, 0, 0) for one in (batch([1.0, 2.0]), batch([2.0, 3.0], first=1))]
    found += [system.validation_step(one, 0, 1) for one in (batch([2.0, 4.0]), batch([9.0], 2, anomalous=[2]))]
    system.on_validation_epoch_end()
    return found


def test_a_validation_collects_fits_scores_and_sets_the_threshold(system):
    system.batches_seen = 7
    collected, again, held_out, anomalous = validate(system)
    assert collected is again is None
    assert system.centre == 2  # 1, 2 and 3: what comes twice counts once
    assert held_out.tolist() == [0, 2]
    assert anomalous.tolist() == [7]
    assert system.threshold == 2  # the anomalous one has no part in it
    assert system.calibrated_at == 7
    assert system.computed == 4
    assert system.test_step(batch([5.0]), 0).tolist() == system.predict_step(batch([5.0]), 0).tolist() == [3]


def test_the_sanity_check_computes_and_calibrates_nothing(system):
    system.trainer.sanity_checking = True
    assert validate(system) == [None] * 4
    assert system.computed == 4
    assert system.centre == 0
    assert system.threshold.isnan()
    assert system.calibrated_at is None


def test_an_interrupted_validation_leaves_nothing_behind(system):
    system.validation_step(batch([100.0], first=50), 0, 0)
    system.validation_step(batch([500.0], first=50), 0, 1)
    validate(system)
    assert system.centre == 2
    system.on_validation_start()
    system.validation_step(batch([500.0], first=50), 0, 1)
    validate(system)
    assert system.threshold == 2


def test_a_validation_without_normal_data_keeps_the_threshold(system):
    validate(system)
    system.batches_seen = 9
    system.on_validation_start()
    system.validation_step(batch([5.0], anomalous=[0]), 0, 1)
    system.on_validation_epoch_end()
    assert system.threshold == 2
    assert system.calibrated_at == 0


def test_a_part_of_the_samples_is_told_and_travels_with_the_weights(system):
    assert system.results() == {}
    validate(system)
    assert system.results() == {}  # all were used
    system._calibration._most_bytes = 2 * (TENSOR_BYTES + 4)
    with pytest.warns(UserWarning, match=r"the scale of the scores was fitted to 2 of 3 normal samples, evenly drawn"):
        validate(system)
    assert system.results() == {"calibrated_on": {"scale": {"used": 2, "of": 3}}}
    checkpoint = {"state_dict": system.state_dict()}
    system.on_save_checkpoint(checkpoint)
    fresh = ToyCalibrated()
    fresh.on_load_checkpoint(checkpoint)
    assert fresh.results() == system.results()
    system._calibration._most_bytes = MOST_BYTES
    validate(system)
    assert system.results() == {}  # what is true of the newest calibration
    older = {key: value for key, value in checkpoint.items() if key != "calibrated_on"}
    fresh.on_load_checkpoint(older)
    assert fresh.results() == {}


def test_the_count_of_batches_travels_and_newer_weights_are_told(system):
    with pytest.raises(InputError, match="never validated, which gives its scores their scale"):
        system.on_test_start()
    system.threshold.fill_(1.0)
    system.batches_seen = system.calibrated_at = 20
    checkpoint = {"state_dict": system.state_dict()}
    system.batches_seen = 30
    later = {"state_dict": system.state_dict()}
    system.on_save_checkpoint(later)
    system.batches_seen = 20
    system.on_save_checkpoint(checkpoint)
    fresh = ToyCalibrated()
    fresh.threshold.fill_(1.0)
    fresh.on_load_checkpoint(checkpoint)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh.on_test_start()
    fresh.on_load_checkpoint(later)
    with pytest.warns(UserWarning, match=r"after 20 batches .* have seen 30.*--ckpt_path best"):
        fresh.on_predict_start()


def test_buffers_of_older_checkpoints_are_found_under_their_present_names(system):
    validate(system)
    checkpoint = {"state_dict": dict(system.state_dict())}
    system.on_save_checkpoint(checkpoint)
    state = checkpoint["state_dict"]
    state["old_threshold"], state["mean"] = state.pop("threshold"), state.pop("centre")
    checkpoint["weight_average"] = {"updates": 3, "average": {"mean": torch.ones(1), "weight": torch.zeros(1)}}
    fresh = ToyCalibrated()
    fresh.on_load_checkpoint(checkpoint)
    assert checkpoint["weight_average"]["average"].keys() == {"centre", "weight"}
    fresh.load_state_dict(checkpoint["state_dict"])
    assert (fresh.threshold, fresh.centre) == (2, 2)
