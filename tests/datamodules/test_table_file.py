import pytest

from datamodules.errors import InputError
from datamodules.table_file import read_table

TEXT = "video,start,end\r\ncaméra,10,20\r\ncam5,,\r\n,,\r\n"
ROWS = [(2, {"video": "caméra", "start": "10", "end": "20"}), (3, {"video": "cam5", "start": "", "end": ""})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_as_spreadsheets_write_it(encoding, separator, tmp_path):
    (tmp_path / "a.csv").write_bytes(TEXT.replace(",", separator).encode(encoding))
    assert list(read_table(tmp_path / "a.csv", ("video", "start", "end"))) == ROWS


def test_columns_may_stand_in_any_order_beside_others(tmp_path):
    (tmp_path / "a.csv").write_text(' End ,note,VIDEO,start\n9,"x, y", a b ,3\n')
    assert list(read_table(tmp_path / "a.csv", ("video", "start", "end"))) == [
        (2, {"video": "a b", "start": "3", "end": "9"})
    ]


def test_a_name_may_hold_a_line_break(tmp_path):
    (tmp_path / "a.csv").write_text('video,start\n"a\nb\u2028c",3\nd,4\n', encoding="utf-8", newline="")
    assert [row for _, row in read_table(tmp_path / "a.csv", ("video", "start"))] == [
        {"video": "a\nb\u2028c", "start": "3"},
        {"video": "d", "start": "4"},
    ]


@pytest.mark.parametrize("content", [b"", b"clip,from,to\n", b"\xff\xfev\x00"])
def test_what_is_no_such_table_is_refused(content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv: the first line must be video,start,end"):
        list(read_table(tmp_path / "a.csv", ("video", "start", "end")))


def test_half_a_character_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("video".encode("utf-16") + b"\x00")
    with pytest.raises(InputError, match=r"a\.csv: is no text in utf-16"):
        list(read_table(tmp_path / "a.csv", ("video",)))
