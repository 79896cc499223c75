import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks.batches_seen import batches_seen
from lightning_models.training.phases import PhasedModule


class Phased(PhasedModule):
    phases = ("only",)
    phase_modules = {"only": ("network",)}  # noqa: RUF012

    def __init__(self, accumulate=1):
        super().__init__(
            optimizers={"only": lambda weights: torch.optim.SGD(weights, 0.1)},
            averaged_phase="only",
            accumulate=accumulate,
        )
        self.network = torch.nn.Linear(1, 1)

    def only_loss(self, batch):
        return {"loss": self.network(batch).square().mean()}

    def validation_step(self, batch, batch_idx):
        pass


class Plain(LightningModule):
    def __init__(self):
        super().__init__()
        self.network = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        return self.network(batch).square().mean()

    validation_step = Phased.validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Counts(Callback):
    """Notes the number beside that of Lightning's loop."""

    def __init__(self):
        self.batches, self.validations, self.of_the_loop = [], [], []

    def on_train_batch_end(self, trainer, pl_module, *given):
        self.batches.append(batches_seen(trainer))
        self.of_the_loop.append(trainer.fit_loop.epoch_loop.total_batch_idx + 1)

    def on_validation_epoch_end(self, trainer, pl_module):
        self.validations.append(batches_seen(trainer))


def run(folder, epochs, **kwargs):
    counts = Counts()
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        max_epochs=epochs,
        num_sanity_val_steps=0,
        callbacks=[counts],
        **kwargs,
    )
    return trainer, counts


DATA = DataLoader(torch.ones(5, 1))


def test_it_is_the_number_of_the_loop_in_a_fit_resumed_under_accumulation(tmp_path):
    trainer, half = run(tmp_path, 1, val_check_interval=2)
    trainer.fit(Phased(accumulate=2), DATA, DATA)
    assert half.batches == half.of_the_loop == [1, 2, 3, 4, 5]
    assert half.validations == [2, 4]
    path = trainer.checkpoint_callback.best_model_path  # written with the last validation, after four batches
    trainer, rest = run(tmp_path, 3)
    trainer.fit(Phased(accumulate=2), DATA, DATA, ckpt_path=path)
    assert rest.batches == rest.of_the_loop == list(range(5, 16))
    assert rest.validations == [5, 10, 15]


def test_it_is_that_of_the_weights_elsewhere(tmp_path):
    trainer, _ = run(tmp_path, 2)
    trainer.fit(Phased(), DATA, DATA)
    other, counts = run(tmp_path, 2)
    other.validate(Phased(), DATA, ckpt_path=trainer.checkpoint_callback.best_model_path, verbose=False)
    assert counts.validations == [10]


def test_of_a_module_that_does_not_count_it_is_that_of_the_loop(tmp_path):
    trainer, counts = run(tmp_path, 1, enable_checkpointing=False)
    trainer.fit(Plain(), DATA, DATA)
    assert counts.batches == [1, 2, 3, 4, 5]
    assert counts.validations == [5]
