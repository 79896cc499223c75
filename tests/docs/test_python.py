"""Every block of the document about Python is run as it stands, one after another, on small worlds."""

import contextlib
import io
import re

import pytest

import fulgurite
from tests.docs.document_commands import ROOT, python_blocks
from tests.docs.test_commands import make_what_is_named, workplace

pytestmark = pytest.mark.filterwarnings("ignore")

DOCUMENT = "docs/python.md"
TEXT = (ROOT / DOCUMENT).read_text()

__all__ = ["workplace"]


@pytest.mark.slow
def test_the_blocks_do_what_they_promise(workplace):
    told: dict[str, str] = {}
    names: dict[str, object] = {}
    for number, block in enumerate(python_blocks(DOCUMENT)):
        make_what_is_named(block)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block, f"{DOCUMENT}, block {number}", "exec"), names)
        told[block] = said.getvalue()
    first, *_, last = told.values()
    promised = re.search(r"print\(model\)  # (.*)", TEXT)[1]
    assert first.strip().partition(" on ")[0] == promised.partition(" on ")[0]
    assert first.strip().partition(": can ")[2] == promised.partition(": can ")[2]
    assert last.startswith("MotorVAEGAN cannot score: it can embed, reconstruct, sample.")
    neighbours = next(text for block, text in told.items() if "NearestNeighbors" in block)
    assert neighbours.count(".png") == 3
    accuracy = next(text for block, text in told.items() if "LogisticRegression" in block)
    assert float(accuracy) > 0.7  # dark and light
    assert (workplace / "drawn.png").is_file()


def test_the_tables_name_all_that_there_is():
    rows = dict(re.findall(r"^\| (`[^|]*?) \| `(\w+)`", TEXT, re.MULTILINE))
    assert {name for name in fulgurite.__all__ if name[0].isupper()} - set(rows.values()) == {
        "Box",
        "Event",
        "InputError",
        "Loaded",
        "NotOffered",
    }
    for method, answer in rows.items():
        entries = next(line for line in TEXT.splitlines() if line.startswith(f"| {method} | `{answer}`"))
        public = {*getattr(fulgurite, answer).__dataclass_fields__}
        assert {name for name in public if f"`{name}`" not in entries} == set(), answer
    methods = {name for name in vars(fulgurite.Loaded) if callable(getattr(fulgurite.Loaded, name)) and name[0] != "_"}
    assert methods == set(re.findall(r"`(\w+)`", TEXT.partition("| system | can |")[2].partition("`model.can`")[0]))
