import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics

from callbacks import auc


def random_case(rng):
    n = int(rng.integers(2, 400))
    label = rng.random(n) < rng.choice([0.02, 0.3, 0.5, 0.95])
    label[:2] = [0, 1]
    score = [
        lambda: rng.normal(size=n) + label,
        lambda: rng.integers(0, 5, n),  # many ties
        lambda: 90 + 10 * rng.random(n),
        lambda: rng.normal(size=n).astype(np.float32) * 1e-6 + 7,  # float32 noise: few distinct values
        lambda: np.zeros(n),
        lambda: -1e12 * rng.random(n),
        lambda: label * 1.0,
    ][rng.integers(7)]()
    return np.asarray(score), label.astype(np.int64)


def test_equals_scikit_learn_on_random_cases():
    rng = np.random.default_rng(0)
    for _ in range(400):
        score, label = random_case(rng)
        curve = auc.rank_curve(score, label)
        assert auc.auroc(curve) == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-12)
        assert auc.average_precision(curve) == pytest.approx(metrics.average_precision_score(label, score), abs=1e-12)
        false_rate, true_rate, _ = metrics.roc_curve(label, score, drop_intermediate=False)
        np.testing.assert_allclose(auc.roc_curve(curve), (false_rate, true_rate), atol=1e-12)
        threshold = float(rng.choice(score))
        assert auc.f1_score(score, label, threshold) == pytest.approx(
            metrics.f1_score(label, score > threshold, zero_division=0.0), abs=1e-12
        )
        negatives = np.array_split(score[label == 0], int(rng.integers(1, 5)))
        assert auc.auroc_of_parts(score[label == 1], negatives) == auc.auroc(curve)


def test_equal_error_rate_is_where_misses_and_false_alarms_cross():
    rng = np.random.default_rng(1)
    for _ in range(300):
        score, label = random_case(rng)
        false_rate, true_rate, _ = metrics.roc_curve(label, score, drop_intermediate=False)
        if np.unique(false_rate).size < false_rate.size:  # the reference needs a function of the false rate
            continue
        curve = interp1d(false_rate, true_rate)
        reference = brentq(lambda x, curve=curve: 1 - x - curve(x), 0, 1)
        assert auc.equal_error_rate(auc.rank_curve(score, label)) == pytest.approx(reference, abs=1e-9)


def test_equal_error_rate_of_known_cases():
    assert auc.equal_error_rate(auc.rank_curve([0, 1], [0, 1])) == 0.0
    assert auc.equal_error_rate(auc.rank_curve([1, 0], [0, 1])) == 1.0
    assert auc.equal_error_rate(auc.rank_curve([5, 5], [0, 1])) == 0.5
    assert auc.equal_error_rate(auc.rank_curve([4, 3, 2, 1], [1, 0, 1, 0])) == 0.5


def test_is_blind_to_order_and_to_rising_maps():
    rng = np.random.default_rng(2)
    score, label = random_case(rng)
    value = auc.auroc(auc.rank_curve(score, label))
    shuffled = rng.permutation(score.size)
    assert auc.auroc(auc.rank_curve(score[shuffled], label[shuffled])) == value
    assert auc.auroc(auc.rank_curve(3 * score + 100, label)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("label", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_is_undefined_and_never_a_number(label):
    curve = auc.rank_curve(np.arange(len(label)), label)
    assert auc.auroc(curve) is auc.average_precision(curve) is auc.equal_error_rate(curve) is None
    assert "both are needed" in curve.undefined
    assert auc.auroc_of_parts(np.ones(3), []) is auc.auroc_of_parts(np.empty(0), [np.ones(3)]) is None


@pytest.mark.parametrize(
    ("score", "label", "message"),
    [
        ([0, np.nan], [0, 1], "nan"),
        ([0, np.inf], [0, 1], "inf"),
        ([0, 1], [0, -1], "-1"),
        ([0], [0, 1], "1 scores"),
    ],
)
def test_refuses_what_has_no_rank(score, label, message):
    with pytest.raises(ValueError, match=message):
        auc.rank_curve(score, label)


def test_large_counts_do_not_overflow():
    positives, negatives = np.zeros(5), np.zeros(3_000_000, np.float32)
    assert auc.auroc_of_parts(positives, [negatives] * 2) == 0.5
