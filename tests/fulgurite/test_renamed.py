"""A configuration or an option that uses an old name is refused with the new name and the value."""

import pytest

from fulgurite import renamed
from fulgurite.cli import main


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setattr(
        renamed,
        "RENAMED",
        {
            "model.breadth": "model.width",
            "model.heaviness": "model.weights, in which what is not named stays",
            "run.folder": "run.name",
            "EarlyStopping.endurance": "EarlyStopping.patience",
            "TinyNet": "TinyModel",
        },
    )


def answer(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "tiny.yaml", *words])
    said = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2
    assert len(said) == 1
    return said[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--model.breadth 3", "--model.breadth 3: now called model.width; write --model.width 3"),
        ("--model.init_args.breadth=3", "--model.breadth 3: now called model.width; write --model.width 3"),
        (
            "--model.heaviness.a 3",
            "--model.heaviness.a 3: now called model.weights.a, in which what is not named stays; "
            "write --model.weights.a 3",
        ),
        ("--run.folder x", "--run.folder x: now called run.name; write --run.name x"),
        ("--model lightning_models.TinyNet", "model = lightning_models.TinyNet: this class is now called TinyModel"),
    ],
)
def test_on_the_command_line(words, said, experiment, capsys):
    assert answer(capsys, *words.split()) == f"error: {said}"


def test_all_of_a_file_at_once(experiment, capsys, tmp_path):
    (tmp_path / "old.yaml").write_text(
        "model: {init_args: {breadth: 3, heaviness: {a: 1.5}, lr: 0.5}}\n"
        "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitor: x, endurance: 4}}]}\n"
    )
    assert answer(capsys, "--config", "old.yaml") == (
        "error: model.breadth = 3 (in old.yaml): now called model.width; write model.width: 3; "
        "model.heaviness (in old.yaml): now called model.weights, in which what is not named stays; "
        "write model.weights: {a: 1.5}; "
        "trainer.callbacks.endurance = 4 (in old.yaml): now called EarlyStopping.patience; "
        "write EarlyStopping.patience: 4"
    )


def test_an_old_name_that_is_in_use_again_is_not_refused(fit, monkeypatch):
    monkeypatch.setitem(renamed.RENAMED, "model.lr", "model.width")
    fit("--model.lr", "0.5")


def test_an_argument_of_the_class_that_is_chosen_before(experiment, capsys, monkeypatch):
    monkeypatch.setitem(renamed.RENAMED, "TinyModel.size_of_line", "model.width")
    monkeypatch.setitem(renamed.RENAMED, "TinyData.size_of_line", "data.source")
    assert answer(capsys, "--model.size_of_line", "3") == (
        "error: --model.size_of_line 3: now called model.width; write --model.width 3"
    )


def test_a_value_that_has_become_a_class(experiment, capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(renamed.RENAMED, "TinyModel.shape", "model.kind")
    monkeypatch.setitem(renamed.RENAMED, "TinyModel.shape=wide", "model.kind: warm")
    (tmp_path / "old.yaml").write_text("model: {class_path: TinyModel, init_args: {shape: wide}}\n")
    assert answer(capsys, "--config", "old.yaml") == "error: model.shape = wide (in old.yaml): write model.kind: warm"
