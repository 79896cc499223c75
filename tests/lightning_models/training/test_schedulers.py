"""Schedulers are tried before a training, which leaves them and the optimizer as they were."""

import warnings

import pytest
import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from datamodules.errors import InputError
from lightning_models.training.learning_rate import WarmUpCosine
from lightning_models.training.schedulers import able_to_step, take_step

MAKE = {
    "step": lambda o: StepLR(o, 1, gamma=0.5),
    "exponential": lambda o: ExponentialLR(o, 0.5),
    "cosine": lambda o: CosineAnnealingLR(o, 5),
    "one_cycle": lambda o: OneCycleLR(o, 0.4, total_steps=6),
    "cyclic": lambda o: CyclicLR(o, 0.1, 0.4, step_size_up=2),
    "lambda": lambda o: LambdaLR(o, lambda n: 0.9**n),
    "warm_up": lambda o: WarmUpCosine(o, total=5, warm_up=2),
    "sequence": lambda o: SequentialLR(o, [LinearLR(o, 0.5, total_iters=2), ExponentialLR(o, 0.5)], [2]),
    "chain": lambda o: ChainedScheduler([LinearLR(o, 0.5, total_iters=2), ExponentialLR(o, 0.5)]),
}


def course(make, tried):
    """Rates and momenta of five steps, of a scheduler that was tried before or not."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.8)
    scheduler = able_to_step("scheduler", make(optimizer)) if tried else make(optimizer)
    seen = []
    for _ in range(5):
        optimizer.step()
        seen.append([optimizer.param_groups[0][name] for name in ("lr", "momentum")])
        scheduler.step()
    return seen


@pytest.mark.parametrize("name", MAKE)
def test_a_trial_changes_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The epoch parameter")  # torch's SequentialLR itself gives it
        assert course(MAKE[name], tried=True) == course(MAKE[name], tried=False)


def test_a_rate_that_is_a_tensor_is_restored():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.5), momentum=0.8)
    able_to_step("scheduler", StepLR(optimizer, 1, gamma=0.1))
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda o: CosineAnnealingLR(o, 0), "model.critic_scheduler is CosineAnnealingLR, which cannot step"),
        (lambda o: StepLR(o, 0), "model.critic_scheduler is StepLR, which cannot step"),
        (ReduceLROnPlateau, "model.critic_scheduler is ReduceLROnPlateau, which waits for a metric"),
    ],
)
def test_what_cannot_step_is_refused(make, said):
    with pytest.raises(InputError, match=said):
        able_to_step("critic_scheduler", make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])))


def test_a_scheduler_of_a_shorter_run_ends_it_with_a_sentence():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], momentum=0.8)
    scheduler = able_to_step("scheduler", OneCycleLR(optimizer, 0.4, total_steps=2))
    optimizer.step()
    for _ in range(2):
        take_step("scheduler", scheduler)
    with pytest.raises(InputError, match="OneCycleLR, which cannot step") as refused:
        take_step("scheduler", scheduler)
    assert "Tried to step 3 times" in str(refused.value)
