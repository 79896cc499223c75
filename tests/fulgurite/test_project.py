"""Promises of the project's own files."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def test_lock_pins_one_build_of_torch_and_one_lightning():
    assert "+" not in LOCK["torch"]
    assert LOCK["lightning"] == LOCK["pytorch-lightning"]
    assert tuple(map(int, LOCK["lightning"].split("."))) >= (2, 6, 6)


@pytest.mark.parametrize("package", ["lightning-sdk", "litlogger", "litmodels"])
def test_lock_has_no_other_owner_of_the_command(package):
    assert package not in LOCK


def test_lock_names_no_index_and_hashes_everything():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert all("--hash=" in block for block in re.split(r"\n(?=[a-z])", text)[1:])


def test_make_without_a_target_lists_them():
    said = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE):
        assert f"make {target} " in said


def test_links_in_the_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
