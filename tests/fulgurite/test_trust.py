"""A user's own classes work where somebody has said so, and nothing else does."""

import sys
from pathlib import Path

import pytest
import torch
import yaml

from fulgurite.cli import main

PACKAGE = """
from pathlib import Path
from typing import Any
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable
from tiny import TinyModel

class NAME_Model(TinyModel): pass

class NAME_Remembers(Callback):
    def __init__(self, what: str = "nothing") -> None:
        self.what = what
    def on_fit_end(self, trainer, pl_module):
        Path("remembered").write_text(self.what)

def touch(*args: object) -> None:
    Path("hacked").touch()

def make() -> Callback:
    touch()
    return Callback()

def square(epoch: int) -> float:
    return 1.0 / (1 + epoch) ** 2

class NAME_WithDefault(TinyModel):
    def __init__(self, rate=square, width: int = 1) -> None:
        super().__init__(width)

class NAME_Takes(TinyModel):
    def __init__(self, anything: Any = None) -> None:
        super().__init__()
        assert not isinstance(anything, Callback), "built"

class NAME_Scheduled(TinyModel):
    def __init__(self, scheduler: LRSchedulerCallable | None = None) -> None:
        super().__init__()
"""


@pytest.fixture
def package(experiment, tmp_path, request):
    """A package of the user's in the working directory, of which Python has not heard before."""
    name = "package_" + "".join(c if c.isalnum() else "_" for c in request.node.name)
    (tmp_path / f"{name}.py").write_text(PACKAGE.replace("NAME", name))  # classes stay known until the process ends
    path = list(sys.path)
    yield name
    sys.path[:] = path


@pytest.fixture
def install(package, tmp_path, monkeypatch):
    """Install it, with these lines in entry_points.txt."""

    def run(entry_points: str = "") -> None:
        folder = tmp_path / "site" / f"{package}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(entry_points)
        Path(f"{package}.py").rename(tmp_path / "site" / f"{package}.py")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return run


def fit(*words: str, **config: object) -> Path:
    Path("own.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "--config", "tiny.yaml", "--config", "own.yaml", "--trainer.max_epochs", "1", *words])
    return Path("runs/tiny/latest").resolve()


def refused(capsys, *words: str, **config: object) -> str:
    with pytest.raises(SystemExit) as end:
        fit(*words, **config)
    assert end.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0, said
    assert not Path("hacked").exists()
    return said


@pytest.mark.parametrize("path", ["{0}.{0}_Model", "{0}_Model"])
def test_a_trusted_package_may_be_named_whole_and_short(package, path):
    own = {
        "model": {"class_path": path.format(package)},
        "trainer": {"callbacks": [{"class_path": f"{package}_Remembers"}]},
    }
    run = fit("--trust", package, **own)
    assert Path("remembered").read_text() == "nothing"
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["model"]["class_path"] == f"{package}.{package}_Model"
    assert sorted(saved["trust"]) == sorted(["tiny", package])


def test_the_saved_configuration_trusts_what_is_installed(package, install):
    install()
    run = fit(trust=[package], model={"class_path": f"{package}.{package}_Model"})
    main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", "best"])


def test_a_file_brings_no_package_along(package, capsys):
    said = refused(capsys, trust=[package], model={"class_path": f"{package}_Model"})
    assert f"add --trust {package}" in said
    assert "own.yaml" in said
    assert package not in sys.modules
    fit("--trust", package, trust=[package], model={"class_path": f"{package}_Model"})


def test_the_message_says_how_to_trust(package, capsys):
    said = refused(capsys, model={"class_path": f"{package}.{package}_Model"})
    assert f"model = {package}.{package}_Model: the package {package} is not trusted" in said
    assert f"--trust {package}" in said
    assert f"trust: [{package}]" in said


def test_trust_ends_with_the_command(package, capsys):
    fit("--trust", package, model={"class_path": f"{package}.{package}_Model"})
    assert "not trusted" in refused(capsys, model={"class_path": f"{package}.{package}_Model"})


def test_an_installed_package_may_say_it_is_made_for_this(package, install):
    install(f"[fulgurite]\n{package} = {package}\n")
    run = fit(model={"class_path": f"{package}_Model"})
    assert yaml.safe_load((run / "config.yaml").read_text())["trust"] == ["tiny"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--trust", "a value is missing"),
        ("--trust --run.name x", "a value is missing"),
        ("--trust os", "os can run any program"),
        ("--trust jsonargparse", "can run any program"),
        ("--trust no_such_package", "there is no such package"),
        ("--trust my-package", "not the name of a package"),
        ("--trust tiny.part", "not the name of a package"),
    ],
)
def test_what_cannot_be_trusted(package, words, part, capsys):
    assert part in refused(capsys, *words.split())


