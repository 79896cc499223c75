"""Run folders as the verbs leave them, with scores of a known quality."""

import csv
import json

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

VIDEOS, FRAMES = 8, 40


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    """Write a run: ``quality`` is how far anomalous frames lie above normal ones, in standard deviations."""
    monkeypatch.chdir(tmp_path)

    def make(name, quality=1.0, seed=0, truth=0, source="ped2", experiment="vta_gan", tested=True, **settings):
        run = tmp_path / "runs" / experiment / name
        run.mkdir(parents=True)
        config = {
            "seed_everything": seed,
            "run": {"name": None, "experiment": experiment},
            "model": {"class_path": "VTAGAN", "init_args": {"ngf": 32, **settings}},
            "data": {"class_path": "Videos", "init_args": {"cache_dir": f"/cache/{name}"}},
            "trainer": {"callbacks": [{"class_path": "callbacks.ClipMetrics", "init_args": {"plots": True}}]},
        }
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        training = {"parameters": {"total": 1000}, "step_seconds": 0.5, "peak_memory_bytes": 2e9, "seconds": 60.0}
        training |= {"commit": "abc", "finished": True}
        (run / "training.json").write_text(json.dumps(training))
        if tested:
            label = np.random.default_rng(truth).integers(0, 2, VIDEOS * FRAMES)
            score = np.random.default_rng(100 + seed).normal(size=len(label)) + quality * label
            test = run / "results" / source
            test.mkdir(parents=True)
            rows = [(f"v{n // FRAMES}", n % FRAMES, s, y) for n, (s, y) in enumerate(zip(score, label, strict=True))]
            with (test / "scores.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("name", "frame", "score", "label"), *rows])
            area = roc_auc_score(label, score)
            means = {"better": "higher", "range": [0, 1], "beside": None}
            results = {
                **dict.fromkeys(("system", "source", "checkpoint", "commit", "device", "date"), "x"),
                **{"seed": seed, "complete": True, "processes": 1, "versions": {}, "undefined": {}, "counts": {}},
                **{"groups": {}, "test_seconds": 1.0, "headline": "frame_auroc_micro"},
                "metrics": {"frame_auroc_micro": area, "frame_eer": 1 - area, "frame_auroc_micro_baseline": 0.5},
                "meanings": {
                    "frame_auroc_micro": {"means": "how often", **means},
                    "frame_eer": {"means": "rate of errors", **means, "better": "lower"},
                    "frame_auroc_micro_baseline": {"means": "a rule", **means, "beside": "frame_auroc_micro"},
                },
            }
            (test / "results.json").write_text(json.dumps(results))
        return run

    return make
