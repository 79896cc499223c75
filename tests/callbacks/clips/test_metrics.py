import csv
import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from sklearn import metrics
from torch.utils.data import DataLoader

from callbacks import Checkpoints, ClipMetrics
from callbacks.results import read_results

RESULTS = "results/dataloader/results.json"
SCORES = "results/dataloader/scores.csv"


class Replay(LightningModule):
    """Returns recorded scores: a batch is already a FrameScores."""

    def __init__(self, threshold=float("nan")):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("threshold", torch.tensor(threshold))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        return None if dataloader_idx == 1 else batch

    def test_step(self, batch, batch_idx):
        return batch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def loader(make_scores, windows, batch_size, masks=True):
    # a row of floats has nothing to collate; the model only passes it on
    return DataLoader(windows, batch_size=batch_size, collate_fn=lambda rows: make_scores(rows, masks=masks))


def trainer(folder, *callbacks, **kwargs):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **({"enable_checkpointing": False} | kwargs),
    )


def frames_of(windows):
    """Score, label and video of every frame, averaged the plain way."""
    rows = {}
    for _, video, frames, scores, labels in windows:
        for frame, score, label in zip(frames, scores, labels, strict=True):
            rows.setdefault((video, frame), (label, []))[1].append(np.float32(score))
    keys = sorted(rows)
    score = np.array([np.mean(rows[key][1], dtype=np.float64) for key in keys])
    label = np.array([rows[key][0] for key in keys])
    return keys, score, label, np.array([key[0] for key in keys])


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_test_writes_what_scikit_learn_says(tmp_path, make_scores, windows, batch_size, capsys):
    run = trainer(tmp_path, ClipMetrics(plots=False))
    logged = run.test(Replay(threshold=0.5), loader(make_scores, windows, batch_size))[0]
    results = json.loads((tmp_path / RESULTS).read_text())
    keys, score, label, video = frames_of(windows)
    names = np.unique(video)
    minmax = score.copy()
    for name in names:
        own = score[video == name]
        minmax[video == name] = (own - own.min()) / (own.max() - own.min())
    per_video = {
        name: metrics.roc_auc_score(label[video == name], score[video == name])
        for name in names
        if label[video == name].any()
    }
    expected = {
        "frame_auroc_micro": metrics.roc_auc_score(label, score),
        "frame_auroc_minmax": metrics.roc_auc_score(label, minmax),
        "frame_auroc_macro": np.mean(list(per_video.values())),
        "frame_ap": metrics.average_precision_score(label, score),
        "frame_auroc_micro_frame_index": metrics.roc_auc_score(label, [key[1] for key in keys]),
        "f1": metrics.f1_score(label, score > 0.5),
    }
    for name, value in expected.items():
        assert results["metrics"][name] == pytest.approx(value, abs=1e-12), name
    videos = results["groups"]["video"]
    assert {name: one["frame_auroc"] for name, one in videos.items()} == pytest.approx(per_video | {"clip1": None})
    assert [one["frames"] for one in videos.values()] == [9, 6, 11]
    assert sum(one["anomalous_frames"] for one in videos.values()) == label.sum()
    assert results["counts"] == {
        "videos": 3,
        "videos_in_macro": 2,
        "videos_left_out_of_macro": 1,
        "frames": 26,
        "anomalous_frames": int(label.sum()),
        "unlabelled_frames": 0,
        "regions": int(label.sum()),
        "tracks": 2,
    }
    assert results["threshold"] == 0.5
    assert {"pixel_auroc", "rbdc", "tbdc", "frame_eer", "frame_auroc_micro_baseline"} <= results["metrics"].keys()
    assert logged["test/frame_auroc_micro"] == pytest.approx(results["metrics"]["frame_auroc_micro"], abs=1e-6)
    assert read_results(tmp_path) == results
    printed = capsys.readouterr().out
    assert printed.count("frame_auroc_macro") == 1  # Lightning's own table is off

    rows = list(csv.DictReader((tmp_path / SCORES).open()))
    assert list(rows[0]) == ["name", "frame", "score", "label", "baseline"]
    assert [(row["name"], int(row["frame"])) for row in rows] == keys
    np.testing.assert_allclose([float(row["score"]) for row in rows], score, rtol=1e-8)
    assert [int(row["label"]) for row in rows] == label.tolist()


