"""Releases that are known to be bad are refused before anything of them is imported."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fulgurite.bad_versions import BAD
from fulgurite.cli import main

ROOT = Path(__file__).parents[2]
NEEDED = [Requirement(line) for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]

NEWEST = {"==2.6.2": "2.6.2", "==2.6.3": "2.6.3", "<2.6.6": "2.6.5", "<2.6": "2.5.9", "<2.10": "2.9", "<12.2": "12.1"}
"""Of those that are bad."""


def install(folder, package, version):
    """Put a package into a folder, as pip would: importing it leaves a mark."""
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    module = folder / package.replace("-", "_")
    module.mkdir()
    (module / "__init__.py").write_text(f"from pathlib import Path\nPath({str(folder / 'mark')!r}).touch()\n")


@pytest.mark.parametrize(
    ("package", "version", "why"),
    [
        ("lightning", "2.6.2", "steals passwords and keys"),
        ("lightning", "2.6.3", "steals passwords and keys"),
        ("lightning", "2.6.5", "CVE-2026-58659"),
        ("pytorch-lightning", "2.5.0.post0", "CVE-2026-58659"),
        ("torch", "2.5.1+cu124", "CVE-2025-32434"),
        ("torch", "2.9.1", "CVE-2026-24747"),
        ("pillow", "12.1.1", "CVE-2026-40192"),
    ],
)
def test_a_bad_release_is_refused(package, version, why, tmp_path, monkeypatch, capsys):
    install(tmp_path, package, version)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["fit"])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith(f"error: {package} {version} is installed, which ")
    assert why in said
    assert f"pip install '{package}>=" in said
    assert said.count("\n") == 1


def test_a_malicious_release_is_not_imported_first(tmp_path):
    install(tmp_path, "lightning", "2.6.2")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    command = [sys.executable, "-m", "fulgurite", "fit", "--config", "vta_gan"]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 2, ended.stderr
    assert "change every password" in ended.stderr
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("version", ["2.6.6", "2.6.7.dev1"])
def test_a_good_release_is_taken(version, tmp_path, monkeypatch, capsys):
    install(tmp_path, "lightning", version)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SystemExit):
        main(["fit"])
    assert "is installed" not in capsys.readouterr().err


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.package}{bad.releases}")
def test_what_is_needed_excludes_it_and_is_what_the_remedy_says(bad):
    needed = next(one for one in NEEDED if one.name == bad.package)
    newest = NEWEST[bad.releases]
    assert SpecifierSet(bad.releases).contains(newest)
    assert not needed.specifier.contains(newest)
    assert needed.specifier == Requirement(bad.instead).specifier
