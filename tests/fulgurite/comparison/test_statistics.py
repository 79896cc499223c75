"""Metrics of weighted items, against scikit-learn on items that are written out as often as they count."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fulgurite.comparison.statistics import statistic_of

ITEMS = 6


def table(seed=0, ties=True, rows=20):
    """Scores of ``ITEMS`` videos; those of the first three have both classes, the rest one."""
    random = np.random.default_rng(seed)
    name = np.repeat([f"v{number}" for number in range(ITEMS)], rows)
    label = random.integers(0, 2, ITEMS * rows)
    label[3 * rows : 5 * rows] = 0
    label[5 * rows :] = 1
    score = random.normal(size=ITEMS * rows) + label
    score = np.round(score, 1) if ties else score
    return {"name": name, "label": label, "score": score, "flow_up": -score + random.normal(size=len(score))}


def text(columns):
    return {name: [str(one) for one in values] for name, values in columns.items()}


def repeated(columns, weight):
    """The rows of every item as often as it counts."""
    times = np.repeat(weight.astype(int), len(columns["name"]) // ITEMS)
    return {name: np.repeat(values, times) for name, values in columns.items()}


def faultless_or_defective(columns):
    """Without clean tiles beside defects."""
    beside = np.isin(columns["name"], np.unique(columns["name"][columns["label"] == 1])) & (columns["label"] == 0)
    return {name: values[~beside] for name, values in columns.items()}


METRICS = {
    "frame_auroc_micro": lambda c: roc_auc_score(c["label"], c["score"]),
    "frame_auroc_micro_flow_up": lambda c: roc_auc_score(c["label"], c["flow_up"]),
    "frame_ap": lambda c: average_precision_score(c["label"], c["score"]),
    "tile_auroc": lambda c: METRICS["frame_auroc_micro"](faultless_or_defective(c)),
    "tile_ap": lambda c: METRICS["frame_ap"](faultless_or_defective(c)),
}


@pytest.mark.parametrize("metric", METRICS)
def test_weights_count_items_as_often(metric):
    columns = table()
    statistic, names = statistic_of(metric, METRICS[metric](columns), text(columns))
    assert names == [f"v{number}" for number in range(ITEMS)]
    for seed in range(20):
        weight = np.random.default_rng(seed).multinomial(ITEMS, np.full(ITEMS, 1 / ITEMS)).astype(float)
        drawn = repeated(columns, weight)
        if len(set(faultless_or_defective(drawn)["label"])) == 2:
            assert statistic(weight) == pytest.approx(METRICS[metric](drawn), abs=1e-12)


def test_within_and_macro_are_of_items_with_both_classes():
    columns = table()
    rows = np.isin(columns["name"], ["v0", "v1", "v2"])
    within = roc_auc_score(columns["label"][rows], columns["score"][rows])
    statistic, _ = statistic_of("tile_auroc_within", within, text(columns))
    assert statistic(np.ones(ITEMS)) == pytest.approx(within)
    own = [
        roc_auc_score(columns["label"][r], columns["score"][r]) for r in (columns["name"] == f"v{n}" for n in range(3))
    ]
    statistic, _ = statistic_of("frame_auroc_macro", np.mean(own), text(columns))
    assert statistic(np.array([2.0, 1, 0, 5, 0, 1])) == pytest.approx((2 * own[0] + own[1]) / 3)


def test_a_picture_counts_by_its_highest_tile():
    columns = table()
    highest = [columns["score"][columns["name"] == f"v{n}"].max() for n in range(ITEMS)]
    found = roc_auc_score([1, 1, 1, 0, 0, 1], highest)
    statistic, _ = statistic_of("image_auroc", found, text(columns))
    assert statistic(np.ones(ITEMS)) == pytest.approx(found)


def test_means_and_decibels():
    psnr = np.array([20.0, 30.0, 25.0])
    columns = {"name": ["a", "b", "c"], "psnr": [str(one) for one in psnr], "ssim": ["0.5", "", "0.7"]}
    together = -10 * np.log10(np.mean(10 ** (-psnr / 10)))
    statistic, _ = statistic_of("psnr", together, columns)
    assert statistic(np.array([0.0, 2.0, 0.0])) == pytest.approx(30)
    statistic, _ = statistic_of("ssim", 0.6, columns)
    assert statistic(np.array([3.0, 1.0, 1.0])) == pytest.approx((3 * 0.5 + 0.7) / 4)


@pytest.mark.parametrize(
    "metric", ["frame_auroc_minmax", "pixel_auroc", "f1", "frame_eer", "fid_random_conv", "frame_ap"]
)
def test_what_scores_do_not_tell_has_no_statistic(metric):
    assert statistic_of(metric, 0.1234, text(table())) is None
    assert statistic_of(metric, 0.1234, {}) is None


def test_a_draw_of_one_class_has_no_value():
    columns = table()
    statistic, _ = statistic_of("frame_auroc_micro", METRICS["frame_auroc_micro"](columns), text(columns))
    assert np.isnan(statistic(np.array([0.0, 0, 0, 3, 0, 0])))
