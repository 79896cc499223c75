"""Weights of losses: whose names and values are taken, how they move, and how a checkpoint keeps them."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.data import DataLoader

from datamodules.errors import InputError
from lightning_models.training.schedules import Cyclical, HoldThenLinear, WarmUp, Weight
from lightning_models.training.single_phase import SinglePhaseModule
from lightning_models.training.weights import LossWeights, chosen_weights, plain_weights


@dataclass(frozen=True, kw_only=True)
class LineWeights(LossWeights):
    error: Weight = 2.0
    size: Weight = 0.5


class Line(SinglePhaseModule):
    phases, phase_modules = ("line",), {"line": ("network",)}
    published_optimizers: ClassVar = {"line": torch.optim.SGD}
    default_weights: ClassVar = LineWeights()

    def __init__(self, weights: LineWeights | None = None, **training) -> None:
        super().__init__(weights=weights, **training)
        self.network = torch.nn.Linear(1, 1)

    def line_loss(self, batch):
        return {"error": self.network(batch).square().mean(), "size": self.network.weight.square().sum()}


class Watch(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, system, *_):
        self.seen.append((dict(system.weights), dict(system._latest)))


def test_what_is_given_lies_over_the_defaults():
    assert chosen_weights(None, LineWeights()) == {"error": 2.0, "size": 0.5}
    for given in ({"size": 3.0}, LineWeights(size=3.0)):
        assert chosen_weights(given, LineWeights()) == {"error": 2.0, "size": 3.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"eror": 1.0}, r"model\.weights has no 'eror'. Did you mean 'error'\? The losses are \['error', 'size'\]"),
        ({"zzz": 1.0}, r"has no 'zzz'. The losses are"),
        ({"size": -0.1}, r"model\.weights\.size is -0\.1: give a finite number of at least 0"),
        ({"size": float("nan")}, "size is nan"),
        (LineWeights(size=float("inf")), "size is inf"),
        ({"size": "much"}, "size is much: give a number or a schedule"),
        ({"size": {"class_path": "os.system", "init_args": {}}}, "os.system is no WeightSchedule"),
        ({"size": {"class_path": f"{WarmUp.__module__}.WarmUp", "init_args": {"weight": 1.0}}}, "epochs"),
    ],
)
def test_what_cannot_be_a_weight_is_refused_by_its_name(given, message):
    with pytest.raises(InputError, match=message):
        Line(weights=given)


@pytest.mark.parametrize("schedule", [WarmUp(2.0, 4), HoldThenLinear(0.1, 10, 1.1, 20), Cyclical(1.0, 10, 0.5)])
def test_a_schedule_written_down_is_built_again(schedule):
    written = plain_weights({"error": schedule, "size": 0.5})
    assert written["size"] == 0.5
    assert written["error"]["class_path"] == f"lightning_models.training.schedules.{type(schedule).__name__}"
    assert chosen_weights(written, LineWeights()) == {"error": schedule, "size": 0.5}


def test_every_batch_is_weighted_by_what_the_schedule_says_then():
    system, watch = Line(weights=LineWeights(size=WarmUp(1.0, 2))), Watch()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    trainer.fit(system, DataLoader(torch.rand(4, 1), batch_size=1))
    assert [weights["size"] for weights, _ in watch.seen] == [min(batch / 8, 1.0) for batch in range(12)]
    for weights, terms in watch.seen:
        total = 2 * terms["train/line/error"] + weights["size"] * terms["train/line/size"]
        torch.testing.assert_close(terms["train/line/total"], total)


def test_a_term_counts_where_its_weight_is_a_schedule_or_above_0():
    system = Line(weights={"error": WarmUp(1.0, 2), "size": 0.0})
    assert system.weights["error"] == 0
    assert system.weights.count("error")
    assert not system.weights.count("size")


def test_a_term_of_a_part_that_is_off_is_forgotten_and_refused_where_it_was_weighed():
    system = Line(weights={"size": 0.0})
    system.weights.drop("error", "size", needs="line true")
    assert system.weights == system.weights.schedules == {}
    for weight in (0.7, WarmUp(1.0, 2)):
        with pytest.raises(InputError, match=r"weights\.size is .*, but changes nothing without model\.line true"):
            Line(weights={"size": weight}).weights.drop("size", needs="line true")
