"""metrics.csv: rows at once, columns that come later, and a resumed run."""

import csv
import errno
import os
import resource

import pytest

from callbacks.metrics_csv import MetricsCsv
from datamodules.errors import InputError


def read(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_are_on_the_disk_at_once_and_columns_may_come_later(tmp_path):
    log = MetricsCsv(tmp_path)
    log.log_metrics({"a": 1.0}, 0)
    assert read(tmp_path) == [{"step": "0", "a": "1.0"}]
    log.log_metrics({"b": 2.0}, 1)
    log.log_metrics({"a": 3.0}, 2)
    assert read(tmp_path) == [
        {"step": "0", "a": "1.0", "b": ""},
        {"step": "1", "a": "", "b": "2.0"},
        {"step": "2", "a": "3.0", "b": ""},
    ]


def test_a_resumed_run_replaces_the_rows_it_repeats(tmp_path):
    first = MetricsCsv(tmp_path)
    for step in range(4):
        first.log_metrics({"a": step}, step)
    again = MetricsCsv(tmp_path)
    for step in (2, 3, 4):
        again.log_metrics({"a": -step}, step)
    assert [(row["step"], row["a"]) for row in read(tmp_path)] == [
        ("0", "0"), ("1", "1"), ("2", "-2"), ("3", "-3"), ("4", "-4"),
    ]  # fmt: skip


def test_a_table_that_cannot_be_written_anew_stays(tmp_path, monkeypatch):
    MetricsCsv(tmp_path).log_metrics({"loss": 1.0}, 1)
    before = (tmp_path / "metrics.csv").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(InputError, match=r"metrics\.csv cannot be written: No space left"):
        MetricsCsv(tmp_path).log_metrics({"another": 1.0}, 2)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_a_row_that_a_full_disk_has_cut_is_no_row(tmp_path):
    MetricsCsv(tmp_path).log_metrics({"loss": 1.0}, 11)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("1")  # of a 12
    MetricsCsv(tmp_path).log_metrics({"loss": 2.0}, 12)
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,loss", "11,1.0", "12,2.0"]


def test_a_disk_that_is_full_while_a_row_is_added_is_told(tmp_path):
    table = MetricsCsv(tmp_path)
    table.log_metrics({"loss": 1.0}, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (table.path.stat().st_size, before[1]))
    try:
        with pytest.raises(InputError, match=r"metrics\.csv cannot be written: File too large"):
            table.log_metrics({"loss": 2.0}, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_continued_run_goes_on_behind_the_rows_that_its_checkpoint_had(tmp_path):
    first = MetricsCsv(tmp_path)
    first.log_metrics({"loss": 1.0}, 1)
    first.log_metrics({"score": 2.0}, 1)
    rows = first.rows
    first.log_metrics({"loss": 3.0}, 2)
    second = MetricsCsv(tmp_path)
    second.known_rows = rows
    second.log_metrics({"score": 2.5}, 1)
    second.log_metrics({"loss": 4.0}, 2)
    assert (rows, second.rows) == (2, 4)
    written = (tmp_path / "metrics.csv").read_text().split()
    assert written == ["step,loss,score", "1,1.0,", "1,,2.0", "1,,2.5", "2,4.0,"]