def test_pixel_auroc_is_that_of_all_pixels_without_the_letterbox(tmp_path, make_scores, windows):
    run = trainer(tmp_path, ClipMetrics(plots=False))
    alone = [window for window in windows if window[0] in (0, 5)]  # frames 0-3 and 5-8 of clip0, no overlap
    run.test(Replay(), loader(make_scores, alone, 1))
    pixels, truth = [], []
    for window in alone:
        batch = make_scores([window], masks=True)
        full = torch.nn.functional.interpolate(batch.heat.double(), (12, 16), mode="bilinear")
        pixels.append(full[..., 2:10, :].flatten())
        truth.append(batch.mask[..., 2:10, :].flatten())
    expected = metrics.roc_auc_score(torch.cat(truth), torch.cat(pixels))
    assert read_results(tmp_path)["metrics"]["pixel_auroc"] == pytest.approx(expected, abs=1e-12)


def test_unknown_labels_are_written_but_not_judged(tmp_path, make_scores, windows):
    known = [window for window in windows if window[1] != "clip1"]
    hidden = [(*window[:4], [-1] * 4) if window[1] == "clip1" else window for window in windows]
    results = {}
    for name, rows in {"known": known, "hidden": hidden}.items():
        trainer(tmp_path / name, ClipMetrics(plots=False)).test(Replay(), loader(make_scores, rows, 4))
        results[name] = json.loads((tmp_path / name / RESULTS).read_text())
    for metric in ("frame_auroc_micro", "frame_auroc_minmax", "frame_ap", "pixel_auroc", "frame_eer"):
        assert results["known"]["metrics"][metric] == results["hidden"]["metrics"][metric]
    assert results["hidden"]["counts"]["frames"] == 20
    assert results["hidden"]["counts"]["unlabelled_frames"] == 6
    assert len((tmp_path / "hidden" / SCORES).read_text().splitlines()) == 1 + 26


def test_without_any_label_the_cause_is_told_once(tmp_path, make_scores, windows, capsys):
    hidden = [(*window[:4], [-1] * 4) for window in windows]
    callback = ClipMetrics(plots=False)
    with pytest.warns(
        UserWarning, match=r"^test has no value \(none of the 26 frames has a label\): .* and \d+ more\.$"
    ):
        trainer(tmp_path, callback).test(Replay(), loader(make_scores, hidden, 4))
    results = json.loads((tmp_path / RESULTS).read_text())
    assert results["counts"]["unlabelled_frames"] == 26
    assert set(results["undefined"].values()) == {"none of the 26 frames has a label"}
    assert capsys.readouterr().out.count("none of the 26 frames") == 1


def test_one_class_is_undefined_and_never_a_number(tmp_path, make_scores, windows):
    normal = [window for window in windows if window[1] == "clip1"]
    with pytest.warns(
        UserWarning, match="has no value .frames: 0 anomalous and 6 normal: both are needed.: frame_auroc_micro, "
    ):
        logged = trainer(tmp_path, ClipMetrics(plots=False)).test(Replay(), loader(make_scores, normal, 4))
    assert logged == [{}]
    results = json.loads((tmp_path / RESULTS).read_text())
    assert results["metrics"] == {}
    assert {"frame_auroc_micro", "frame_eer", "pixel_auroc", "frame_auroc_macro"} <= results["undefined"].keys()


def test_no_masks_leave_the_pixels_undefined(tmp_path, make_scores, windows):
    trainer(tmp_path, ClipMetrics(plots=False)).test(Replay(0.5), loader(make_scores, windows, 4, masks=False))
    results = json.loads((tmp_path / RESULTS).read_text())
    assert list(results["undefined"]) == ["pixel_auroc", "rbdc", "tbdc"]


def test_without_a_threshold_there_is_no_f1(tmp_path, make_scores, windows):
    logged = trainer(tmp_path, ClipMetrics(plots=False)).test(Replay(), loader(make_scores, windows, 4))[0]
    results = json.loads((tmp_path / RESULTS).read_text())
    assert results["undefined"] == {"f1": "the model has no calibrated threshold"}
    assert "threshold" not in results
    assert "test/f1" not in logged


def test_validation_feeds_the_checkpoint_and_ignores_calibration(tmp_path, make_scores, windows, recwarn):
    judge = ClipMetrics()
    run = trainer(
        tmp_path,
        judge,
        Checkpoints(),
        max_epochs=2,
        enable_checkpointing=True,
        num_sanity_val_steps=1,
    )
    validation = loader(make_scores, windows, 1)
    calibration = loader(make_scores, [(0, "clip0", [0], [1e9], [0])], 1)
    run.fit(Replay(), DataLoader(torch.zeros(2, 1)), [validation, calibration])
    # the sanity check saw one window of one class, and was not judged
    assert not any("both are needed" in str(warning.message) for warning in recwarn)
    _, score, label, _ = frames_of(windows)
    best = json.loads((tmp_path / "checkpoints/index.json").read_text())["best"]
    assert best["value"] == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-6)
    assert best["epoch"] == 0
    assert not (tmp_path / "results").exists()
    model = SimpleNamespace(alternative_scores=["baseline"])
    assert set(judge.logged(model)) == set(run.callback_metrics) | set(judge.undefined)
    assert "val/frame_auroc_micro" in run.progress_bar_metrics
    assert "val/frame_ap" not in run.progress_bar_metrics


