import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from sklearn.metrics import auc as area_under
from sklearn.metrics import roc_auc_score

from callbacks import auc
from callbacks.wandb_charts import POINTS, ROWS, send_cases, send_curves, send_scores, thinned
from callbacks.wandb_logger import BatchesLogger


class Notes(BatchesLogger):
    def __init__(self):
        self.sent = {}

    def log_asking(self, metrics, step):
        self.sent |= {name: (what, step) for name, what in metrics.items()}


@pytest.fixture
def trainer():
    return SimpleNamespace(
        loggers=[Notes()], is_global_zero=True, lightning_module=SimpleNamespace(batches_seen=7), notes=None
    )


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.data]


def make_curve(count=5000):
    random = np.random.default_rng(0)
    label = random.integers(0, 2, count)
    score = random.normal(size=count) + label
    return score, label, auc.rank_curve(score, label)


def test_curves_keep_their_shape_and_their_ends(trainer):
    score, label, curve = make_curve()
    send_curves(trainer, curve)
    (chart, step), (other, _) = (trainer.loggers[0].sent[name] for name in ("test/roc_curve", "test/pr_curve"))
    assert step == 7
    model = [row for row in rows_of(chart.table) if row["class"].startswith("model, area")]
    across, up = (np.array([row[name] for row in model]) for name in ("false positive rate", "true positive rate"))
    assert POINTS / 2 < len(model) <= POINTS < len(curve.threshold)
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
    assert area_under(across, up) == pytest.approx(roc_auc_score(label, score), abs=2e-3)
    chance = [row["precision"] for row in rows_of(other.table) if row["class"].startswith("chance")]
    assert chance == pytest.approx([label.mean()] * 2)


def test_points_of_a_short_curve_are_all_kept():
    across, up = np.array([0, 0.5, 1]), np.array([0, 0.9, 1])
    assert [part.tolist() for part in thinned(across, up)] == [across.tolist(), up.tolist()]


def test_one_class_has_no_curve(trainer):
    send_curves(trainer, auc.rank_curve([0.1, 0.2], [1, 1]))
    send_curves(trainer, None)
    assert trainer.loggers[0].sent == {}


def test_scores_over_time_keep_every_peak(trainer):
    count = 3 * ROWS
    score = np.zeros(count)
    score[[1, count - 5]] = 9
    videos = ["a"] * (count - 2) + ["b"] * 2
    rows = [[video, frame, score[frame], 0, 0.5] for frame, video in enumerate(videos)]
    send_scores(trainer, ["name", "frame", "score", "label", "other"], rows)
    chart, step = trainer.loggers[0].sent["test/scores_over_time"]
    kept = rows_of(chart.table)
    assert step == 7
    assert len(kept) == ROWS + 1  # of each video the last frames may be fewer
    assert [row["frame"] for row in kept if row["score"] == 9] == [1, count - 5]
    assert kept[-1] == {"video": "b", "frame": count - 2, "score": 0, "label": 0}


def test_what_has_no_frames_has_no_time(trainer):
    send_scores(trainer, ["name", "score"], [["a", 1.0]])
    assert trainer.loggers[0].sent == {}


def test_cases_are_a_table_with_their_pictures(trainer, tmp_path):
    (tmp_path / "cases").mkdir()
    cv2.imwrite(str(tmp_path / "cases/worst-1.png"), np.zeros((8, 8, 3), np.uint8))
    case = {"name": "a", "kind": "worst", "says": "A miss.", "figures": {"score": 1.5}, "file": "cases/worst-1.png"}
    other = {**case, "name": "b", "figures": {"rank": 2}}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [case, other]}))
    send_cases(trainer, tmp_path)
    table, step = trainer.loggers[0].sent["test/cases"]
    first, second = rows_of(table)
    assert step == 7
    assert [first[key] for key in ("kind", "name", "says", "score", "rank")] == ["worst", "a", "A miss.", 1.5, None]
    assert (second["score"], second["rank"]) == (None, 2)
    assert first["picture"].image.size == (8, 8)


def test_a_test_without_cases_sends_none(trainer, tmp_path):
    send_cases(trainer, tmp_path)
    assert trainer.loggers[0].sent == {}
