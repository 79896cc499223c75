import re

import pytest
from jinja2 import DictLoader, UndefinedError

from fulgurite.pages import page, plots
from fulgurite.pages.page import bytes_text, figure_text, render, write_page


@pytest.fixture
def template(monkeypatch):
    """Let ``render`` find one more template, and forget it afterwards."""

    def add(text: str) -> str:
        environment = page._environment()
        ours = environment.loader
        both = DictLoader(
            {"mine.html": text, **{name: ours.get_source(environment, name)[0] for name in ours.list_templates()}}
        )
        monkeypatch.setattr(environment, "loader", both)
        return "mine.html"

    yield add
    page._environment.cache_clear()


MINE = """{% extends "base.html" %}{% import "parts.html" as parts %}
{% block title %}{{ what|name }}{% endblock %}
{% block content %}<p id="what">{{ what }}</p>{{ parts.plot(drawn, what, what) }}{% endblock %}"""


def test_what_is_put_in_cannot_leave_its_place(template, tmp_path):
    what = "</script><script>alert(1)</script>\udcff"
    drawn = plots.curves([plots.Line(what, [0, 1], [2, 3]), plots.Line("b", [0], [1])], what)
    text = render(template(MINE), what=what, drawn=drawn)
    assert "alert(1)</script>" not in text
    assert r"\udcff" in text
    assert text.count("<script") == 3  # plotly's, the page's, the data of a figure
    write_page(tmp_path / "a.html", text)
    assert (tmp_path / "a.html").read_text() == text


def test_a_page_holds_plotly_once_and_names_no_address(template):
    text = render(template(MINE), what="one", drawn=plots.curves([plots.Line("a", [0], [1])], "x"))
    assert text.count("plotly.js v") == 1
    head = text[: text.index("<script")]
    assert not re.search(r"https?://|@import|url\(", head)
    assert "default-src 'none'" in head


def test_a_forgotten_value_is_no_blank(template):
    with pytest.raises(UndefinedError, match="what"):
        render(template(MINE))


def test_a_missing_number_is_a_dash_and_sizes_are_said_as_people_say_them():
    assert [figure_text(one) for one in (None, 0.78616, 2010)] == ["–", "0.7862", "2,010"]
    assert [bytes_text(n) for n in (12, 4_815_814, 21e9)] == ["12 B", "4.8 MB", "21.0 GB"]
