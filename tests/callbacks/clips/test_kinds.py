import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from callbacks.clips.evaluation import evaluate
from callbacks.clips.kinds import METRIC, auroc_of_kinds
from callbacks.clips.meanings import CLIP_MEANINGS
from callbacks.clips.table import VideoSeries
from callbacks.meanings import describe
from datamodules.clips.pseudo_anomalies import KINDS

SHOWN = {"a-pseudo": (("speed", 3, 9), ("paste", 14, 16)), "b-pseudo": (("reverse", 2, 12), ("speed", 18, 20))}
"""Which frames of which video show what; nothing is frozen."""


@pytest.fixture
def videos():
    """Two normal videos and two with anomalies, whose frames were not all scored; and the kinds of all of theirs."""
    random, kinds, series = np.random.default_rng(0), {}, []
    for name in ("a", "a-pseudo", "b", "b-pseudo"):
        frame = np.sort(random.choice(20, 17, replace=False))
        label, kind = np.zeros(20, np.int64), np.zeros(20, "U7")
        for shown, start, end in SHOWN.get(name, ()):
            label[start:end], kind[start:end] = 1, shown
        score = random.normal(size=17) + label[frame] * random.uniform(0, 1.5, 17)
        series.append(VideoSeries(name, frame, score, label[frame]))
        if name in SHOWN:
            kinds[name] = kind
    return series, kinds


def rows(series, kinds):
    """Score, label and kind of every frame, one by one."""
    for one in series:
        for frame, score, label in zip(one.frame, one.score, one.label, strict=True):
            yield score, label, kinds[one.video][frame] if one.video in kinds else ""


def test_each_kind_is_ranked_among_all_normal_frames(videos):
    found = auroc_of_kinds(*videos)
    assert list(found) == [f"{METRIC}{kind}" for kind in KINDS]
    assert found.pop("frame_auroc_of_freeze") is None
    for name, value in found.items():
        own = [(score, label) for score, label, kind in rows(*videos) if not label or name.endswith(f"_{kind}")]
        score, label = zip(*own, strict=True)
        assert value == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert len({*found.values()}) == 3


def test_what_all_reach_together_is_the_mean_weighted_by_frames(videos):
    kinds = [kind for _, label, kind in rows(*videos) if label]
    evaluation = evaluate(videos[0], kinds=videos[1])
    whole = [evaluation.metrics[f"{METRIC}{kind}"] * kinds.count(kind) for kind in KINDS if kind in kinds]
    assert evaluation.metrics["frame_auroc_micro"] == pytest.approx(sum(whole) / len(kinds), abs=1e-12)


def test_frames_of_unknown_label_take_no_part(videos):
    series, kinds = videos
    before = auroc_of_kinds(series, kinds)
    strange = VideoSeries("c", np.arange(4), np.array([-9.0, 9.0, 9.0, 9.0]), np.full(4, -1))
    assert auroc_of_kinds([*series, strange], kinds | {"c": np.array(["", *["speed"] * 3])}) == before


def test_what_has_no_value_is_told_why(videos):
    series, kinds = videos
    name = "frame_auroc_of_freeze"
    assert evaluate(series, kinds=kinds).undefined[name] == "no clip shows this kind of anomaly"
    assert evaluate(series).undefined[name] == "the data do not tell kinds of anomalies"
    assert evaluate(series[:1], kinds=kinds).undefined[name] == "frames: 0 anomalous and 17 normal: both are needed"
    assert name not in evaluate(series, tested=True).names


def test_every_kind_is_described_in_its_own_words():
    described = describe([f"{METRIC}{kind}" for kind in KINDS], CLIP_MEANINGS)
    assert len({one["means"] for one in described.values()}) == len(KINDS)
