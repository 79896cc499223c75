import csv

import pytest
import torch
import yaml

from fulgurite.cli import main


def rows(run):
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_fit_leaves_a_run_folder(fit, capsys):
    run = fit()
    assert {p.name for p in run.iterdir()} >= {"config.yaml", "metrics.csv", "checkpoints"}
    assert {p.name for p in (run / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}
    assert [row["step"] for row in rows(run) if row["train/loss"]] == ["1", "2", "3", "4"]
    assert f"Run folder: runs/tiny/{run.name}" in capsys.readouterr().out


def test_later_configs_win_and_the_command_line_wins_over_all(fit, tmp_path):
    (tmp_path / "overlay.yaml").write_text("model: {width: 3, lr: 0.5}\ntrainer: {max_epochs: 1}\n")
    saved = yaml.safe_load((fit("--config", "overlay.yaml", "--model.lr", "0.25") / "config.yaml").read_text())
    assert saved["model"]["init_args"]["width"] == 3
    assert saved["model"]["init_args"]["lr"] == 0.25
    assert saved["trainer"]["max_epochs"] == 1


def test_saved_config_repeats_the_run_in_a_new_folder(fit):
    first = fit("--trainer.max_epochs", "1")
    main(["fit", "--config", str(first / "config.yaml")])
    latest = (first.parent / "latest").resolve()
    assert latest.parent == first.parent
    assert latest != first
    assert rows(latest) == rows(first)
    assert (latest / "config.yaml").read_text() == (first / "config.yaml").read_text()


def test_last_goes_on_in_the_same_folder(fit):
    run = fit()
    assert fit("--ckpt_path", "last", "--trainer.max_epochs", "3") == run
    assert [row["step"] for row in rows(run) if row["train/loss"]] == ["1", "2", "3", "4", "5", "6"]
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 2


def test_what_the_user_types_wins_over_the_checkpoint(fit, monkeypatch):
    fit()
    rates = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(
        "torch.optim.SGD.step", lambda self, closure: rates.append(self.param_groups[0]["lr"]) or step(self, closure)
    )
    fit("--ckpt_path", "last", "--trainer.max_epochs", "3", "--model.lr", "0.001")
    assert set(rates) == {0.001}


@pytest.mark.parametrize("which", ["best", "last", "path"])
def test_other_verbs_work_in_the_folder_of_their_checkpoint(fit, experiment, which, capsys):
    first, second = fit("--run.name", "first"), fit()
    path = str(first / "checkpoints/last.ckpt") if which == "path" else which
    for verb in ("validate", "test", "predict"):
        main([verb, "--config", experiment, "--ckpt_path", path])
    expected = first if which == "path" else second
    assert f"Run folder: runs/tiny/{expected.name}" in capsys.readouterr().out
    assert (first.parent / "latest").resolve() == second
    assert len(list(first.parent.iterdir())) == 3
