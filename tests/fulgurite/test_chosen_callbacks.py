from pathlib import Path

import pytest
import yaml
from lightning.pytorch import LightningModule
from lightning.pytorch import callbacks as lightnings
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.errors import InputError
from fulgurite.chosen_callbacks import check_fit_for
from fulgurite.cli import main

UNFIT = [
    (lightnings.StochasticWeightAveraging(0.1), "model.ema_decay"),
    (lightnings.EMAWeightAveraging(), "model.ema_decay"),
    (lightnings.LearningRateFinder(), "rate of each optimizer"),
    (lightnings.BatchSizeFinder(), "data.batch_size"),
    (lightnings.GradientAccumulationScheduler({0: 2}), "model.accumulate"),
    (lightnings.BackboneFinetuning(), "--ckpt_path PATH"),
    (lightnings.ModelPruning("l1_unstructured"), "sizes of the networks"),
]


class Manual(LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


def answer(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "tiny.yaml", *words])
    assert end.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(("callback", "remedy"), UNFIT, ids=lambda value: type(value).__name__)
def test_a_callback_for_one_optimizer_is_refused_for_several_only(callback, remedy):
    with pytest.raises(InputError, match=rf"trainer\.callbacks: {type(callback).__name__} .* Manual steps.*{remedy}"):
        check_fit_for(Manual(), [callback])
    check_fit_for(LightningModule(), [callback])


@pytest.fixture
def shipped(experiment):
    """The experiment, with callbacks in its file."""
    settings = yaml.safe_load(Path(experiment).read_text())
    settings["trainer"]["callbacks"] = [{"class_path": name} for name in ("RichModelSummary", "LearningRateMonitor")]
    Path(experiment).write_text(yaml.safe_dump(settings))


def test_a_callback_that_would_replace_the_others_is_refused(shipped, capsys):
    for words in (["--trainer.callbacks", "Timer"], ["--trainer.callbacks=Timer"]):
        assert (
            answer(capsys, *words)
            == "error: --trainer.callbacks Timer: this would take the place of RichModelSummary, LearningRateMonitor "
            "(in tiny.yaml). To add it write --trainer.callbacks+ Timer; to have no other, "
            "--trainer.callbacks '[{class_path: Timer}]'"
        )


@pytest.mark.parametrize("words", [["--trainer.callbacks+", "Timer"], ["--trainer.callbacks", "[{class_path: Timer}]"]])
def test_one_that_is_added_or_alone_on_purpose_is_not(words, shipped, fit):
    chosen = yaml.safe_load((fit(*words, "--trainer.max_epochs", "1") / "config.yaml").read_text())["trainer"][
        "callbacks"
    ]
    names = [one["class_path"].rpartition(".")[2] for one in chosen]
    assert names == ["RichModelSummary", "LearningRateMonitor"] * words[0].endswith("+") + ["Timer"]


def test_the_first_callback_of_a_run_needs_no_plus(fit):
    assert (fit("--trainer.callbacks", "Timer", "--trainer.max_epochs", "1") / "config.yaml").is_file()


def test_a_checkpoint_callback_of_the_user_writes_beside_ours(fit):
    run = fit("--trainer.callbacks", "ModelCheckpoint", "--trainer.callbacks.filename", "mine-{epoch}")
    found = {path.relative_to(run).as_posix() for path in run.rglob("*.ckpt")}
    assert found == {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "checkpoints/mine-epoch=1.ckpt"}


def test_but_none_of_our_files(experiment, capsys):
    for key, value in (("save_last", "true"), ("filename", "best")):
        said = answer(capsys, "--trainer.callbacks", "ModelCheckpoint", f"--trainer.callbacks.{key}", value)
        assert "ModelCheckpoint would write last.ckpt or best.ckpt, which are always written" in said


def test_what_lightning_says_of_a_configuration_is_a_sentence(experiment, capsys):
    said = answer(capsys, "--trainer.limit_val_batches", "0.001")
    assert said.startswith("error: You requested to check 0.001 of the `val_dataloader`")
    assert "Try at least `limit_val_batches=" in said


def test_so_is_what_it_misses(experiment, monkeypatch, capsys):
    monkeypatch.setattr(lightnings.device_stats_monitor, "_PSUTIL_AVAILABLE", False)
    said = answer(capsys, "--trainer.callbacks", "DeviceStatsMonitor")
    assert said.startswith("error: `DeviceStatsMonitor` cannot log CPU stats as `psutil` is not installed")


def test_a_missing_package_of_somebody_else_is_a_defect(experiment, monkeypatch):
    def broken(self, *_, **__):
        raise ModuleNotFoundError("No module named 'mine'")

    monkeypatch.setattr(ModelCheckpoint, "setup", broken)
    with pytest.raises(ModuleNotFoundError, match="mine"):
        main(["fit", "--config", experiment, "--trainer.callbacks", "ModelCheckpoint"])


def test_two_whose_state_is_one_are_refused(experiment, capsys):
    stopping = "{class_path: EarlyStopping, init_args: {monitor: val/score}}"
    said = answer(capsys, "--trainer.callbacks", f"[{stopping}, {stopping}]")
    assert said.startswith("error: trainer.callbacks: EarlyStopping stands there twice, ")
    other = stopping.replace("}}", ", mode: max}}")
    main(["fit", "--config", experiment, "--trainer.callbacks", f"[{stopping}, {other}]"])
