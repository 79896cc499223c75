import csv
import errno
import os

from fulgurite.live.table import GrowingTable


def test_rows_are_there_as_soon_as_they_are_added(tmp_path):
    table = GrowingTable(tmp_path / "a.csv", ["name", "score"], print)
    table.add([["=x", 1.5]])
    with (tmp_path / "a.csv").open() as file:
        assert list(csv.reader(file)) == [["name", "score"], ["'=x", "1.5"]]
    table.close()


def test_a_full_disk_costs_whole_rows_and_is_told_once(tmp_path, monkeypatch):
    told, room, write = [], [0], os.write

    def fill(file, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = write(file, data[: room[0]])
        room[0] -= count
        return count

    table = GrowingTable(tmp_path / "a.csv", ["name"], told.append)
    table.add([["first"]])
    monkeypatch.setattr("fulgurite.live.table.os.write", fill)
    room[0] = 5
    table.add([["second"], ["third"]])  # there is room for a part of it
    table.add([["fourth"]])
    assert (tmp_path / "a.csv").read_text() == "name\nfirst\n"
    assert len(told) == 1
    assert "No space left on device. The watch goes on without it" in told[0]
    room[0] = 1000
    table.add([["fifth"]])
    assert (tmp_path / "a.csv").read_text() == "name\nfirst\nfifth\n"
    assert told[1].endswith("can be written again; 3 rows are missing")
    assert (table.lost, len(told)) == (3, 2)
    table.close()
