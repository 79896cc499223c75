import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from callbacks.results import write_rows
from fulgurite.pages import score_table
from fulgurite.pages.score_table import curve_panels, read_scores, spreads, timelines


@pytest.fixture
def scores(tmp_path):
    """Write a table and read it again."""

    def write(header, rows):
        write_rows(tmp_path / "scores.csv", header, rows)
        return read_scores(tmp_path)

    return write


def test_spans_are_those_of_the_labels_in_the_order_of_the_frames(scores):
    label = [0, 1, 1, 0, -1, 1]
    rows = [["=a\n", frame, frame / 10, label[frame]] for frame in (5, 0, 1, 2, 3, 4)]
    (panel,), left = timelines(scores(["name", "frame", "score", "label"], rows), 0.2)
    bands = [one for one in panel.figure["layout"]["shapes"] if one["type"] == "rect"]
    assert [(one["x0"], one["x1"]) for one in bands] == [(0.5, 2.5), (4.5, 5.5)]
    assert panel.figure["data"][0]["x"] == [0, 1, 2, 3, 4, 5]
    assert (panel.title, left) == ("=a\n", 0)
    assert f"{roc_auc_score([0, 1, 1, 0, 1], [0, 1, 2, 3, 5]):.3f}" in panel.caption


def test_recordings_beyond_the_most_are_counted(scores, monkeypatch):
    monkeypatch.setattr(score_table, "MOST_TIMELINES", 3)
    shown, left = timelines(scores(["name", "frame", "score", "label"], [[f"{n}", 0, 1.0, 0] for n in range(5)]), None)
    assert ([panel.title for panel in shown], left) == (["0", "1", "2"], 2)


def test_curves_are_of_the_rows_that_have_a_label(scores):
    rng = np.random.default_rng(0)
    label = rng.integers(-1, 2, 300)
    rows = [[f"t{n}", float(rng.normal() + one), int(one), float(rng.normal())] for n, one in enumerate(label)]
    table = scores(["name", "score", "label", "rule"], rows)
    roc, _ = curve_panels(table, ["rule"])
    known = label >= 0
    area = roc_auc_score(label[known], table.numbers["score"][known])
    assert [trace["visible"] for trace in roc.figure["data"]] == [True, True]
    assert roc.figure["data"][0]["name"] == f"score  {area:.4f}"
    assert timelines(table, None) == ([], 0)  # no frames
    assert curve_panels(scores(["name", "score", "label"], [["a", 1.0, 0]]), []) == []  # one class


def test_figures_without_labels_are_spread(scores):
    table = scores(["name", "psnr", "why"], [["a", 20.0, "x"], ["b", 30.0, "y"], ["c", None, "z"]])
    (panel,) = spreads(table)
    assert panel.title == "psnr"
    assert sum(panel.figure["data"][0]["y"]) == pytest.approx(1)
    assert "2 rows, median 25." in panel.caption
