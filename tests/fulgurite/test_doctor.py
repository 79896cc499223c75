"""The verb doctor, on this machine and on broken ones."""

import socket
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fulgurite import clashes, doctor
from fulgurite.bad_versions import BAD
from fulgurite.checkup import command, machine, packages, services
from fulgurite.checkup.finding import Finding
from fulgurite.checkup.shown import for_an_issue, on_screen, problems, without_names
from fulgurite.cli import main

ROOT = Path(__file__).parents[2]
FINE = {"packages": [Finding("torch", "2.14.1")]}


def by_name(findings):
    return {one.what: one for one in findings}


def status(*words):
    """Exit status of the command, on whatever machine this is."""
    try:
        main(["doctor", *words])
    except SystemExit as end:
        return end.code
    return 0


def test_this_installation_is_examined(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FULGURITE_CACHE", str(tmp_path / "cache"))
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    monkeypatch.setattr(packages, "requires", lambda name: needed)  # what is installed may be older than the checkout
    found = doctor.examine()
    assert list(found) == [
        *("packages", "the command", "computing", "video and sound", "Weights & Biases", "optional parts"),
    ]
    seen = by_name(one for findings in found.values() for one in findings)
    assert seen["torch"].says == metadata.version("torch")
    assert [one.what for one in found["packages"][2:]] == [Requirement(line).name for line in needed]
    assert not any(one.problem for one in found["packages"])
    assert {"cores", "threads", "memory", "runs", "cache"} <= seen.keys()
    assert not any(one.problem for one in found["video and sound"])
    monkeypatch.setattr(doctor, "examine", lambda: found)
    assert status() == bool(problems(found))
    said = capsys.readouterr().out
    assert metadata.version("torch") in said
    assert ("No problem found." in said) == (not problems(found))


def test_a_problem_is_told_with_its_number_and_ends_with_status_1(monkeypatch, capsys):
    found = {"computing": [Finding("memory", "1 GB", "only 1 GB is free: end other programs"), Finding("GPU", "none")]}
    monkeypatch.setattr(doctor, "examine", lambda: found)
    for words in (["doctor"], ["doctor", "--report"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 1
        assert "1 problem:\n  1. only 1 GB is free: end other programs.\n" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "examine", lambda: FINE)
    main(["doctor"])
    assert "No problem found." in capsys.readouterr().out


def test_it_works_where_the_others_refuse(monkeypatch, capsys):
    """A package that hides one of ours, and a release that must not run, are its business."""
    monkeypatch.setattr(clashes, "hidden_packages", lambda: {"callbacks": "/elsewhere/callbacks"})
    monkeypatch.setattr(packages, "does_not_load", lambda name: "")
    monkeypatch.setattr(packages, "version", lambda name: "2.6.2" if name == "lightning" else metadata.version(name))
    bad = [(one, "2.6.2") for one in BAD if one.package == "lightning"]
    monkeypatch.setattr(packages, "found_bad", lambda: bad)
    monkeypatch.setattr(doctor, "found_bad", lambda: bad)
    with pytest.raises(SystemExit) as end:
        main(["doctor"])
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert "hidden by /elsewhere/callbacks. Remove it from PYTHONPATH" in said
    assert "lightning 2.6.2 steals passwords and keys" in said
    assert "pip install 'lightning>=2.6.6,<2.7'; where it has been imported, change every password" in said
    assert "Weights & Biases" not in said  # which would import it


def test_a_package_that_is_missing_old_or_does_not_load(monkeypatch):
    versions = {"lightning": "2.6.6", "pytorch-lightning": "2.6.7", "numpy": "1.26", "rich": None}

    def version(name):
        found = versions.get(name, metadata.version(name))
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    def fails(module):
        if module == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        if module == "av":
            raise OSError("bad\nlibrary")

    monkeypatch.setattr(packages, "version", version)
    monkeypatch.setattr(packages, "import_module", fails)
    monkeypatch.setattr(packages, "found_bad", list)
    found = by_name(packages.package_findings())
    assert found["numpy"].problem == "numpy 1.26 is not one of >=2.0: pip install 'numpy>=2.0'"
    assert found["rich"].problem == "rich is missing: pip install 'rich>=14'"
    assert found["rich"].says == "missing"
    assert "apt-get install libgl1" in found["opencv-python"].problem
    assert found["av"].problem == "av does not load (OSError: bad library): pip install --force-reinstall av"
    assert found["both Lightnings"].problem.endswith("pip install pytorch-lightning==2.6.6")
    assert not found["scipy"].problem


def test_optional_parts_are_those_of_the_project_and_none_is_a_problem(monkeypatch):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert packages.EXTRAS.keys() == extras.keys()
    monkeypatch.setattr(packages, "installed", lambda name: None if name == "optuna" else "99")
    lines = ["torch>=2", "optuna>=4.5; extra == 'sweep'", "ray>=2.50; extra == 'ray'"]
    monkeypatch.setattr(packages, "requires", lambda name: lines)
    named = type("Metadata", (), {"get_all": staticmethod(lambda key: ["sweep", "ray"])})
    monkeypatch.setattr(packages, "metadata", lambda name: named)
    found = by_name(packages.extra_findings())
    assert found["sweep"].says == "lacks optuna; for lightning sweep: pip install 'fulgurite[sweep]'"
    assert found["ray"].says == "there, for lightning batch --on ray"
    assert not any(one.problem for one in found.values())


def test_who_owns_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(command.sysconfig, "get_path", lambda name: str(tmp_path / "bin"))
    monkeypatch.setattr(clashes, "other_owners", lambda: ["lightning-sdk"])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for folder in ("bin", "other"):
        (tmp_path / folder).mkdir()
    missing, other = command.command_findings()
    assert "not on the PATH" in missing.says
    assert not missing.problem
    assert "pip uninstall lightning-sdk" in other.problem
    script = tmp_path / "bin/lightning"
    script.write_text("#!/usr/bin/python\nfrom fulgurite.cli import main\n")
    script.chmod(0o755)
    assert not next(command.command_findings()).problem
    script.write_text("#!/usr/bin/python\nfrom lightning_sdk import main\n")
    assert "is the command of another program: type fulgurite" in next(command.command_findings()).problem
    script.rename(tmp_path / "other/lightning").write_text("from fulgurite.cli import main\n")
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert "belongs to another Python" in next(command.command_findings()).problem


class Torch:
    """As much of torch as is asked."""

    __version__ = "2.14.1"

    def __init__(self, threads=1, gpus=(), built=("sm_90",)):
        names = {"is_available": lambda: bool(gpus), "device_count": lambda: len(gpus)}
        names |= {"get_device_properties": lambda n: gpus[n], "get_arch_list": lambda: list(built)}
        self.cuda = type("cuda", (), {name: staticmethod(one) for name, one in names.items()})
        self.version = type("version", (), {"cuda": None})
        mps = type("mps", (), {"is_available": staticmethod(lambda: False)})
        self.backends = type("backends", (), {"mps": mps})
        self.get_num_threads = lambda: threads


def test_more_threads_than_cores_are_a_problem(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 1.5)
    assert "set OMP_NUM_THREADS=1" in by_name(machine.device_findings(Torch(8)))["threads"].problem
    assert not by_name(machine.device_findings(Torch(1)))["threads"].problem
    assert [one.what for one in machine.device_findings(None)] == ["cores"]


def test_a_gpu_for_which_torch_is_not_built_is_a_problem():
    gpu = type("Properties", (), {"name": "H100", "total_memory": 80_000_000_000, "major": 9, "minor": 0})
    found = by_name(machine.device_findings(Torch(gpus=[gpu])))["GPU 0"]
    assert (found.says, found.problem) == ("H100, 80.0 GB, sm_90", "")
    old = by_name(machine.device_findings(Torch(gpus=[gpu], built=["sm_80", "sm_86"])))["GPU 0"]
    assert "not built for H100 (sm_90), but for sm_80, sm_86" in old.problem


@pytest.mark.parametrize(
    ("major", "minor", "built", "runs"),
    [
        (8, 9, ["sm_86"], True),
        (8, 0, ["sm_86"], False),
        (9, 0, ["sm_86"], False),
        (12, 0, ["sm_90", "compute_90"], True),
        (9, 0, ["sm_90a"], True),
    ],
)
def test_what_a_build_runs_on(major, minor, built, runs):
    assert machine.is_built_for(major, minor, built) is runs


def test_the_limits_of_a_container_count(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_GROUPS", tmp_path)
    free, total = machine.usable_memory()
    assert machine.usable_cores() >= 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine.usable_cores() == 0.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.usable_cores() >= 1
    if free is not None:
        (tmp_path / "memory.max").write_text("1500000000\n")
        (tmp_path / "memory.current").write_text("500000000\n")
        assert machine.usable_memory() == (min(free, 1_000_000_000), 1_500_000_000)
        assert "end other programs" in next(machine.memory_findings()).problem
        (tmp_path / "memory.max").write_text("max\n")
        assert machine.usable_memory()[1] == total


def test_a_full_disk_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    usage = type("usage", (), {"free": 5_000_000, "total": 64_000_000})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    found = by_name(machine.disk_findings(tmp_path / "a/b"))
    assert "only 5.0 MB are free" in found["runs"].problem
    assert "lightning runs clean" in found["runs"].problem
    assert "FULGURITE_CACHE" in found["cache"].problem
    monkeypatch.setattr(machine.os, "access", lambda path, how: False)
    assert "cannot be written" in by_name(machine.disk_findings(tmp_path / "a/b"))["cache"].problem


def test_a_codec_that_is_missing_is_a_problem(monkeypatch):
    monkeypatch.setattr(services, "CODECS", (("no_such_codec", "w", "something"), ("aac", "r", "sound")))
    found = by_name(services.codec_findings())
    assert "lacks no_such_codec: something. Install" in found["no_such_codec"].problem
    assert found["aac"] == Finding("aac", "reads sound")


@pytest.mark.parametrize(
    ("mode", "says", "problem"),
    [("offline", "offline: runs stay on this machine", ""), ("sideways", "cannot be used", "W&B has no such mode")],
)
def test_what_wandb_would_do(mode, says, problem, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", mode)
    (found,) = services.wandb_findings()
    assert found.says == says
    assert problem in found.problem
    assert bool(found.problem) == bool(problem)


def test_a_report_names_nobody_and_holds_no_key(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada.lovelace")
    monkeypatch.setenv("USER", "ada.lovelace")
    monkeypatch.setenv("LOGNAME", "countess")
    monkeypatch.setenv("HOSTNAME", "engine.example.org")
    monkeypatch.setattr(socket, "gethostname", lambda: "difference-7")
    monkeypatch.setenv("WANDB_API_KEY", "notahexkey-0815")
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:sesame@proxy.example.org:3128")
    texts = [
        "/home/ada.lovelace/envs/gan/bin/lightning belongs to ADA.LOVELACE",
        "cache: 5 GB free, /scratch/countess/my cache",
        "on difference-7 (engine.example.org, engine)",
        "WANDB_API_KEY = notahexkey-0815, 0123456789abcdef0123456789abcdef01234567",
        "http://ada:sesame@proxy.example.org:3128",
        "~/.netrc cannot be read",
    ]
    found = {"all": [Finding(text, text, text) for text in texts]}
    assert "sesame" in on_screen(found)
    report = for_an_issue(found)
    for secret in ("ada", "lovelace", "countess", "difference-7", "engine", "notahex", "0123456789abcdef", "sesame"):
        assert secret not in report.lower(), secret
    assert "/home" not in report
    assert "scratch" not in report
    assert "…/lightning belongs to USER" in report
    assert "6 problems:" in report


def test_a_report_of_this_machine_names_nobody(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "person17"))
    monkeypatch.setenv("USER", "person17")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    status("--report")
    said = capsys.readouterr().out
    assert "**packages**" in said
    for name in ("person17", "kkkk", str(tmp_path), socket.gethostname()):
        assert name not in said


def test_words_that_are_no_names_stay():
    assert without_names("torch 2.14.1, numpy>=2.0: pip install 'numpy>=2.0'") == (
        "torch 2.14.1, numpy>=2.0: pip install 'numpy>=2.0'"
    )
