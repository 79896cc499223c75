"""The table that a test prints can be read on a screen of 80 columns."""

from rich.console import Console

from callbacks.evaluation import Evaluation
from callbacks.short_table import short_table

LONG = "shuffle_l1_increase_relative"


def test_no_name_is_cut_short():
    evaluation = Evaluation({LONG: 0.5}, references={"own_rule": 0.25})
    means = {"means": "how much larger the error to the sound of another clip is " * 2, "better": "higher"}
    described = {LONG: {**means, "beside": None}, "own_rule": {**means, "beside": LONG}}
    console = Console(width=80, record=True)
    console.print(short_table(evaluation, described, [LONG]))
    lines = [line.split("│") for line in console.export_text().splitlines()]
    assert "".join(cells[1].strip() for cells in lines if len(cells) > 1) == LONG
