import json

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import AdversarialHealth
from datamodules.errors import InputError
from datamodules.protocols import AddsToResults

SATURATED = {"real": 0.9999, "reconstruction": 0.0001, "sample": 0.0002, "accuracy": 1.0}
BALANCED = {"real": 0.72, "reconstruction": 0.35, "sample": 0.2, "accuracy": 0.87}
WINNING = {"real": 0.95, "reconstruction": 0.04, "sample": 0.03, "accuracy": 1.0}
WON = {"real": 0.86, "reconstruction": 0.13, "sample": 0.12, "accuracy": 1.0, "objective": 0.004}  # by hinge
BLIND = {"real": 0.501, "reconstruction": 0.5, "sample": 0.499, "accuracy": 0.5}


class Game(LightningModule):
    """Plays back what a discriminator thought of each batch."""

    def __init__(self, course, diversity=()):
        super().__init__()
        self.course, self.diversity, self.health = course, list(diversity), {}
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        told = self.course(self.trainer.fit_loop.epoch_loop.total_batch_idx)
        self.health = {name: torch.tensor(value) for name, value in told.items()}
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        self.log("val/sample_diversity", self.diversity[self.current_epoch])

    def test_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Deaf(LightningModule):
    training_step, configure_optimizers = Game.training_step, Game.configure_optimizers


def fit(folder, course, batches=120, epochs=1, diversity=(), callback=None, ckpt_path=None, **kwargs):
    callback = callback or AdversarialHealth(window=20)
    model = Game(course, diversity)
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        max_epochs=epochs,
        num_sanity_val_steps=0,
        limit_val_batches=1 if diversity else 0,
        **({"enable_checkpointing": False, "log_every_n_steps": 5} | kwargs),
    )
    run.fit(model, DataLoader(torch.zeros(batches, 1)), DataLoader(torch.zeros(1, 1)), ckpt_path=ckpt_path)
    return callback, run


def noisy(values, spread=0.02):
    """A game with the noise of small batches."""

    def course(batch):
        random = torch.Generator().manual_seed(batch)
        noise = torch.randn(len(values), generator=random).mul(spread).tolist()
        return {
            name: min(max(value + shift, 0.0), 1.0) for (name, value), shift in zip(values.items(), noise, strict=True)
        }

    return course


def test_a_discriminator_that_knows_everything_is_reported_once(tmp_path):
    with pytest.warns(UserWarning, match="discriminator_saturated: the discriminator has collapsed") as warned:
        callback, run = fit(tmp_path, lambda batch: BALANCED if batch < 50 else SATURATED)
    assert sum("collapsed" in str(one.message) for one in warned) == 1
    # the window of 20 that is saturated throughout ends at batch 70
    assert callback.found["discriminator_saturated"]["since_batch"] == 70
    written = json.loads((tmp_path / "adversarial_health.json").read_text())
    assert written["collapsed"]["discriminator_saturated"]["at_the_end"]
    assert written["last_window"] == pytest.approx(SATURATED)
    assert run.callback_metrics["train/health/real"] == pytest.approx(0.9999)


def test_a_discriminator_with_nothing_left_to_learn_has_won_however_close_its_probabilities(tmp_path):
    with pytest.warns(UserWarning, match=r"discriminator_won: .* nothing is left for it to learn .* Weaken it"):
        callback, _ = fit(tmp_path / "won", lambda batch: WINNING | {"objective": 0.3} if batch < 50 else WON)
    assert set(callback.found) == {"discriminator_won"}
    assert callback.found["discriminator_won"]["at_the_end"]
    with pytest.warns(UserWarning, match="discriminator_saturated"):
        callback, _ = fit(tmp_path / "saturated", lambda batch: SATURATED | {"objective": 0.0001})
    assert set(callback.found) == {"discriminator_saturated"}
    callback, _ = fit(tmp_path / "sometimes wrong", lambda batch: WON | {"accuracy": 0.98})
    assert callback.found == {}


@pytest.mark.parametrize(
    "course", [noisy(BALANCED | {"objective": 0.9}), noisy(BALANCED), noisy(WINNING, 0.01), noisy(BALANCED, 0.2)]
)
def test_a_game_that_is_played_is_left_alone(tmp_path, course, recwarn):
    callback, _ = fit(tmp_path, course)
    assert callback.found == {}
    assert not any("collapsed" in str(one.message) for one in recwarn)
    assert json.loads((tmp_path / "adversarial_health.json").read_text())["collapsed"] == {}


