"""Manual optimization in one place: systems that train their parts in phases, one or several.

A system names its phases and the modules each trains, and writes one ``<phase>_loss`` for each:

    class Autoencoder(PhasedModule):
        phases = ("vae",)
        phase_modules = {"vae": ("encoder", "decoder")}

        def prepare(self, batch):
            return batch, self.decoder(self.encoder(batch))

        def vae_loss(self, forward):
            return {"reconstruction": reconstruction("l2", *forward)}

For every batch: ``prepare`` once; then, phase after phase in the declared order, loss, backward and step,
with the modules of all other phases frozen. The graph that ``prepare`` leaves belongs to one phase; the others
detach what they take from it. The order matters: with backward and step of one phase before those of the next,
one gradient scaler serves all of them.

*Windows.* Gradients are averaged over ``accumulate`` batches, for all phases over the same ones; the last
window of an epoch ends with the epoch, however short, and that of a run with the run, so that a checkpoint there is
complete.

*Schedulers* step once an epoch, or after every step of their phase.

*Randomness.* All that torch draws in a training step is a function of (seed, batches seen, process): a
resumed run repeats an uninterrupted one, and validation cannot shift it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import ParallelStrategy
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from datamodules.errors import InputError
from datamodules.private_api import writes_log
from datamodules.seeding import derive_seed, global_seed
from lightning_models.training.ema import STATISTICS, EvaluateAverage, WeightAverage
from lightning_models.training.gradient_scaling import SharedScale
from lightning_models.training.learning_rate import WarmUpCosine
from lightning_models.training.preflight import (
    check_clipping,
    check_precision,
    check_system,
    check_trainer,
    clip_of_phases,
    phase_parameters,
)
from lightning_models.training.run_length import batch_limit, take_over_limit, units_of_run
from lightning_models.training.saved_training import SavedTraining
from lightning_models.training.schedulers import able_to_step, take_step
from lightning_models.training.shared_buffers import SharedBuffers
from lightning_models.training.shared_with_data import check_shared
from lightning_models.training.weights import LossWeights, TermWeights, chosen_weights, plain_weights


class PhasedModule(SavedTraining):
    """Base of all systems. They hand on as ``**training`` what they do not use themselves.

    Every argument of a system is one of its ``hparams``, except for what makes optimizers and schedulers; those made of
    JSON's types travel in its checkpoints.

    Args:
        optimizers: for every phase what makes its optimizer from its parameters; None: the published one.
        averaged_phase: phase whose weights ``ema_decay`` averages.
        schedulers: for a phase what makes its learning rate scheduler; one not named, or None, keeps its rate.
        schedule: whether schedulers step once an ``epoch`` or after every ``step`` of their phase.
        gradient_clip: largest norm of a phase's gradient, one for all phases or one for each by name; 0 is off.
        accumulate: batches whose gradients are averaged for one step.
        ema_decay: share that the running average of the weights keeps at a step, e.g. 0.999; it then stands in
            for them in validation, test and prediction. 0 is off.
        weights: weights of loss terms over the default ones: numbers of at least 0, or schedules over the epochs.

    Attributes:
        weights: present weight of a loss term by its name, 1 for terms not named. A term weighted 0 is logged only.
    """

    phases: ClassVar[tuple[str, ...]]
    phase_modules: ClassVar[dict[str, tuple[str, ...]]]
    shared_with_data: ClassVar[Mapping[str, str]] = {}
    """Arguments that must be those of the data module: its argument by that of the system.

    The command takes what only one of the two is given for both, and no run starts where they differ.
    """
    free_after_training: ClassVar[tuple[str, ...]] = ("schedule", "gradient_clip", "accumulate", "ema_decay", "weights")
    published_optimizers: ClassVar[Mapping[str, OptimizerCallable]] = {}
    default_weights: ClassVar[LossWeights] = LossWeights()

    def __init__(
        self,
        *,
        optimizers: Mapping[str, OptimizerCallable | None],
        averaged_phase: str,
        schedulers: Mapping[str, LRSchedulerCallable | None] | None = None,
        schedule: Literal["epoch", "step"] = "epoch",
        gradient_clip: float | dict[str, float] = 0.0,
        accumulate: int = 1,
        ema_decay: float = 0.0,
        weights: LossWeights | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        parts = [self.argument(phase, part) for phase in self.phases for part in ("optimizer", "scheduler")]
        self.save_hyperparameters(ignore=["optimizers", "schedulers", "averaged_phase", *parts])
        chosen = chosen_weights(weights, self.default_weights)
        if "weights" in self.hparams:
            self.save_hyperparameters({"weights": plain_weights(chosen)})
        self.automatic_optimization = False
        if self.phase_modules.keys() != set(self.phases):
            raise TypeError(f"{type(self).__name__} has phases {self.phases} but phase_modules {self.phase_modules}")
        if accumulate < 1:
            raise InputError(f"accumulate is {accumulate}; give a whole number of at least 1")
        given = {phase: make for phase, make in optimizers.items() if make is not None}
        self.optimizer_factories = {**self.published_optimizers, **given}
        self.scheduler_factories = dict(schedulers or {})
        self.schedule = schedule
        self.averaged_phase = averaged_phase
        self.gradient_clips = clip_of_phases(gradient_clip, self.phases)
        self.accumulate = accumulate
        self.average = WeightAverage(ema_decay) if ema_decay else None
        self.weights = TermWeights(chosen, self.default_weights)
        self._batch_limit: int | None = None
        self._window_batches = 0  # batches whose gradients wait for the end of the window
        self._weights_checked = False
        self._optimizers: dict[str, Optimizer] = {}
        self._schedulers: dict[str, LRScheduler] = {}
        self._averaged: dict[str, Parameter] = {}
        self._scale: SharedScale | None = None  # under 16-mixed only

    @property
    def epochs_seen(self) -> float:
        """Passes over the training data since the start of the run, with the fraction of the present one."""
        return self.batches_seen / self.trainer.num_training_batches

    @property
    def window_is_open(self) -> bool:
        """Whether gradients wait for further batches."""
        return self._window_batches > 0

    # ---------------------------------------------------------------- what a system writes

    def prepare(self, batch: Any) -> Any:
        """Return what the phases of this batch share, such as the generated samples with their graph.

        Where the phase that the graph belongs to is not due (``phase_due``), ``torch.no_grad()`` saves its cost.
        """
        return batch

    # ---------------------------------------------------------------- the step

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Train every due phase on one batch."""
        if self.weights.schedules and self._window_batches == 0:  # the batches of a step count by the same weights
            self.weights.follow(self.epochs_seen)
        is_last = self.trainer.is_last_batch or self.batches_seen + 1 == self._batch_limit
        closes = self._window_batches + 1 == self.accumulate or is_last
        if self._window_batches == 0 and self._scale is not None:
            self._scale.start_window(self.device)
        with self._own_randomness():
            forward = self.prepare(batch)
            for phase, optimizer in zip(self._optimizers, self._lightning_optimizers(), strict=True):
                if self.phase_due(phase):
                    self._train_phase(phase, optimizer, forward, closes)
        self._weights_checked = self._weights_checked or self.weights.check_taken(self._optimizers)
        self._log_latest()
        self.batches_seen += 1
        self.windows_seen += closes
        self._window_batches = 0 if closes else self._window_batches + 1
        log_interval: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it late
        if self.batches_seen % max(log_interval, 1) == 0:
            # at the log's rhythm, when values are fetched from the device anyway
            self.stop_where_not_finite()

    def phase_due(self, phase: str) -> bool:
        """Tell whether the phase is trained on the present batch."""
        return phase in self._optimizers

    def _train_phase(self, phase: str, optimizer: LightningOptimizer, forward: Any, closes: bool) -> None:
        if self._window_batches == 0:
            optimizer.zero_grad(set_to_none=True)
        elif closes and self._scale is not None:
            self._scale.follow(phase)
        rate = optimizer.param_groups[0]["lr"]  # of this batch; the scheduler may move it below
        with self.toggled_optimizer(optimizer), self._gradients_kept_local(not closes):
            terms: dict[str, Tensor] = getattr(self, f"{phase}_loss")(forward)
            total = self.weights.total(phase, terms)
            self.manual_backward(total)
            if closes:
                optimizer.step()
        if closes and phase == self.averaged_phase and self.average is not None:
            self.average.update(self._averaged)
        if closes and self.schedule == "step" and phase in self._schedulers:
            take_step(self.argument(phase, "scheduler"), self._schedulers[phase])
        self._record(phase, {**terms, "total": total}, closes)
        self._latest[f"train/{phase}/learning_rate"] = rate

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Average the window's gradients and clip them; the gradient scaler has unscaled them by now."""
        phase = next(name for name, own in self._optimizers.items() if own is optimizer)
        batches = self._window_batches + 1
        if batches > 1:
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    if weight.grad is not None:
                        weight.grad.div_(batches)
        if norm := self.gradient_clips.get(phase):
            # Lightning would refuse a fused optimizer, also where nothing is scaled
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, norm)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Draw from generators that depend on the step alone, and leave the global ones as they were."""
        cuda = [self.device] if self.device.type == "cuda" else []
        seed = derive_seed(global_seed(), "train", self.batches_seen, self.global_rank)
        with torch.random.fork_rng(devices=cuda):
            # torch.manual_seed would also queue a seed for devices that this process never starts
            torch.default_generator.manual_seed(seed)
            if cuda:
                torch.cuda.manual_seed(seed)
            yield

    def _gradients_kept_local(self, local: bool) -> AbstractContextManager[None]:
        """Within a window gradients add up in each process; they travel at its end."""
        strategy = self.trainer.strategy
        return strategy.block_backward_sync() if local and isinstance(strategy, ParallelStrategy) else nullcontext()

    def _lightning_optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    # ---------------------------------------------------------------- watching

    def _record(self, phase: str, terms: dict[str, Tensor], stepped: bool) -> None:
        self._non_finite.note(phase, terms, self.batches_seen)
        self._latest |= {f"train/{phase}/{name}": term.detach() for name, term in terms.items()}
        if stepped and self._scale is not None:
            self._scale.after_step(phase)
            self._latest[f"train/{phase}/skipped_steps"] = float(self._scale.skipped[phase])

    def _log_latest(self) -> None:
        """Log every phase's latest values on the batches of which Lightning writes a row, and at an epoch's end.

        Logging at every batch would cost 0.4 ms a value, and what is not written is not seen.
        """
        if self.trainer.is_last_batch or writes_log(self.trainer):
            # batch_size only weighs means over an epoch; given, it keeps Lightning from searching the batch for it
            self.log_dict(self._latest, logger=bool(self.trainer.loggers), batch_size=1)

    # ---------------------------------------------------------------- before the first step

    def configure_callbacks(self) -> list[Callback]:
        """Check trainer and data before anything is decoded; hand over what accompanies the training."""
        if self.trainer.lightning_module is self:  # samples are drawn by a wrapper, which casts what it is given
            check_precision(self.trainer)
        limits: list[Callback] = []
        if self.trainer.state.fn == TrainerFn.FITTING:
            check_trainer(self.trainer)  # before Lightning does in words of its own
            limits = take_over_limit(self.trainer)
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        if data is not None:
            self.check_data(data)
        evaluate = [EvaluateAverage(self.average, self._averaged_tensors)] if self.average is not None else []
        return [SharedBuffers(), *evaluate, *limits]

    def check_data(self, data: object) -> None:
        """Refuse a data module whose batches the system cannot take, as far as its arguments tell.

        Raises:
            InputError: naming the keys and values of both.
        """
        check_shared(self.shared_with_data, self.hparams, data)

    @property
    def optimizer_arguments(self) -> list[str]:
        """Names of the arguments that make the optimizers, in their order."""
        return [self.argument(phase, "optimizer") for phase in self._optimizers]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make an optimizer and, where wanted, a scheduler for every phase that has parameters to train."""
        self._optimizers, self._schedulers, self._window_batches = {}, {}, 0
        self._batch_limit = batch_limit(self.trainer)
        for phase in self.phases:
            parameters = phase_parameters(self, self.phase_modules[phase]).values()
            if trained := [weight for weight in parameters if weight.requires_grad]:
                self._optimizers[phase] = optimizer = self._optimizer_factory(phase)(trained)
                if make_scheduler := self.scheduler_factories.get(phase):
                    scheduler = make_scheduler(optimizer)
                    if isinstance(scheduler, WarmUpCosine) and scheduler.total is None:
                        scheduler.last_until(units_of_run(self.trainer, self.schedule, self.accumulate))
                    self._schedulers[phase] = able_to_step(self.argument(phase, "scheduler"), scheduler)
        check_system(self, self._optimizers)
        self._averaged = self._averaged_parameters()
        precision = self.trainer.precision_plugin
        scaler = precision.scaler if isinstance(precision, MixedPrecision) else None
        if scaler is not None:
            check_clipping(self._optimizers, self.gradient_clips, self.argument)
        self._scale = None if scaler is None else SharedScale(scaler, self._optimizers)
        return list(self._optimizers.values()), list(self._schedulers.values())

    def _optimizer_factory(self, phase: str) -> OptimizerCallable:
        if phase not in self.optimizer_factories:
            raise InputError(
                f"model.{self.argument(phase, 'optimizer')} is not given, and {type(self).__name__} has no published "
                "one: give for example torch.optim.Adam"
            )
        return self.optimizer_factories[phase]

    def take_average(self) -> None:
        """Let the average of the weights stand in for them from here on, as in a prediction, where one is kept."""
        if self.average is not None:
            self.average.swap_in(self._averaged_tensors())

    def settle_average(self, run: Callable[[], object]) -> None:
        """Let data pass through the average, where there is one, so that BatchNorm's statistics of its own follow.

        Args:
            run: passes them through the networks, as a training does; no gradient is kept.
        """
        if self.average is not None and self.average.updates:
            with self._own_randomness(), self.average.settling(self._averaged_tensors()):
                run()

    def _averaged_parameters(self) -> dict[str, Parameter]:
        return phase_parameters(self, self.phase_modules[self.averaged_phase])

    def _averaged_tensors(self) -> dict[str, Tensor]:
        modules = tuple(f"{name}." for name in self.phase_modules[self.averaged_phase])
        own = {name: one for name, one in self.named_buffers() if name.startswith(modules)}
        statistics = {name: one for name, one in own.items() if name.endswith(STATISTICS)}
        return {**self._averaged_parameters(), **statistics}

    # ---------------------------------------------------------------- epochs

    def on_train_epoch_end(self) -> None:
        """Check the losses and step the schedulers."""
        self.stop_where_not_finite()
        if self.schedule == "epoch":
            for phase, scheduler in self._schedulers.items():
                take_step(self.argument(phase, "scheduler"), scheduler)
