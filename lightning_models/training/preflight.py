"""Checks before a system trains; each names what to change."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch.nn import Module, Parameter
from torch.optim import Optimizer

from datamodules.errors import InputError
from datamodules.private_api import ddp_options
from datamodules.ranges import at_least_zero

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")

RESERVED = ("saved_models", "layer")
"""While it saves, Lightning's ModelCheckpoint loads a state into ``layer`` of a module that has both."""


def check_trainer(trainer: Trainer) -> None:
    """Refuse the trainer's arguments that cannot serve several optimizers, or leave the training unseen.

    Raises:
        InputError: naming the argument to use instead.
    """
    if trainer.gradient_clip_val:
        raise InputError(
            f"--trainer.gradient_clip_val is {trainer.gradient_clip_val}, which would clip all phases as "
            f"one: remove it and use --model.gradient_clip {trainer.gradient_clip_val}"
        )
    if trainer.accumulate_grad_batches != 1:
        raise InputError(
            f"--trainer.accumulate_grad_batches is {trainer.accumulate_grad_batches}, which knows one "
            f"optimizer: remove it and use --model.accumulate {trainer.accumulate_grad_batches}"
        )
    if isinstance(trainer.strategy, FSDPStrategy):
        raise InputError(
            "--trainer.strategy is fsdp, which cannot run backward inside a step: use ddp_find_unused_parameters_true"
        )
    if isinstance(trainer.strategy, DDPStrategy):
        options = ddp_options(trainer.strategy)
        if not options.get("find_unused_parameters") or options.get("static_graph"):
            raise InputError(
                "--trainer.strategy is a ddp that expects a gradient of every parameter from every backward; "
                "each phase has its own: use ddp_find_unused_parameters_true"
            )
    _check_validations(trainer)


def check_precision(trainer: Trainer) -> None:
    """Refuse a precision in which weights and data would have different types.

    Raises:
        InputError: naming those that work.
    """
    if trainer.precision not in PRECISIONS:
        raise InputError(
            f"--trainer.precision is {trainer.precision}, in which weights have another type than the data: use one of "
            f"{', '.join(PRECISIONS)}"
        )


def _check_validations(trainer: Trainer) -> None:
    """Refuse a training that is never validated, and warn of one whose last epochs are not."""
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    if not trainer.limit_val_batches or every is None or epochs is None or epochs <= 0:
        return
    found = f"--trainer.check_val_every_n_epoch is {every} and --trainer.max_epochs {epochs}"
    if every > epochs:
        raise InputError(
            f"{found}: nothing would ever be validated. Give --trainer.check_val_every_n_epoch {epochs} or less, or "
            "--trainer.limit_val_batches 0 to train without"
        )
    if epochs % every:
        rank_zero_warn(
            f"{found}: the last validation is that of epoch {epochs - epochs % every}, and what follows is neither "
            "judged nor shown. Give numbers of which one divides the other."
        )


def phase_parameters(system: LightningModule, names: tuple[str, ...]) -> dict[str, Parameter]:
    """Return the parameters of the named modules as the system's ``state_dict`` names them.

    A module that is None is switched off and has none.
    """
    found: dict[str, Parameter] = {}
    for name in names:
        module = getattr(system, name, name)
        if module is None:
            continue
        if not isinstance(module, Module):
            raise TypeError(f"phase_modules of {type(system).__name__} names {name!r}, which is not a module of it")
        found.update({f"{name}.{inner}": weight for inner, weight in module.named_parameters()})
    return found


def check_system(system: LightningModule, optimizers: Mapping[str, Optimizer]) -> None:
    """Refuse a system in which something would silently go untrained or be changed behind its back.

    Raises:
        TypeError: what is wrong with the system's class.
    """
    kind = type(system).__name__
    if reserved := [name for name in RESERVED if hasattr(system, name)]:
        raise TypeError(f"{kind} has attributes {reserved}, which Lightning's ModelCheckpoint takes for its own")
    trained = {id(weight) for own in optimizers.values() for group in own.param_groups for weight in group["params"]}
    if idle := [n for n, weight in system.named_parameters() if weight.requires_grad and id(weight) not in trained]:
        raise TypeError(
            f"no phase of {kind} trains {', '.join(idle[:3])} ({len(idle)} parameters): "
            "name its module in phase_modules, or freeze it with requires_grad_(False)"
        )


def clip_of_phases(gradient_clip: float | Mapping[str, float], phases: Sequence[str]) -> dict[str, float]:
    """Return the largest norm of every phase's gradient, 0 where it is not clipped.

    Raises:
        InputError: for a phase that there is not, or what is no norm.
    """
    clips = dict(gradient_clip) if isinstance(gradient_clip, Mapping) else dict.fromkeys(phases, gradient_clip)
    if unknown := sorted(clips.keys() - set(phases)):
        raise InputError(f"gradient_clip names {unknown}; the phases are {list(phases)}")
    for norm in clips.values():
        at_least_zero("gradient_clip", norm)
    return clips


def check_clipping(
    optimizers: Mapping[str, Optimizer],
    clips: Mapping[str, float],
    argument: Callable[[str, Literal["optimizer"]], str],
) -> None:
    """Refuse to clip gradients that a fused optimizer unscales too late for it, under 16-mixed.

    Args:
        optimizers: of every phase.
        clips: largest norm of a phase's gradient.
        argument: returns the name of the argument that makes a phase's optimizer.

    Raises:
        InputError: naming the three keys and the remedy.
    """
    for phase, optimizer in optimizers.items():
        if clips.get(phase) and optimizer.defaults.get("fused"):
            raise InputError(
                f"--model.gradient_clip is {clips[phase]} and --trainer.precision 16-mixed, under which a "
                f"fused optimizer hides its gradients from clipping: set "
                f"--model.{argument(phase, 'optimizer')}.init_args.fused false"
            )
