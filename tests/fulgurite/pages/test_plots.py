import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from callbacks import auc
from fulgurite.pages import plots
from fulgurite.pages.plots import Line


def test_a_gap_stays_a_gap():
    y = np.ones(5000)
    y[2000:3000] = np.nan
    (trace,) = plots.curves([Line("a", np.arange(5000), y)], "x")["data"]
    assert None in trace["y"]
    assert 1 in trace["y"]


def test_roc_and_precision_recall_say_what_sklearn_says():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 9000)
    score = (label + rng.normal(size=9000)).round(2)
    found = {"score": auc.rank_curve(score, label)}
    roc, pr = plots.roc(found, ["score"]), plots.precision_recall(found, ["score"])
    assert roc["data"][0]["name"].endswith(f"{roc_auc_score(label, score):.4f}")
    assert pr["data"][0]["name"].endswith(f"{average_precision_score(label, score):.4f}")
    false, true, _ = roc_curve(label, score)
    drawn = np.interp(false, roc["data"][0]["x"], roc["data"][0]["y"])
    assert np.abs(drawn - true).max() < 0.01
    (line,) = roc["data"]
    assert [(line["x"][end], line["y"][end]) for end in (0, -1)] == [(0, 0), (1, 1)]


def test_labelled_spans_are_shaded_and_the_threshold_is_a_line():
    figure = plots.timeline([0, 1, 2, 3], [0.1, 0.9, 0.8, 0.2], [(1, 2)], 0.5)
    band, line = figure["layout"]["shapes"]
    assert (band["type"], band["x0"], band["x1"]) == ("rect", 0.5, 2.5)
    assert (line["y0"], line["y1"]) == (0.5, 0.5)
    assert len(plots.timeline([0], [1], [], None)["layout"]["shapes"]) == 0


def test_marks_of_html_in_a_name_are_shown_as_they_are():
    (trace,) = plots.curves([Line("<b>&\n", [0], [1])], "x")["data"]
    assert trace["name"] == "&lt;b&gt;&amp;\\n"


def test_more_than_eight_lines_wait_for_a_click():
    figure = plots.curves([Line(str(n), [0, 1], [n, n]) for n in range(12)], "x")
    assert [trace["visible"] for trace in figure["data"]] == [True] * 8 + ["legendonly"] * 4


@pytest.mark.parametrize("marked", [None, 3.0])
def test_a_figure_is_made_of_what_json_has(marked):
    figure = plots.curves([Line("a", np.arange(3, dtype=np.int64), np.float32([1, 2, 3]))], "x", "y", marked, "best")
    assert json.loads(json.dumps(figure, allow_nan=False)) == figure


def test_a_value_that_never_changes_is_not_drawn_as_nothing():
    rates = [Line("generator", [1, 2], [2e-4, 2e-4]), Line("discriminator", [1, 2], [2e-4, np.nan])]
    assert plots.curves(rates, "x")["layout"]["yaxis"]["range"] == [0, 4e-4]
    assert plots.curves([Line("a", [1], [-3])], "x")["layout"]["yaxis"]["range"] == [-6, 0]
    assert "range" not in plots.curves([Line("a", [1, 2], [1, 2])], "x")["layout"]["yaxis"]
    assert "range" not in plots.curves([Line("a", [1, 2], [0, 0])], "x")["layout"]["yaxis"]


def test_a_figure_grows_with_its_legend():
    heights = [
        plots.curves([Line(f"a long name of a line {n}", [0, 1], [n, 1]) for n in range(count)], "x")["layout"][
            "height"
        ]
        for count in (1, 12)
    ]
    assert heights[1] - heights[0] == 5 * 17  # two names in each of six rows
