from pathlib import Path

import pytest

from fulgurite.pages.checked import Checked
from fulgurite.pages.metric_table import headline_of, metric_rows, variants
from fulgurite.pages.results_files import Outcome

TILES = [f"tile_auroc{kind}{alone}" for alone in ("", "_kl", "_flow", "_flow_error") for kind in ("", "_macro", "_gap")]


def judged(metrics, beside=None, better="higher", undefined=(), headline=None) -> Outcome:
    meanings = {
        name: {"means": f"means {name}", "better": better, "range": (0, None), "beside": (beside or {}).get(name)}
        for name in metrics
    }
    about = Checked({}, "results.json")
    return Outcome(Path(), about, headline, metrics, meanings, undefined=dict.fromkeys(undefined, "one class only"))


def test_the_headline_comes_first_and_references_stand_beside_the_best_first():
    beside = {"a_rule": "a", "a_chance": "a", "b_rule": "b"}
    test = judged({"b": 0.4, "b_rule": 0.5, "a": 0.7, "a_rule": 0.6, "a_chance": 0.65}, beside, undefined=["c"])
    rows = metric_rows(test, "a")
    assert [row.name for row in rows] == ["a", "b", "c"]
    assert [one.name for one in rows[0].beside] == ["a_chance", "a_rule"]
    assert [row.wins for row in rows] == [True, False, None]
    assert (rows[0].is_headline, rows[1].is_headline) == (True, False)
    assert rows[0].bounds == "at least 0"
    assert (rows[2].value, rows[2].why) == (None, "one class only")


def test_where_less_is_better_the_smallest_reference_is_the_best():
    test = judged({"fid": 2.0, "fid_mean": 1.5, "fid_halves": 0.5}, {"fid_mean": "fid", "fid_halves": "fid"}, "lower")
    (row,) = metric_rows(test, "fid")
    assert [one.name for one in row.beside] == ["fid_halves", "fid_mean"]
    assert row.wins is False


def test_the_same_metrics_of_many_scores_become_a_table():
    test = judged({name: number / 10 for number, name in enumerate(TILES)})
    assert [row.name for row in metric_rows(test, None)] == ["tile_auroc", "tile_auroc_macro", "tile_auroc_gap"]
    found = variants(test)
    assert found.heads == ["tile_auroc", "tile_auroc_macro", "tile_auroc_gap"]
    assert list(found.rows) == ["kl", "flow", "flow_error"]
    assert found.rows["flow_error"] == [test.metrics[f"tile_auroc{kind}_flow_error"] for kind in ("", "_macro", "_gap")]


def test_no_metric_is_lost_or_told_twice():
    test = judged(dict.fromkeys([*TILES, "f1", "tile_auroc_rule"], 0.5), {"tile_auroc_rule": "tile_auroc"})
    rows, found = metric_rows(test, "f1"), variants(test)
    told = [row.name for row in rows] + [one.name for row in rows for one in row.beside]
    told += [
        f"{head}_{suffix}" for suffix, values in found.rows.items() for head, _ in zip(found.heads, values, strict=True)
    ]
    assert sorted(told) == sorted(test.metrics)


def test_a_few_that_begin_alike_stay_in_the_list():
    test = judged({"psnr": 1.0, "psnr_mean": 2.0, "fid": 1.0, "fid_mean": 2.0})
    assert len(metric_rows(test, None)) == 4
    assert variants(test) is None


@pytest.mark.parametrize(
    ("headline", "monitor", "found"),
    [("a", "val/b", "a"), (None, "val/b", "b"), (None, "val/z", None), ("z", None, None)],
)
def test_without_a_headline_it_is_what_best_was_picked_by(headline, monitor, found):
    assert headline_of(judged({"a": 1.0, "b": 2.0}, headline=headline), monitor) == found
