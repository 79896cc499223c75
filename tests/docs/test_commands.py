"""Every command that a document shows is run as it stands, at smoke size, or at least understood."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml

from fulgurite.cli import VERBS, main
from tests.docs.document_commands import (
    COMMANDS,
    DOCUMENTS,
    NO_PROGRAM_OF_OURS,
    ROOT,
    SYSTEMS,
    TESTED_ELSEWHERE,
    Command,
    commands_of,
    in_smoke_form,
    python_blocks,
)
from tests.docs.small_worlds import BEFORE, LEARNED, WORLDS

pytestmark = pytest.mark.filterwarnings("ignore")

OURS = [one for one in COMMANDS if one.own is not None and one.document not in TESTED_ELSEWHERE]
RUN = sorted({one.document for one in OURS if one.only_parsed is None})
SLOW = {one.document for one in OURS if one.own[0] == "fit" and "--data.source" not in one.own} | set(BEFORE)
"""Of these the generated worlds are drawn and decoded, which takes a minute, or several runs are needed."""

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder with the experiments in it, as in a checkout, and nothing of this machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("FULGURITE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    return tmp_path


def make_what_is_named(text: str) -> None:
    """Make the data that a command names, and train the runs that it takes for granted."""
    for name, make in WORLDS.items():
        if re.search(rf"(?<![\w./]){re.escape(name)}(?![\w.])", text) and not Path(name).exists():
            make(Path(name))
    for experiment in dict.fromkeys(re.findall(r"\bruns/([a-z_]+)", text)):
        if not Path("runs", experiment, "latest").exists():
            source = LEARNED[experiment]
            make_what_is_named(source)
            words = ["--config", f"experiments/{experiment}.yaml", "--data.source", source]
            main(in_smoke_form(["fit", *words]))


def run(document: str) -> None:
    for words in BEFORE.get(document, ()):
        make_what_is_named("my_videos")
        main(in_smoke_form([*words]))
    for command in commands_of(document):
        if command.own is not None and command.only_parsed is None:
            make_what_is_named(command.text)
            if "--ckpt_path best" in command.text and not Path("runs").exists():
                make_what_is_named(f"runs/{Path(command.own[command.own.index('--config') + 1]).stem}")
            main(in_smoke_form(command.own))


@pytest.mark.parametrize(
    "document", [pytest.param(document, marks=pytest.mark.slow) if document in SLOW else document for document in RUN]
)
def test_the_commands_of_a_document_do_what_they_promise(document, workplace):
    run(document)
    assert [*workplace.glob("runs/*/*/checkpoints/best.ckpt")]
    text = " ".join(one.text for one in commands_of(document))
    for verb, left in (
        ("report", "report.html"),
        ("test", "results/*/results.json"),
        ("predict", "predictions/*"),
        ("sample", "samples/*"),
        ("export", "export/*"),
    ):
        assert bool(re.search(rf"lightning {verb}\b", text)) <= bool([*workplace.glob(f"runs/*/*/{left}")]), verb


@pytest.mark.parametrize("command", OURS, ids=lambda one: f"{one.document}: {one.text}")
def test_every_verb_and_overlay_is_there(command):
    words = command.own
    assert words[0] in VERBS
    for place, word in enumerate(words):
        if word == "--config" and "/" in words[place + 1] and not words[place + 1].startswith("runs/"):
            assert (ROOT / words[place + 1]).is_file()


@pytest.mark.parametrize(
    "command", [one for one in OURS if one.own[0] == "fit"], ids=lambda one: f"{one.document}: {one.text}"
)
def test_every_training_is_understood(command, workplace):
    """Also those that no test can run, since they need several devices or machines."""
    printed = io.StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main([*command.own, "--print_config"])
    assert not ended.value.code
    config = yaml.safe_load(printed.getvalue())
    for key, value in re.findall(r"--trainer\.(\w+) (\d+)", command.text):
        assert str(config["trainer"][key]) == value
    if "--data.source" in command.own:
        source = command.own[command.own.index("--data.source") + 1]
        assert config["data"]["init_args"]["source"].rstrip("/") == source.rstrip("/")


@pytest.mark.parametrize("verb", sorted({one.own[0] for one in OURS} - {"fit", "test", "predict", "validate"}))
def test_the_options_of_the_other_verbs_are_known(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert not ended.value.code
    said = capsys.readouterr().out
    for command in OURS:
        if command.own[0] == verb:
            assert {word for word in command.own if word.startswith("--")} <= set(re.findall(r"--[\w-]+", said))


def test_every_other_line_is_known():
    for command in COMMANDS:
        if command.own is None:
            program = command.words[0]
            assert program in NO_PROGRAM_OF_OURS or program == "python", command.text
            if program == "make":
                assert command.words[1] in TARGETS, command.text


def test_nothing_is_listed_that_no_document_has():
    assert set(TESTED_ELSEWHERE) < set(DOCUMENTS)
    assert {"README.md", "docs/video.md", "docs/fabric.md", "docs/images.md", "docs/audio_video.md"} <= set(RUN)
    assert set(LEARNED) == set(SYSTEMS)
    assert {one.document for one in OURS if one.only_parsed} == {
        "README.md",
        "docs/distributed.md",
        "docs/wandb.md",
        "docs/watch.md",
    }
    assert BEFORE.keys() <= set(RUN)
    named = " ".join([*(one.text for one in OURS), *(text for one in DOCUMENTS for text in python_blocks(one))])
    assert [name for name in WORLDS if name not in named] == []
    assert len(OURS) > 15


def test_lines_are_read_as_a_shell_reads_them(tmp_path, monkeypatch):
    text = (
        "x\n```bash\n# a remark\nlightning fit --config a.yaml \\\n    --data.source 'my set'  # why\nmake run\n```\n"
    )
    (tmp_path / "a.md").write_text(text + "```python\nlightning = 1\n```\n")
    monkeypatch.setattr("tests.docs.document_commands.ROOT", tmp_path)
    fit, make = commands_of("a.md")
    assert fit.own == ["fit", "--config", "a.yaml", "--data.source", "my set"]
    assert make.own is None
    launched = Command("a.md", "", ["torchrun", "-m", "fulgurite", "fit", "--config", "a.yaml"])
    assert launched.own == ["fit", "--config", "a.yaml"]
    assert launched.only_parsed


def test_what_is_typed_wins_over_the_smoke_form():
    words = in_smoke_form(["fit", "--config", "experiments/vta_gan.yaml", "--trainer.max_epochs", "3"])
    assert words.index(str(ROOT / "experiments/vta_gan/smoke.yaml")) < words.index("--trainer.max_epochs")
    assert in_smoke_form(["compare", "runs/a"]) == ["compare", "runs/a"]
