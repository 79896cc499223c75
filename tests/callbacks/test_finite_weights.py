import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks.finite_weights import FiniteWeights
from datamodules.errors import InputError


class Line(LightningModule):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.line = torch.nn.Linear(1, 1)
        self.line.weight.data.fill_(weight)
        self.register_buffer("threshold", torch.tensor(float("nan")))  # not fitted yet
        self.seen = 0

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.seen += 1
        return self.line(batch).square().mean()

    validation_step = test_step = predict_step = training_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def run(verb, weight):
    model = Line(weight)
    trainer = Trainer(
        callbacks=[FiniteWeights()], max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    getattr(trainer, verb)(model, DataLoader(torch.ones(4, 1)))
    return model.seen


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_numbers_pass(verb):
    assert run(verb, 1.0) == 4


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_others_are_refused_by_name(verb, weight):
    with pytest.raises(InputError, match=r"Line: line.weight holds values that are not finite"):
        run(verb, weight)
