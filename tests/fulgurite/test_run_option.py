"""A run is all that a verb needs to be told."""

import shutil
from pathlib import Path

import pytest
import torch

from datamodules.errors import InputError
from fulgurite.cli import main
from fulgurite.run_option import of_run


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("named", ["runs/tiny/latest", "runs/tiny", "runs/tiny/latest/checkpoints/best.ckpt"])
def test_a_run_brings_its_configuration_and_its_weights(named, fit, capsys):
    run = fit("--model.width", "3")
    Path("tiny.yaml").unlink()
    main(["validate", "--run", named])
    main(["test", f"--run={named}", "--data.batch_size", "3"])
    said = capsys.readouterr().out
    assert said.count(f"Run folder: {run.relative_to(Path.cwd())}") >= 1
    assert [path.name for path in Path("runs/tiny").iterdir() if not path.is_symlink()] == [run.name]


def test_what_is_typed_wins(experiment):
    words = ["--ckpt_path", "last", "--config", "more.yaml"]
    Path("runs/a/b").mkdir(parents=True)
    Path("runs/a/b/config.yaml").touch()
    assert of_run(["test", "--run", "runs/a/b", *words]) == ["test", "--config", "runs/a/b/config.yaml", *words]
    assert of_run(["predict", "film.mp4", "--run", "runs/a/b"]) == [
        *("predict", "--config", "runs/a/b/config.yaml"),
        *("--data.source", "film.mp4", "--ckpt_path", "best"),
    ]
    assert of_run(["fit", "--run", "runs/a/b"])[-2:] == ["--ckpt_path", "last"]
    for group in (["--run", '{"name": "a"}'], ['--run={"name": "a"}'], ["--run.name", "a"]):
        assert of_run(["fit", *group]) == ["fit", *group]


def test_fit_goes_on_with_a_run(fit):
    run = fit()
    main(["fit", "--run", "runs/tiny/latest", "--trainer.max_epochs", "3"])
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 2


def test_a_checkpoint_alone_is_enough(fit, capsys):
    best = fit("--model.width", "3") / "checkpoints/best.ckpt"
    shutil.copyfile(best, "alone.ckpt")
    shutil.rmtree("runs")
    Path("tiny.yaml").unlink()
    main(["test", "--run", "alone.ckpt", "--trust", "tiny"])
    assert "test/score" in capsys.readouterr().out
    assert "the package tiny is not trusted" in refused(capsys, "test", "--run", "alone.ckpt")


def test_what_is_no_run_is_told_with_those_that_are(fit, capsys):
    run = fit()
    assert refused(capsys, "test", "--run", "runs/tinny").endswith(
        "--run runs/tinny: there is no such run. Give a folder that lightning fit has made, such as runs/vta_gan/latest"
    )
    said = refused(capsys, "test", "--run", "runs/tiny/yesterday")
    assert f"there is no such run. There are runs/tiny/{run.name}" in said
    assert "this is no run, it has no config.yaml" in refused(capsys, "test", "--run", "runs")
    assert "--run: a value is missing" in refused(capsys, "test", "--run")
    checkpoint = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
    torch.save({key: value for key, value in checkpoint.items() if key != "config"}, "old.ckpt")
    assert "it holds no configuration" in refused(capsys, "test", "--run", "old.ckpt")


def test_two_sources_are_one_too_many():
    with pytest.raises(InputError, match=r"film.mp4: a second source"):
        of_run(["predict", "film.mp4", "--data.source=other.mp4"])
