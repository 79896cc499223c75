import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from fulgurite import cli


@pytest.mark.parametrize("word", ["--help", "-h", "--version", "-V"])
def test_help_and_version_import_nothing_heavy(word):
    code = (
        f"import sys; from fulgurite.cli import main; main([{word!r}]);"
        "sys.exit(bool({'torch', 'lightning', 'numpy', 'jsonargparse'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fulgurite 0." in done.stdout or "fit" in done.stdout


def test_no_word_is_help(capsys):
    cli.main([])
    said = capsys.readouterr().out
    assert all(verb in said for verb in cli.VERBS)


@pytest.mark.parametrize(("word", "hint"), [("fitt", "Did you mean 'fit'?"), ("--config", "before the options")])
def test_unknown_verb(word, hint, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([word])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert hint in said
    assert said.count("\n") == 1
    assert all(verb in said for verb in cli.VERBS)


@pytest.mark.parametrize("name", ["lightning", "fulgurite"])
def test_the_scripts_are_ours(name):
    (script,) = [e for e in entry_points(group="console_scripts", name=name) if e.dist and e.dist.name == "fulgurite"]
    assert script.load() is cli.main


def test_module_spelling():
    done = subprocess.run([sys.executable, "-m", "fulgurite", "-V"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("fulgurite ")


def test_arguments_of_the_process_stay_untouched(monkeypatch):
    passed = []
    monkeypatch.setattr("fulgurite.train.main", passed.append)
    monkeypatch.setattr("sys.argv", ["lightning", "fit", "--config", "x"])
    cli.main()
    cli.main(["fit"])
    assert passed == [None, ["fit"]]
    assert sys.argv == ["lightning", "fit", "--config", "x"]
