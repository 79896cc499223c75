"""A table that is redrawn fits into its terminal, whatever runs, and is whole at the end."""

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from fulgurite.batches import live_table
from fulgurite.batches.live_table import LiveTable


class Numbers(LiveTable):
    def states(self):
        yield "one", "running"

    def table(self, most, whole):
        table = Table("number", "what is told of it", caption="so far")
        for number in range(100)[:most]:
            table.add_row(str(number), "long " * 40, style="")
            table.columns[1].no_wrap = not whole
        return table


@pytest.fixture
def screen(monkeypatch):
    """The table in a terminal of 60 columns and 20 lines, and what is written there."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=60, height=20, legacy_windows=False)
    monkeypatch.setattr(live_table, "Console", lambda: console)
    return Numbers(), written


def test_it_leaves_room_for_what_the_terminal_writes_at_ctrl_c(screen):
    table, written = screen
    with table:
        table.update()
        drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", written.getvalue()).splitlines()
        assert 10 < len(drawn) < 20
        assert max(map(len, drawn)) <= 58
        written.truncate(0)
    assert written.getvalue().count("\n") > 40


def test_without_a_terminal_a_state_is_told_once(monkeypatch, capsys):
    table = Numbers()
    monkeypatch.setattr(table, "_console", Console(file=io.StringIO()))
    table.update()
    table.update()
    assert capsys.readouterr().out == "one: running\n"
