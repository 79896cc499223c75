"""The wheel, installed where there is no clone, fits an experiment."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("fulgurite", "lightning_models", "callbacks", "datamodules", "experiments")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_to(source: Path) -> None:
    """Copy what is built: building leaves files behind."""
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, source)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_to(folder / "source")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, folder / "source", cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment with the wheel, and with the packages that it needs borrowed from this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = {sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))}
    (packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    return folder


def test_it_holds_what_the_source_holds(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for part in PARTS:
        home = "fulgurite/experiments" if part == "experiments" else part
        for file in (ROOT / part).rglob("*"):
            if file.suffix in (".py", ".yaml", ".typed", ".html", ".css", ".js"):
                assert f"{home}/{file.relative_to(ROOT / part)}" in held
    (licence,) = [name for name in held if name.endswith("LICENSE")]
    assert "Copyright 2026 The Fulgurite authors" in zipfile.ZipFile(wheel).read(licence).decode()


def test_it_fits_an_experiment_without_a_clone(environment, tmp_path):
    lightning = environment / "bin/lightning"
    assert str(ROOT) not in run(environment / "bin/python", "-c", "import callbacks; print(callbacks)", cwd=tmp_path)
    assert "vta_gan " in run(lightning, "experiments", cwd=tmp_path)
    cache = {"FULGURITE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    said = run(lightning, "fit", "--config", "vta_gan", "--config", "vta_gan/smoke", cwd=tmp_path, **cache)
    assert "Run folder: runs/vta_gan/" in said
    run(lightning, "experiments", "copy", "vta_gan", cwd=tmp_path)
    own = ("--config", "experiments/vta_gan.yaml", "--config", "experiments/vta_gan/smoke.yaml", "--ckpt_path", "last")
    run(lightning, "test", *own, cwd=tmp_path, **cache)
    assert (tmp_path / "runs/vta_gan/latest/config.yaml").is_file()


def test_a_script_beside_the_clone_finds_the_package_and_not_the_folder(tmp_path):
    """``git clone`` makes a folder of the package's name, which Python takes for a package without files."""
    copy_to(tmp_path / "fulgurite")
    (words,) = re.findall(r"pip (install .*) -e \.$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    site, folder = tmp_path / "site", tmp_path / "fulgurite"
    # what is installed in this environment must stay as it is
    run(sys.executable, "-m", "pip", *words.split(), "--ignore-installed", "--prefix", site, "-e", folder, cwd=tmp_path)
    (packages,) = site.glob("lib/python*/site-packages")
    code = f"import site; site.addsitedir({str(packages)!r}); import fulgurite; print(fulgurite.__file__)"
    found = run(sys.executable, "-S", "-c", code, cwd=tmp_path)
    assert Path(found.strip()) == folder / "fulgurite/__init__.py"
