"""Imports only point down, and nothing imports what stands beside it; docs/architecture.md shows the picture."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"fulgurite": 2, "lightning_models": 1, "callbacks": 1, "datamodules": 0}
DIVIDED = ("callbacks", "datamodules")  # into sub-packages by kind of data
SYSTEMS = {path.parent.name for path in (ROOT / "lightning_models").glob("*/module.py")}
FILES = sorted(path.relative_to(ROOT) for package in FLOORS for path in (ROOT / package).rglob("*.py"))


def imports(source):
    """Dotted names of all that a source imports, wherever in it, such as ``callbacks.auc`` or ``torch.Tensor``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports give whole names"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def kind(package, name):
    """The sub-package that ``name`` is, or is a part of; None for what all kinds share."""
    return name if (ROOT / package / name / "__init__.py").exists() else None


def is_allowed(file, target):
    here, there = file.parts, target.split(".")
    if there[0] not in FLOORS:
        return True
    if here[0] != there[0]:
        return FLOORS[there[0]] < FLOORS[here[0]]
    if here[0] == "lightning_models" and here[1] != "__init__.py" and there[1] in SYSTEMS:
        return there[1] == here[1]
    if here[0] not in DIVIDED or here[1] == "__init__.py":
        return True
    own, other = kind(here[0], here[1]), kind(there[0], there[1])
    shared = (ROOT / there[0] / f"{there[1]}.py").exists()  # else it would come from every sub-package at once
    return other == own if other else shared


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_point_down(file):
    assert [name for name in imports((ROOT / file).read_text()) if not is_allowed(file, name)] == []


@pytest.mark.parametrize(
    ("file", "source", "allowed"),
    [
        ("datamodules/media.py", "import callbacks.auc", False),
        ("callbacks/auc.py", "from lightning_models import losses", False),
        ("lightning_models/losses.py", "from callbacks.auc import auroc", False),
        ("lightning_models/losses.py", "from datamodules.errors import InputError", True),
        ("lightning_models/vta_gan/module.py", "from lightning_models.aitex_vae.tiling import Tiling", False),
        ("lightning_models/vta_gan/module.py", "from lightning_models.vta_gan.generator import Generator", True),
        ("lightning_models/training/phases.py", "from lightning_models.vta_gan import module", False),
        ("lightning_models/__init__.py", "from lightning_models.vta_gan.module import VTAGAN", True),
        ("callbacks/clips/overlay.py", "def f():\n    from fulgurite import cli", False),
        ("callbacks/sound/media.py", "from datamodules.sound.sound import Sound", True),
        ("datamodules/sound/pieces.py", "from datamodules.clips.windows import Window", False),
        ("datamodules/sound/pieces.py", "from datamodules import clips", False),
        ("datamodules/sound/pieces.py", "from datamodules import VideoSnippetDataModule", False),
        ("datamodules/sound/pieces.py", "from datamodules.sound.sound import Sound", True),
        ("datamodules/sound/pieces.py", "from datamodules import media", True),
        ("datamodules/media.py", "from datamodules.sound.sound import Sound", False),
        ("datamodules/__init__.py", "from datamodules.sound.audio_video import AudioVideoDataModule", True),
    ],
)
def test_the_rule_itself(file, source, allowed):
    assert all(is_allowed(Path(file), name) for name in imports(source)) is allowed


@pytest.mark.parametrize("package", DIVIDED)
def test_sub_packages_say_what_they_hold(package):
    names = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert names == {"clips", "images", "parts", "sound"}
    for name in names:
        assert ast.get_docstring(ast.parse((ROOT / package / name / "__init__.py").read_text()))
