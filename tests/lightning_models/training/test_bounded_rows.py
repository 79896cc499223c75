"""Rows of a calibration: all where they fit, and else the same sample whoever collects them, in whatever order."""

import pickle
import random
import threading
from typing import NamedTuple

import pytest
import torch

from lightning_models.training import bounded_rows
from lightning_models.training.bounded_rows import TENSOR_BYTES, BoundedRows

CPU = torch.device("cpu")


class Row(NamedTuple):
    group: str
    values: torch.Tensor


def row(number, group="a", length=4):
    return Row(group, torch.full((length,), float(number)))


def group_of(one):
    return one.group


def rows_of(count, rare=0):
    """Rows of two groups, the last few of the rare one."""
    return {number: row(number, "b" if number >= count - rare else "a") for number in range(count)}


def bounded(most):
    return BoundedRows(group_of, most * (TENSOR_BYTES + 16))


def filled(rows, most, parts=1):
    found = [bounded(most) for _ in range(parts)]
    for place, (number, one) in enumerate(rows.items()):
        found[place % parts].add({number: one})
    return found


def taken(processes, monkeypatch):
    """What every process gets, each in a thread of its own."""
    meeting, tables = threading.Barrier(len(processes)), [None] * len(processes)

    def exchange(own):
        tables[int(threading.current_thread().name)] = own
        meeting.wait(10)
        found = list(tables)
        meeting.wait(10)
        return found

    monkeypatch.setattr(bounded_rows, "gather_objects", exchange)
    results = {}

    def work(rank):
        results[rank] = processes[rank].take(CPU)

    threads = [threading.Thread(target=work, args=(rank,), name=str(rank)) for rank in range(len(processes))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    return [results[rank] for rank in range(len(processes))]


def numbers(found):
    return [int(one.values[0]) for one in found]


def test_all_rows_stay_where_they_fit():
    rows = bounded(50)
    rows.add(rows_of(50))
    assert len(rows) == 50
    found, used = rows.take(CPU)
    assert numbers(found) == list(range(50))
    assert used == (50, 50)
    assert len(rows) == 0
    assert rows.take(CPU) == ([], (0, 0))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_the_sample_is_the_same_in_any_order_and_for_any_number_of_processes(parts, monkeypatch):
    rows = rows_of(300)
    alone, used = filled(rows, 40)[0].take(CPU)
    assert used == (40, 300)
    mixed = list(rows.items())
    random.Random(parts).shuffle(mixed)
    repeated = dict(mixed) | {number: rows[number] for number in range(parts)}
    for found, told in taken(filled(repeated, 40, parts), monkeypatch):
        assert told == (40, 300)
        assert numbers(found) == numbers(alone)


def test_what_a_sampler_repeats_counts_once_in_a_sample(monkeypatch):
    first, second = filled(rows_of(300), 40, 2)
    second.add({0: row(0), 2: row(2)})  # which the first one has, too
    for _, used in taken([first, second], monkeypatch):
        assert used == (40, 300)


def test_no_more_is_held_than_allowed_while_rows_come():
    rows = bounded(10)
    for number, one in rows_of(500).items():
        rows.add({number: one})
        assert len(rows) <= 10
    assert rows._arena._used <= 11 * 64  # what was dropped makes room for what comes


def test_the_sample_is_even():
    """Its mean is that of all numbers as nearly as that of drawn ones, which is 5,000 +- 204 (one deviation)."""
    found, _ = filled(rows_of(10_000), 200)[0].take(CPU)
    assert abs(sum(numbers(found)) / 200 - 5000) < 3 * 204


@pytest.mark.parametrize("parts", [1, 2])
def test_a_rare_group_stays_whole(parts, monkeypatch):
    for found, used in taken(filled(rows_of(400, rare=9), 40, parts), monkeypatch):
        assert used == (40, 400)
        assert sum(one.group == "b" for one in found) == 9


@pytest.mark.parametrize("parts", [1, 3])
def test_rows_of_different_length_count_as_the_largest(parts, monkeypatch):
    rows = {number: row(number, length=4 * (1 + (number == 77))) for number in range(100)}
    allowed = 38 * (TENSOR_BYTES + 16) // (TENSOR_BYTES + 32)
    expected = numbers(filled(rows_of(100), allowed)[0].take(CPU)[0])
    for found, used in taken(filled(rows, 38, parts), monkeypatch):
        assert used == (allowed, 100)
        assert numbers(found) == expected


def test_two_are_kept_however_large():
    found, used = filled(rows_of(30), 0)[0].take(CPU)
    assert used == (2, 30)
    assert len(found) == 2


def test_a_row_does_not_hold_the_batch_it_is_a_part_of():
    batch = torch.rand(1000, 4)
    rows = BoundedRows()
    rows.add({0: batch[3]})
    expected = batch[3].clone()
    batch.zero_()
    assert torch.equal(rows.take(CPU)[0][0], expected)


def test_what_is_sent_to_other_processes_is_no_more_than_the_rows(monkeypatch):
    sent = []
    rows = BoundedRows()
    rows.add({number: torch.rand(4) for number in range(10)})
    monkeypatch.setattr(bounded_rows, "gather_objects", lambda own: sent.append(pickle.dumps(own)) or [own, own])
    assert len(rows.take(CPU)[0]) == 10
    assert len(sent[-1]) < 10_000  # whole blocks would be a megabyte each


def test_the_last_of_equal_numbers_counts():
    rows = BoundedRows()
    rows.add({5: torch.tensor([1.0])})
    rows.add({5: torch.tensor([2.0])})
    found, used = rows.take(CPU)
    assert (found[0].item(), used) == (2.0, (1, 1))
