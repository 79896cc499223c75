import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

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


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package with these entry points."""

    def install(name: str, entry_points: str) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_a_package_adds_a_verb(installed, tmp_path, capsys, monkeypatch):
    (tmp_path / "verb_of_a_package.py").write_text("def main(argv):\n    print('ran with', argv)\n")
    installed("reporting", "[fulgurite.verbs]\npublish = verb_of_a_package\nfit = verb_of_a_package\n")
    cli.main(["--help"])
    said = capsys.readouterr().out
    assert "publish      added by reporting\n" in said
    assert "fit          added by reporting, and not used: the verb is ours\n" in said
    with pytest.raises(SystemExit, match="0"):
        cli.main(["fit", "--help"])
    assert "ran with" not in capsys.readouterr().out
    cli.main(["publish", "--fast"])
    monkeypatch.setattr(sys, "argv", ["lightning", "publish", "--slow"])
    cli.main()
    assert capsys.readouterr().out == "ran with ['publish', '--fast']\nran with ['publish', '--slow']\n"


def test_a_verb_that_two_packages_add(installed, capsys):
    installed("one", "[fulgurite.verbs]\npublish = verb_a\n")
    installed("two", "[fulgurite.verbs]\npublish = verb_b\n")
    with pytest.raises(SystemExit) as end:
        cli.main(["publish"])
    assert end.value.code == 2
    assert "one" in (said := capsys.readouterr().err)
    assert "two" in said


def test_the_command_of_another_package_is_told(installed, capsys):
    cli.main(["--help"])
    assert "also installs" not in capsys.readouterr().out
    installed("lightning_sdk", "[console_scripts]\nlightning = lightning_sdk.cli:main\n")
    cli.main(["--help"])
    assert "lightning_sdk also installs a command lightning" in capsys.readouterr().out


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["callbacks", "datamodules", "lightning_models"])
def test_a_folder_of_the_user_is_not_taken_for_ours(name, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise AssertionError('the folder of the user was imported')")
    done = run("-m", "fulgurite", "experiments", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_another_package_that_python_finds_first_is_told(tmp_path):
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks/__init__.py").touch()
    done = run("-c", "from fulgurite.cli import main; main(['fit'])", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the package callbacks of fulgurite is hidden by {tmp_path}/callbacks")
    assert done.stderr.count("\n") == 1


def test_a_package_that_another_one_has_written_over_is_told(monkeypatch, capsys):
    def broken(name: str) -> None:
        raise ImportError("cannot import name 'Checkpoints' from 'callbacks'", name="callbacks")

    monkeypatch.setattr("fulgurite.cli.import_module", broken)
    with pytest.raises(ImportError):  # nobody else has it: a defect of ours
        cli.main(["fit"])
    monkeypatch.setattr("fulgurite.clashes.packages_distributions", lambda: {"callbacks": ["fulgurite", "keras-bits"]})
    with pytest.raises(SystemExit) as end:
        cli.main(["fit"])
    assert end.value.code == 2
    assert "keras-bits has written over the package callbacks" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--help",), ("experiments",)])
def test_nobody_reads_on(words, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "fulgurite", *words]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
