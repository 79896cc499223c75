"""The README shows what runs have made, says of what training, and quotes no figure that its system does not report."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PICTURES = ROOT / "docs/pictures"
ORIGIN = json.loads((PICTURES / "origin.json").read_text())
ROWS = re.findall(r"^\| \[\S+\]\((lightning_models/\w+)\) \|.*\| (`.*?`) \| (.*) \|$", README, re.MULTILINE)


def test_all_pictures_are_shown_and_small_together():
    files = {path.name: path.stat().st_size for path in PICTURES.iterdir() if path.suffix in (".png", ".gif")}
    assert set(re.findall(r"!\[[^\]]+\]\(docs/pictures/(\S+?)\)", README)) == files.keys() == ORIGIN.keys()
    assert len(files) == 5
    assert sum(files.values()) < 1.5e6
    for name in files:
        with Image.open(PICTURES / name) as picture:
            assert min(picture.size) > 60
            assert getattr(picture, "n_frames", 1) == (1 if name.endswith(".png") else 36)


@pytest.mark.parametrize("name", ORIGIN)
def test_a_picture_is_of_a_generated_world_and_of_the_training_that_its_caption_names(name):
    told = ORIGIN[name]
    assert told["world"] == "generated"
    date = datetime.fromisoformat(told["date"]).date().isoformat()
    captions = re.findall(r"\*[^*\n]*\*", README)
    said = f"{told['system']} after {told['best']['batches']:,} batches"
    assert any(said in caption and date in caption for caption in captions), (said, date)


@pytest.mark.parametrize(("system", "command", "measured"), ROWS, ids=[row[0] for row in ROWS])
def test_the_table_quotes_what_the_system_reports(system, command, measured):
    reported = (ROOT / system / "README.md").read_text()
    figures = re.findall(r"(?<![\w-])\d+(?:\.\d+)?(?= (?:dB|%))|(?<![\w.-])\d+\.\d+", measured)
    assert len(figures) >= 2
    assert [figure for figure in figures if figure not in reported] == []
    name = Path(system).name
    assert command == f"`lightning fit --config {name}`"
    assert (ROOT / f"experiments/{name}.yaml").is_file()
    assert re.search(r"\(2026-\d\d-\d\d, `[0-9a-f]{7}`, [^)]*CPU", measured)


def test_the_table_has_every_system():
    assert {row[0] for row in ROWS} == {
        path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("lightning_models/*/module.py")
    }
