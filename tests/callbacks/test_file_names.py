import csv
import os

import pytest

from callbacks.file_names import cell, fitting, text_of
from callbacks.results import read_rows, write_rows

NOT_UTF8 = os.fsdecode(b"caf\xe9")
NAMES = ["plain", "=1+1", "+1", "-x", "@a", "\ttab", "'=quoted", "back\\slash", "\\udce9", NOT_UTF8]
NAMES += ["a\nb", "q\"'", "ü,;"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_read_back(name, tmp_path):
    assert text_of(cell(name)) == name
    write_rows(tmp_path / "a.csv", ["name", "score"], [(name, 0.1)])
    assert read_rows(tmp_path / "a.csv") == [{"name": name, "score": "0.1"}]
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        _, (written, _) = csv.reader(file)
    assert written[0] not in "=+-@\t"


def test_numbers_are_no_texts():
    assert [cell(value) for value in (-1.5, -2, 1 / 3, None)] == ["-1.5", -2, "0.333333333", None]


@pytest.mark.parametrize("name", [*NAMES[:3], "a/b", "n" * 250])
def test_a_name_that_fits_stays(name):
    assert str(fitting(name, ".json")) == f"{name}.json"


@pytest.mark.parametrize("name", ["n" * 251, "ü" * 126, NOT_UTF8 * 63, "folder/" + "n" * 251])
def test_a_long_name_is_cut_and_stays_the_only_one_of_its_kind(name, tmp_path):
    other = name[:-1] + "x"
    first, second = fitting(name, ".json"), fitting(other, ".json")
    assert first != second
    assert first.name[:100] == name.rpartition("/")[2][:100]
    assert len(os.fsencode(first.name)) in (254, 255)
    assert first.name.endswith(".json")
    (tmp_path / first).parent.mkdir(exist_ok=True)
    (tmp_path / first).touch()


def test_room_is_left_where_something_follows():
    assert len(os.fsencode(fitting("n" * 255, room=32).name)) == 223
    assert str(fitting("n" * 223, room=32)) == "n" * 223
