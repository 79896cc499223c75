import json

import pytest

from datamodules.errors import InputError
from fulgurite.cli import main
from fulgurite.written_form import check_form

WRONG = {
    "model: {class_path: TinyModel, init_args: null}": "model.init_args = null (in wrong.yaml): expected a mapping",
    "model: {class_path: TinyModel, init_args: [1]}": "model.init_args = [1] (in wrong.yaml): expected a mapping",
    "model: {class_path: null}": "model.class_path = null (in wrong.yaml): expected the name of a class",
    "model: {class_path: [TinyModel]}": "model.class_path = ['TinyModel'] (in wrong.yaml): expected the name of a",
    "model: {class_path: TinyModel, init_args: {kind: {class_path: 3}}}": "model.kind.class_path = 3 (in wrong.yaml)",
    "trainer: {callbacks: [{class_path: EarlyStopping, init_args: 7}]}": "trainer.callbacks.init_args = 7 (in wrong.y",
    "model: {init_args: .inf}": "model.init_args = inf (in wrong.yaml): expected a mapping",
    "model: {class_path: TinyModel, width: 3}": "model.width (in wrong.yaml) stands beside model.init_args; write it b",
    "trainer: {callbacks: [{class_path: Timer}, {1: 2}]}": "trainer.callbacks (in wrong.yaml): what stands here does",
    "trainer: null": "trainer = null: expected a mapping",
    "null: 1": "null (in wrong.yaml) stands where the file has an option",
    "trainer: {'': 1}": "an empty text (in wrong.yaml) stands where trainer has an option",
    "run: {true: 1}": "true (in wrong.yaml) stands where run has an option",
    'run: {root: "a\\0b"}': "run.root = 'a\\x00b' (in wrong.yaml): a text with the character 0 names nothing",
    'run: {root: "\\ud800"}': "run.root = '\\ud800' (in wrong.yaml): this is no text in UTF-8",
    f"run: {{root: {'x' * 5000}}}": "xxx (5000 characters) (in wrong.yaml): a text has at most 4096 characters",
    f"run: {{root: {'x' * 300}}}": "too long",
    f"data: {{class_path: {'/'.join(['y' * 250] * 16)}}}": "error: ",
    f"ckpt_path: {'x' * 300}": "too long",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_what_a_file_cannot_say_is_told_in_a_sentence(text, experiment, tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", experiment, "--config", "wrong.yaml"])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert WRONG[text] in said
    assert len(said) < 1000
    assert said.count("error: ") == 1


def test_words_are_looked_at_too(experiment, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--config", experiment, "--model", json.dumps({"class_path": "TinyModel", "init_args": None})])
    assert "model.init_args = null: expected a mapping" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "sample"])
@pytest.mark.parametrize("option", ["--config", "--ckpt_path", "--run.root"])
def test_names_that_are_too_long(verb, option, experiment, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--config", experiment, option, "x" * 300])
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_mappings_within_arguments_have_what_keys_they_like():
    weights = {"class_path": "A", "init_args": {"weights": {0: 1.0, "b": {True: 2}}}}
    check_form({"model": weights, "trainer": {"callbacks": [weights]}}, "")
    with pytest.raises(InputError, match=r"^0 stands where model.a has an option"):
        check_form({"model": {"class_path": "A", "init_args": {"a": {"class_path": "B", "init_args": {0: 1}}}}}, "")