class Told(LightningDataModule):
    """A validation of clips whose second halves are anomalous, clip0 of one kind and clip2 of another."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def val_dataloader(self):
        return self.scores

    test_dataloader = val_dataloader

    def validation_kinds(self):
        return {"clip0": np.array([""] * 4 + ["freeze"] * 5), "clip2": np.array([""] * 5 + ["speed"] * 6)}


def test_a_validation_tells_what_each_kind_of_anomaly_reaches(tmp_path, make_scores, windows):
    judge = ClipMetrics(plots=False)
    data = Told(loader(make_scores, windows, 3))
    (found,) = trainer(tmp_path, judge).validate(Replay(), datamodule=data, verbose=False)
    _, score, label, video = frames_of(windows)
    for kind, clip in (("freeze", "clip0"), ("speed", "clip2")):
        rows = (label == 0) | (video == clip)
        assert found[f"val/frame_auroc_of_{kind}"] == pytest.approx(
            metrics.roc_auc_score(label[rows], score[rows]), abs=1e-6
        )
    names = {"val/frame_auroc_of_paste", "val/frame_auroc_of_reverse"}
    assert {name for name, why in judge.undefined.items() if why == "no clip shows this kind of anomaly"} == names
    (found,) = trainer(tmp_path, judge).test(Replay(), datamodule=data, verbose=False)
    assert not any("_of_" in name for name in found)


def test_a_score_that_is_no_number_stops_the_test_with_its_frame(tmp_path, make_scores, windows):
    index, video, frames, scores, labels = windows[3]
    windows[3] = (index, video, frames, [float("nan"), *scores[1:]], labels)
    with pytest.raises(ValueError, match="video 'clip0', frame 3: 'score' is nan"):
        trainer(tmp_path, ClipMetrics()).test(Replay(), loader(make_scores, windows, 4))
    assert not (tmp_path / "results").exists()


def test_a_test_without_scores_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"Replay\.test_step returned no FrameScores"):
        trainer(tmp_path, ClipMetrics()).test(Replay(), DataLoader(torch.zeros(1, 1)))


def run_rank(rank, world, port, folder, make_scores, windows):
    import os

    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank)
    )
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run = trainer(folder, ClipMetrics(plots=False), devices=world, strategy="ddp")
    logged = run.test(Replay(), loader(make_scores, windows, 2))[0]
    (folder / f"rank{rank}.json").write_text(json.dumps(logged))


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.timeout(60)
def test_two_processes_write_what_one_writes(tmp_path, make_scores, windows):
    """17 windows on two processes: the sampler repeats one, which must not count twice."""
    assert len(windows) % 2 == 1
    trainer(tmp_path / "one", ClipMetrics(plots=False)).test(Replay(), loader(make_scores, windows, 4))
    (tmp_path / "two").mkdir()
    arguments = (2, free_port(), tmp_path / "two", make_scores, windows)
    multiprocessing.start_processes(run_rank, arguments, nprocs=2, start_method="fork")
    one, two = (json.loads((tmp_path / name / RESULTS).read_text()) for name in ("one", "two"))
    for changing in ("date", "test_seconds", "processes"):
        one.pop(changing), two.pop(changing)
    assert one == two
    assert (tmp_path / "one" / SCORES).read_text() == (tmp_path / "two" / SCORES).read_text()
    ranks = [json.loads((tmp_path / f"two/rank{rank}.json").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1]
    assert ranks[0]


class Boxed(LightningDataModule):
    """Hands out recorded scores and knows one box of two frames."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def test_dataloader(self):
        return self.made

    def test_boxes(self):
        return {"clip0": np.array([[2, 7, 4, 4, 7, 8], [7, 7, 4, 4, 7, 8]], float), "clip1": np.empty((0, 6))}


def test_boxes_of_the_data_take_the_place_of_regions_of_masks(tmp_path, make_scores, windows):
    made = loader(make_scores, [one for one in windows if one[1] != "clip2"], 4)
    trainer(tmp_path, ClipMetrics(plots=False, cases=False)).test(Replay(), datamodule=Boxed(made), verbose=False)
    results = json.loads((tmp_path / "results/Boxed/results.json").read_text())
    assert (results["counts"]["regions"], results["counts"]["tracks"], results["regions_of"]) == (2, 1, "boxes")
