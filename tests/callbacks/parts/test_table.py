"""Counts of pixels that would not fit are added up by what they are judged by, the same for any split of the work."""

import threading

import numpy as np
import pytest
import torch

from callbacks import pixel_counts
from callbacks.parts import table
from callbacks.parts.evaluation import evaluate_parts, judge_thresholds
from callbacks.parts.table import PartTable
from datamodules.batches import PartScores

DEFECTS = ["good", "good", "hole", "good", "thread"]


def part(index):
    """Scores of one picture of 16 x 32 pixels, two tiles; a function of the index alone."""
    random, defect = np.random.default_rng(index), DEFECTS[index % 5]
    mask = np.zeros((16, 32), np.uint8)
    if defect != "good":
        mask[3:6, 10:13] = mask[9:14, 2:7] = 1
    heat = (1 + random.random(mask.shape) + mask).astype(np.float32)  # of one sign: few steps lie between them
    return PartScores(
        name=f"{index:03d}",
        group=f"g{index % 3}",
        defect=defect,
        label=int(defect != "good"),
        index=index,
        heat=torch.from_numpy(heat),
        tile=torch.tensor([[0, 0, 16, 16], [0, 16, 16, 16]]),
        tile_score=torch.tensor([heat[:, :16].max(), heat[:, 16:].max()]),
        tile_label=torch.tensor([int(mask[:, :16].any()), int(mask[:, 16:].any())]),
        score=torch.tensor(heat.max()),
        alternatives={"mean": torch.tensor([heat[:, :16].mean(), heat[:, 16:].mean()])},
        mask=torch.from_numpy(mask),
    )


PARTS = [part(index) for index in range(60)]


def table_of(parts, processes=1, **room):
    collected = PartTable(processes, **room)
    for one in parts:
        collected.add(one)
    return collected


def judged(rows):
    evaluation = evaluate_parts(rows)
    judge_thresholds(evaluation, rows, 2.2, 2.5)
    return evaluation


def without_aupro(evaluation):
    groups = {
        kind: {name: {key: value for key, value in one.items() if key != "aupro"} for name, one in groups.items()}
        for kind, groups in evaluation.groups.items()
    }
    metrics = {key: value for key, value in evaluation.metrics.items() if key != "aupro"}
    return metrics, evaluation.undefined, evaluation.counts, evaluation.details["rounding"]["pixel_auroc"], groups


def test_counts_that_are_added_up_are_worth_the_same():
    whole, added = table_of(PARTS).gather(), table_of(PARTS, most_bytes=30_000).gather()
    assert sum(row.pixels is not None for row in whole) == 60
    assert sum(row.pixels is not None for row in added) == 9  # three groups, of each two kinds of defect and faultless
    expected, found = judged(whole), judged(added)
    assert without_aupro(found) == without_aupro(expected)
    assert found.metrics["aupro"] == pytest.approx(expected.metrics["aupro"], abs=1e-7)
    for kind, groups in expected.groups.items():
        for name, figures in groups.items():
            assert found.groups[kind][name]["aupro"] == pytest.approx(figures["aupro"], abs=1e-7)


def test_no_more_counts_are_held_than_allowed_while_pictures_come():
    collected = PartTable(1, 30_000)
    for one in PARTS:
        collected.add(one)
        assert sum(row.pixel_bytes for row in collected._rows.values()) <= 30_000


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("room", [30_000, 200_000, 10_000_000])  # too little, too little for all of them, enough
def test_any_number_of_processes_says_the_same(processes, room, monkeypatch):
    expected = judged(table_of(PARTS, most_bytes=room).gather())
    shares = [PARTS[rank::processes] for rank in range(processes)]
    if processes > 1:
        shares[-1] = [*shares[-1], PARTS[0]]  # as a sampler repeats the first
    tables = [table_of(share, processes, most_bytes=room) for share in shares]
    meeting, offered, results = threading.Barrier(processes), [None] * processes, {}

    def exchange(own):
        offered[int(threading.current_thread().name)] = own
        meeting.wait(10)
        return list(offered)

    monkeypatch.setattr(table, "gather_objects", exchange)

    def work(rank):
        results[rank] = tables[rank].gather()

    threads = [threading.Thread(target=work, args=(rank,), name=str(rank)) for rank in range(processes)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    for rank in range(processes):
        assert judged(results[rank]) == expected


def test_counts_are_added_in_steps_without_a_trace(monkeypatch):
    counts = [row.pixels for row in table_of(PARTS).gather()]
    monkeypatch.setattr(pixel_counts, "AT_ONCE", 1000)
    at_once = pixel_counts.add_counts(counts)
    monkeypatch.setattr(pixel_counts, "AT_ONCE", 7)
    in_steps = pixel_counts.add_counts(counts)
    for name in ("step", "clean", "defective", "overlap"):
        assert np.array_equal(getattr(at_once, name), getattr(in_steps, name))