def test_a_blind_discriminator_is_reported_but_not_one_that_only_begins(tmp_path):
    callback, _ = fit(tmp_path / "begins", lambda batch: BLIND if batch < 20 else BALANCED)
    assert callback.found == {}
    with pytest.warns(UserWarning, match="discriminator_blind: .* cannot tell real from generated"):
        callback, _ = fit(tmp_path / "stays", lambda batch: BLIND)
    assert callback.found["discriminator_blind"]["since_batch"] == 40


def test_what_passes_is_no_longer_there_at_the_end(tmp_path):
    with pytest.warns(UserWarning, match="discriminator_saturated"):
        callback, _ = fit(tmp_path, lambda batch: SATURATED if batch < 60 else BALANCED)
    assert callback.found["discriminator_saturated"]["since_batch"] == 40
    assert not callback.found["discriminator_saturated"]["at_the_end"]


def record(folder):
    return json.loads((folder / "adversarial_health.json").read_text())


@pytest.mark.parametrize(("batches", "judged"), [(35, 0), (39, 0), (40, 20), (120, 100)])
def test_what_was_never_judged_is_told_from_what_is_healthy(tmp_path, recwarn, batches, judged):
    """A row of five batches: the first window ends with batch 20, the second with batch 40."""
    fit(tmp_path, noisy(BALANCED), batches)
    assert record(tmp_path)["judged_batches"] == judged
    said = [str(one.message) for one in recwarn if "has judged nothing" in str(one.message)]
    assert len(said) == (judged == 0)
    assert all(f"saw {batches} batches" in one and "window to at most 15 to have" in one for one in said)


@pytest.mark.parametrize(("rhythm", "remedy"), [(5, "Set window to at most 5"), (6, "or lower trainer.log_every_n")])
def test_the_window_that_the_warning_names_is_judged(tmp_path, rhythm, remedy):
    with pytest.warns(UserWarning, match=remedy):
        fit(tmp_path, noisy(BALANCED), 11, log_every_n_steps=rhythm)
    if rhythm == 5:
        fit(tmp_path, noisy(BALANCED), 11, callback=AdversarialHealth(window=5))
        assert record(tmp_path)["judged_batches"] == 5


def test_batches_in_which_nobody_asks_the_discriminator_count_for_nothing(tmp_path):
    late = lambda batch: {} if batch < 100 else BALANCED  # noqa: E731
    with pytest.warns(UserWarning, match="the discriminator saw 20 batches, .* Set window to at most 10"):
        fit(tmp_path / "few", late, 120)
    callback, _ = fit(tmp_path / "enough", late, 150)
    assert record(tmp_path / "enough")["judged_batches"] == 30
    assert callback.found == {}


def test_a_game_of_other_kinds_is_judged_by_all_of_them(tmp_path):
    """As VTA-GAN's: falsified clips in place of samples, no samples and hence no word on them."""
    certain = {"real": 0.9999, "reconstruction": 0.0001, "pseudo": 0.0002, "accuracy": 1.0}
    with pytest.warns(UserWarning, match="discriminator_saturated"):
        callback, _ = fit(tmp_path / "all", lambda batch: certain)
    assert set(callback.found) == {"discriminator_saturated"}
    assert "judged_validations" not in record(tmp_path / "all")
    callback, _ = fit(tmp_path / "one is fooled", lambda batch: certain | {"pseudo": 0.5})
    assert callback.found == {}


def test_a_system_that_trains_no_discriminator_is_told_so(tmp_path):
    with pytest.warns(UserWarning, match="judged nothing: Game has trained no discriminator; it is switched off, or"):
        fit(tmp_path, lambda batch: {})


def test_scores_have_no_saturation_but_can_be_blind(tmp_path):
    alive = {"real": 31.0, "reconstruction": -12.0, "sample": -40.0, "accuracy": 1.0}
    callback, _ = fit(tmp_path / "alive", lambda batch: alive, callback=AdversarialHealth("score", 20))
    assert callback.found == {}
    with pytest.warns(UserWarning, match="discriminator_blind"):
        fit(tmp_path / "blind", lambda batch: alive | {"accuracy": 0.5}, callback=AdversarialHealth("score", 20))
    with pytest.raises(InputError, match=r"is no probability; set judge: score"):
        fit(tmp_path / "wrong", lambda batch: alive)


