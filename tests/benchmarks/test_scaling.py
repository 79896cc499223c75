"""Exponents, estimates and what is measured, at tiny sizes."""

import json
import logging

import pytest

from benchmarks.scaling import __main__ as scaling
from benchmarks.scaling import estimates, storage, systems
from benchmarks.scaling.growth import Growth, Kind, exponent
from benchmarks.scaling.isolated import in_own_process
from callbacks.clips.table import FrameTable


@pytest.fixture(autouse=True)
def _its_quiet_is_its_own():
    """What is measured silences Lightning in its process, which here is everybody's."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    yield
    logger.setLevel(before)


def grown(name, power, sizes=(1, 2, 4), **factors):
    found = Growth(name, "things")
    for size in sizes:
        found.add(size, {quantity: factor * size**power for quantity, factor in factors.items()})
    return found


def test_the_exponent_is_the_power():
    assert exponent([10, 20, 80], [3 * size**1.7 for size in (10, 20, 80)]) == pytest.approx(1.7)
    found = grown("x", 2, cpu=0.5, memory=0)
    assert found.exponent("cpu") == pytest.approx(2)
    assert found.exponent("memory") is None  # a zero has no logarithm
    assert found.at("cpu", 2) == 2
    assert found.at("cpu", 400) == pytest.approx(0.5 * 400**2)
    fixed = Growth("x", "things")
    for size in (1, 2, 4):
        fixed.add(size, {"memory": 100 + size})
    assert fixed.at("memory", 1000) == pytest.approx(1100)


def test_the_median_of_the_repeats_counts_and_the_last_doubling_the_end():
    found = Growth("x", "things")
    for size, value in ((1, 5.0), (2, 6.0), (4, 12.0), (1, 100.0), (2, 6.0), (4, 12.0), (1, 5.0), (2, 1.0), (4, 12.0)):
        found.add(size, {"cpu": value})
    assert found.medians("cpu") == {1: 5.0, 2: 6.0, 4: 12.0}
    assert found.last_doubling("cpu") == pytest.approx(1)
    assert found.exponent("cpu") < 1


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(30, "30 seconds"), (7200, "2 hours"), (86_400 * 5, "5 days"), (86_400 * 365 * 20, "20 years")],
)
def test_durations_read_well(seconds, says):
    assert estimates.duration(seconds) == says


def test_sixty_four_gpus_are_faster_by_what_is_assumed():
    one, many = estimates.gpu_seconds(1e18), estimates.gpu_seconds(1e18, 64)
    assert one == pytest.approx(1e18 / (312e12 * 0.1))
    assert one / many == pytest.approx(64 * 0.9)


@pytest.mark.parametrize("estimate", estimates.ESTIMATES)
def test_every_estimate_says_what_it_assumes(estimate):
    kinds = {kind.name: kind for kind in scaling.KINDS}
    found = {
        name: grown(name, 1, kind.sizes, cpu=1e-6, operations=1e6, memory=10, disk=100) for name, kind in kinds.items()
    }
    told = estimate(found)
    assert told.assumed
    assert len(told.rows) >= 5
    assert all(text[0].isdigit() for _, text in told.rows)


def test_every_kind_of_work_doubles_or_quadruples():
    for kind in scaling.KINDS:
        steps = {after / before for before, after in zip(kind.sizes, kind.sizes[1:], strict=False)}
        assert steps in ({2}, {4}), kind.name


def test_a_step_and_a_judgement_are_measured():
    stepped = systems.train(systems.cars, 1)
    assert stepped["cpu"] > 0
    assert stepped["operations"] > 1e8
    judged = systems.judge(systems.strip, 256)
    assert judged["cpu"] > 0
    assert judged["operations"] > 1e8


def test_operations_of_a_step_grow_with_the_batch():
    one, two = (systems.train(systems.tiles, count)["operations"] for count in (1, 2))
    assert two == 2 * one


@pytest.mark.parametrize(
    ("work", "size"),
    [(storage.listing, 20), (storage.hashing, 20), (storage.picture_cache, 3), (storage.video_cache, 3)],
)
def test_what_is_done_with_files_is_measured(work, size):
    found = work(size)
    assert found["cpu"] > 0
    if "disk" in found:
        assert found["disk"] > 3 * 128 * 128


def test_generated_scores_are_windows_of_videos_that_a_test_takes():
    table = FrameTable()
    for first in range(0, 1024, 64):
        table.add(storage.scores_of(first, 64, 64, True))
    first, second, third = table.gather().series()
    assert len(first.frame) == len(second.frame) == 1000
    assert first.frame[-1] == 999
    assert third.places is not None
    assert storage.judging(2000)["cpu"] > 0


def test_the_program_prints_and_writes_what_it_has_measured(tmp_path, monkeypatch, capsys):
    def work(size):
        return {"cpu": 0.1 * size, "operations": 1e9 * size, "memory": size << 20}

    monkeypatch.setattr(scaling, "KINDS", [Kind("Toy, training: parts", "parts", (1, 2, 4), work)])
    monkeypatch.setattr(scaling, "ESTIMATES", [lambda _: estimates.Estimate("a toy", ["nothing"], [("parts", "4")])])
    monkeypatch.setattr(scaling, "in_own_process", lambda work, size: work(size))
    scaling.main(["--out", str(tmp_path), "--repeats", "2"])
    said = capsys.readouterr().out
    assert "| Toy, training: parts | 1 to 4 parts | 0.4 s             | 1.00 (1.00)" in said
    assert "- nothing" in said
    written = tmp_path / "scaling.json"
    scaling.main(["--read", str(written), "--out", str(tmp_path / "again")])
    again = capsys.readouterr().out
    assert said.partition("## Growth")[2].replace(str(tmp_path), "") == again.partition("## Growth")[2].replace(
        str(tmp_path / "again"), ""
    )
    assert not (tmp_path / "again/scaling.json").exists()
    record = json.loads((tmp_path / "scaling.json").read_text())
    assert record["growth"][0]["values"]["cpu"]["4"] == [0.4, 0.4]
    assert (tmp_path / "scaling.png").stat().st_size > 5000
    with pytest.raises(SystemExit):
        scaling.main(["--only", "nothing of the kind"])
    assert "give a part of a name" in capsys.readouterr().err


@pytest.mark.slow
def test_work_in_its_own_process_answers_or_says_that_it_does_not():
    assert in_own_process(max, 2, 3) == 3
    with pytest.raises(ZeroDivisionError):
        in_own_process(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="without an answer"):
        in_own_process(__import__("os")._exit, 3)
