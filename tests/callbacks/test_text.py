import numpy as np
import pytest

from callbacks.panels import panel
from callbacks.plots import name_title, picture
from callbacks.results import write_rows
from callbacks.text import draw_text, printable, text_size


def drawn(text, size=12, width=200):
    canvas = np.full((20, width, 3), 255, np.uint8)
    draw_text(canvas, text, (2, 2), size=size)
    return canvas


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Straße/äöü.mp4", "Straße/äöü.mp4"),
        ("Привет", "Привет"),
        ("a\nb\t", "a\\nb\\t"),
        (b"caf\xe9.avi".decode("utf-8", "surrogateescape"), "caf\\xe9.avi"),
        ("\ud800", "\\ud800"),
        ("\x00", "\\x00"),
    ],
)
def test_every_name_can_be_drawn_and_is_told_from_others(name, shown):
    assert printable(name) == shown
    np.testing.assert_array_equal(drawn(name), drawn(shown))
    assert (drawn(name) < 255).any()


def test_letters_of_other_languages_are_no_question_marks():
    letters = [drawn(letter) for letter in ("?", "ä", "ö", "ß", "é", "Ж", "a")]
    assert len({letter.tobytes() for letter in letters}) == len(letters)


def test_text_stays_within_its_measures_and_the_picture():
    for size in (10, 12, 30):
        width, height = text_size("Wörter, gj", size)
        canvas = np.zeros((60, 300, 3), np.uint8)
        draw_text(canvas, "Wörter, gj", (5, 7), (255, 255, 255), size)
        rows, columns = np.nonzero(canvas.any(axis=2))
        assert rows.min() >= 7
        assert rows.max() < 7 + height
        assert columns.max() < 5 + width
    short = drawn("a very long name that does not fit", width=30)
    assert (short[:, -3:] < 255).any()
    draw_text(short, "outside", (40, 30))


def test_a_panel_has_the_name_of_a_file_that_is_not_utf_8():
    clip = np.zeros((1, 2, 40, 40, 3), np.uint8)
    name = b"\xff\xfe.mp4".decode("utf-8", "surrogateescape")
    assert panel({"input": clip}, [name]).shape == (18 + 42, 84, 3)


def test_a_table_has_it_escaped(tmp_path):
    write_rows(tmp_path / "scores.csv", ["name"], [(b"\xff.png".decode("utf-8", "surrogateescape"),)])
    assert (tmp_path / "scores.csv").read_text() == "name\n\\udcff.png\n"


@pytest.mark.parametrize("name", [b"\xff.mp4".decode("utf-8", "surrogateescape"), "5$ and 6$ {", "a\nb"])
def test_a_plot_is_drawn_whatever_the_name(tmp_path, name):
    with picture(tmp_path / "a.png", 3, 2) as figure:
        name_title(figure.subplots(), name, "   AUROC 0.9")
    assert (tmp_path / "a.png").is_file()