def test_trust_in_a_file_is_a_list(package, capsys):
    said = refused(capsys, trust=package)
    assert f"trust: [{package}]" in said
    assert "own.yaml" in said


def test_a_package_that_lacks_another(package, capsys):
    Path(f"{package}.py").write_text("import no_such_package")
    assert "No module named 'no_such_package'" in refused(capsys, "--trust", package)


FUNCTIONS = {
    "a hook": lambda p: {"class_path": "LambdaCallback", "init_args": {"on_fit_start": f"{p}.touch"}},
    "ours": lambda p: {"class_path": "LambdaCallback", "init_args": {"on_fit_start": "datamodules.media.find_videos"}},
    "torch's": lambda p: {"class_path": "LambdaCallback", "init_args": {"on_fit_start": "torch.nn.init.zeros_"}},
    "one that makes a callback": lambda p: {"class_path": f"{p}.make"},
    "a class method": lambda p: {"class_path": "lightning.pytorch.callbacks.Callback.__new__"},
    "within a list": lambda p: {
        "class_path": "LambdaCallback", "init_args": {"on_fit_start": {"class_path": f"{p}.touch"}},
    },
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions_are_refused_in_trusted_packages_too(package, case, capsys):
    said = refused(capsys, "--trust", package, trainer={"callbacks": [FUNCTIONS[case](package)]})
    assert "trainer.callbacks" in said


def test_a_schedule_by_a_function_is_refused(package, capsys):
    by = {"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": f"{package}.square"}}
    own = {"class_path": f"{package}_Scheduled", "init_args": {"scheduler": by}}
    assert "lr_lambda = square: this is a function" in refused(capsys, "--trust", package, model=own)


def test_a_function_that_is_its_own_default_was_not_named(package):
    run = fit("--trust", package, model={"class_path": f"{package}_WithDefault"})
    assert (run / "config.yaml").exists()


def test_only_a_class_of_the_kind_that_is_asked_for(package, capsys):
    assert "another kind" in refused(capsys, "--trust", package, model={"class_path": f"{package}.{package}_Remembers"})


def test_a_name_that_two_packages_have(package, capsys):
    Path(f"{package}_2.py").write_text(f"from tiny import TinyModel\nclass {package}_Model(TinyModel): pass\n")
    said = refused(capsys, "--trust", package, "--trust", f"{package}_2", model={"class_path": f"{package}_Model"})
    assert f"write {package}.{package}_Model or {package}_2.{package}_Model" in said


def test_an_argument_of_any_type_builds_nothing(package):
    anything = {"class_path": f"{package}.{package}_Remembers"}
    fit("--trust", package, model={"class_path": f"{package}_Takes", "init_args": {"anything": anything}})


def test_a_checkpoint_names_no_code(package, monkeypatch):
    monkeypatch.syspath_prepend(Path.cwd())
    path = fit() / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["hyper_parameters"] |= {"trust": [package], "_class_path": f"{package}.{package}_Model"}
    torch.save(checkpoint, path)
    main(["test", "--config", "tiny.yaml", "--ckpt_path", str(path)])
    assert package not in sys.modules
