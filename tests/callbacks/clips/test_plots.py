import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from callbacks.clips import plots
from callbacks.clips.plots import draw_scores, runs, write_plots
from callbacks.clips.table import VideoSeries
from callbacks.plots import ANOMALOUS


def series(count, frames=40, labels=True):
    rng = np.random.default_rng(0)
    label = (np.arange(frames) // 10 % 2) if labels else np.full(frames, -1)
    return [VideoSeries(f"clip{n}", np.arange(frames), rng.normal(size=frames) + label, label) for n in range(count)]


@pytest.mark.parametrize(("count", "pages"), [(1, ["scores"]), (6, ["scores-1", "scores-2"])])
def test_writes_readable_pictures(tmp_path, monkeypatch, count, pages):
    monkeypatch.setattr(plots, "PER_PAGE", 5)
    paths = write_plots(tmp_path / "plots", series(count), 0.5)
    assert [path.stem for path in paths] == ["roc", "precision_recall", *pages]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture.shape[1] >= 500
        assert len(np.unique(picture @ [1, 1 << 8, 1 << 16])) > 20  # colours: something is drawn


def test_without_labels_only_the_scores_are_drawn(tmp_path):
    assert [path.name for path in write_plots(tmp_path, series(2, labels=False), None)] == ["scores.png"]


def test_a_single_frame_can_be_drawn(tmp_path):
    write_plots(tmp_path, series(1, frames=1), None)


def test_shades_exactly_the_labelled_spans():
    axes = Figure().subplots()
    draw_scores(axes, np.arange(6), np.zeros(6), 0.5, np.array([1, 0, 0, 1, 1, 0], bool))
    spans = [patch.get_extents().transformed(axes.transData.inverted()) for patch in axes.patches]
    np.testing.assert_allclose([(span.x0, span.x1) for span in spans], [(-0.5, 0.5), (2.5, 4.5)])
    assert {matplotlib.colors.to_hex(patch.get_facecolor()) for patch in axes.patches} == {ANOMALOUS}
    assert [line.get_ydata()[0] for line in axes.lines[1:]] == [0.5]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("", []), ("0", []), ("1", [(0, 0)]), ("0110", [(1, 2)]), ("1011", [(0, 0), (2, 3)])],
)
def test_runs(flags, expected):
    assert runs(np.array([flag == "1" for flag in flags], bool)) == expected