def test_a_generator_that_draws_one_picture_is_reported(tmp_path):
    with pytest.warns(UserWarning, match="generator_collapsed: .*below 0.05 at 3 validations in a row"):
        callback, _ = fit(tmp_path, noisy(BALANCED), 10, 5, diversity=[0.04, 0.5, 0.01, 0.02, 0.03])
    assert callback.found["generator_collapsed"]["since_batch"] == 50
    assert record(tmp_path)["judged_validations"] == 3  # the third, the fourth and the fifth
    callback, _ = fit(tmp_path, noisy(BALANCED), 10, 5, diversity=[0.01, 0.02, 0.5, 0.01, 0.02])
    assert callback.found == {}


def test_a_resumed_run_judges_as_an_uninterrupted_one(tmp_path):
    course = lambda batch: BALANCED if batch < 55 else SATURATED  # noqa: E731
    kept = {"enable_checkpointing": True}
    _, run = fit(tmp_path, course, 30, 2, **kept)
    assert run.global_step == 60
    resumed = AdversarialHealth(window=20)
    with pytest.warns(UserWarning, match="discriminator_saturated"):
        fit(tmp_path, course, 30, 4, callback=resumed, ckpt_path=run.checkpoint_callback.best_model_path, **kept)
    assert resumed.found["discriminator_saturated"]["since_batch"] == 75
    assert torch.load(run.checkpoint_callback.best_model_path, weights_only=True)["callbacks"]


def test_a_run_resumed_between_two_rows_of_the_log_repeats_an_uninterrupted_one(tmp_path):
    kept = {"enable_checkpointing": True}
    watch = lambda: AdversarialHealth(window=10)  # noqa: E731
    course = noisy(BALANCED)
    whole, _ = fit(tmp_path / "whole", course, 33, 2, callback=watch())  # rows of five: three wait at an epoch's end
    _, run = fit(tmp_path / "half", course, 33, 1, callback=watch(), **kept)
    path = run.checkpoint_callback.best_model_path
    rest, _ = fit(tmp_path / "rest", course, 33, 2, callback=watch(), ckpt_path=path)
    assert rest.means() == whole.means()
    assert rest._rows == whole._rows
    assert record(tmp_path / "rest") == record(tmp_path / "whole")


def test_nothing_is_read_from_the_device_between_two_rows_of_the_log(tmp_path, monkeypatch):
    reads = []
    read = torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: reads.append(1) or read(self))
    fit(tmp_path, noisy(BALANCED), 50)
    assert len(reads) == 4 * 50 / 5


def test_the_results_of_a_test_tell_of_the_training(tmp_path):
    with pytest.warns(UserWarning, match="saturated"):
        callback, run = fit(tmp_path, lambda batch: SATURATED)
    run.test(run.lightning_module, DataLoader(torch.zeros(1, 1)))
    assert isinstance(callback, AddsToResults)
    assert callback.results()["adversarial_health"]["collapsed"] == callback.found
    untrained = AdversarialHealth()
    Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path / "other", callbacks=[untrained]).test(
        run.lightning_module, DataLoader(torch.zeros(1, 1))
    )
    assert untrained.results() == {}


def test_the_course_of_the_game_is_sent_to_weights_and_biases(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr("callbacks.adversarial_health.show", lambda trainer, *given: sent.append(given))
    (tmp_path / "metrics.csv").write_text("step,train/health/real\n1,0.7\n2,0.8\n")
    fit(tmp_path, noisy(BALANCED), 1)
    assert sent == [("train/course", tmp_path / "media" / "course.png")]
    assert sent[0][1].is_file()


def test_what_cannot_be_watched_is_named(tmp_path):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[AdversarialHealth()],
        enable_model_summary=False,
    )
    deaf = Deaf()
    deaf.weight = torch.nn.Parameter(torch.zeros(()))
    with pytest.raises(TypeError, match="Deaf has no health"):
        run.fit(deaf, DataLoader(torch.zeros(1, 1)))
    with pytest.raises(InputError, match="window is 0"):
        AdversarialHealth(window=0)
