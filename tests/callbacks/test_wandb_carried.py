from pathlib import Path
from types import SimpleNamespace

import pytest

from callbacks import Checkpoints, SoundMetrics, wandb_carried
from callbacks.checkpoints import Record
from callbacks.wandb_carried import best_of_all, configuration, define_best, upload


class Run:
    """A run online, which notes what it is given."""

    def __init__(self, offline=False):
        self.offline, self.kept, self.defined = offline, [], {}

    def log_artifact(self, artifact):
        self.kept.append((artifact.name, artifact.type, sorted(artifact.manifest.entries)))

    def define_metric(self, name, step_metric, summary):
        self.defined[name] = (step_metric, summary)


class Data:
    source = "somewhere"

    def fingerprints(self):
        return {"train": "0123"}


@pytest.fixture
def trainer(tmp_path):
    run = tmp_path / "exp" / "a=1"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints/best.ckpt").write_bytes(b"weights")
    (run / "results/x").mkdir(parents=True)
    (run / "results/x/results.json").write_text("{}")
    checkpoints = Checkpoints("val/l1", "min")
    checkpoints.best = Record("val/l1", 0.25, None, 3, 40)
    metrics = SoundMetrics()
    metrics.results_folder = run / "results/x"
    return SimpleNamespace(
        default_root_dir=run,
        callbacks=[metrics, checkpoints],
        checkpoint_callbacks=[checkpoints],
        datamodule=Data(),
        lightning_module=None,
    )


@pytest.mark.parametrize(
    ("stage", "kept"),
    [
        ("fit", [("exp-a_1-weights", "model", ["best.ckpt"])]),
        ("test", [("exp-a_1-results", "results", ["results.json"])]),
        ("validate", []),
    ],
)
def test_weights_and_results_are_kept_online_and_never_offline(trainer, stage, kept):
    online, offline = Run(), Run(offline=True)
    upload(trainer, online, stage)
    upload(trainer, offline, stage)
    assert (online.kept, offline.kept) == (kept, [])


def test_a_training_without_a_checkpoint_keeps_none(trainer):
    (trainer.default_root_dir / "checkpoints/best.ckpt").unlink()
    run = Run()
    upload(trainer, run, "fit")
    assert run.kept == []


def test_the_best_is_that_of_the_whole_run(trainer):
    assert best_of_all(trainer) == {"best/val/l1": 0.25, "best/batches": 40}
    trainer.checkpoint_callbacks[0].best = Record("val/l1")
    assert best_of_all(trainer) == {}


def test_the_summary_shows_the_best_by_the_better_way_of_each_metric(trainer):
    run = Run()
    define_best(trainer, run)
    assert run.defined["val/l1"] == ("batches", "min")
    assert run.defined["val/psnr"] == ("batches", "max")
    assert "val/frame_change" not in run.defined  # neither way is better


@pytest.mark.parametrize(
    ("told", "commit", "dirty"), [("abc", "abc", False), ("abc-dirty", "abc", True), (None, None, None)]
)
def test_what_a_run_is_made_of(trainer, monkeypatch, told, commit, dirty):
    monkeypatch.setattr(wandb_carried, "commit", lambda: told)
    (trainer.default_root_dir / "config.yaml").write_text("model: {width: 3}\n")
    found = configuration(trainer, "fit")
    assert found["model"] == {"width": 3}
    about = found["about"]
    assert (about["commit"], about["dirty"]) == (commit, dirty)
    assert (about["source"], about["fingerprints"]) == (str(Path("somewhere").absolute()), {"train": "0123"})
    assert "about_test" in configuration(trainer, "test")
    (trainer.default_root_dir / "config.yaml").unlink()
    trainer.lightning_module = SimpleNamespace(hparams={"width": 5})
    assert configuration(trainer, "fit")["model"] == {"width": 5}
