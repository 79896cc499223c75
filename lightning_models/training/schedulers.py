"""Learning rate schedulers of a training: which can serve, and their steps."""

import warnings
from copy import deepcopy

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from datamodules.errors import InputError


def able_to_step(argument: str, scheduler: LRScheduler | ReduceLROnPlateau) -> LRScheduler:
    """Return a scheduler that can take its first step; some meet a value that they cannot use only there.

    Args:
        argument: name of the model's argument that makes it.
        scheduler: newly made.

    Raises:
        InputError: it waits for a metric, or cannot step.
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        raise InputError(
            f"model.{argument} is ReduceLROnPlateau, which waits for a metric; schedulers follow the "
            "training here: use StepLR, MultiStepLR, CosineAnnealingLR, LinearLR or another that needs none"
        )
    groups = scheduler.optimizer.param_groups
    before = [{name: deepcopy(value) for name, value in group.items() if name != "params"} for group in groups]
    state = deepcopy(scheduler.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch expects a step of the optimizer before
        take_step(argument, scheduler)
    scheduler.load_state_dict(state)
    for group, values in zip(groups, before, strict=True):
        group.update(values)
    return scheduler


def take_step(argument: str, scheduler: LRScheduler) -> None:
    """Let a scheduler step.

    Raises:
        InputError: it cannot, as one that was made for fewer steps.
    """
    try:
        scheduler.step()
    except (ValueError, ArithmeticError) as problem:
        raise InputError(
            f"model.{argument} is {type(scheduler).__name__}, which cannot step ({problem}): change its arguments"
        ) from problem
