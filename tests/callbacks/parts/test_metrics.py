import csv
import json
import os
import socket
import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from lightning.pytorch import LightningModule, Trainer
from sklearn import metrics
from torch.utils.data import DataLoader

from callbacks import Checkpoints, PartMetrics
from callbacks.results import read_results
from datamodules.batches import PartScores

RESULTS = "results/dataloader/results.json"
SCORES = "results/dataloader/scores.csv"
PLOTS = "results/dataloader/plots"

S, ROWS, COLUMNS, START = 8, 2, 6, 8  # tiles of 8 pixels, the first column of them is machine


def part(index, group, label, defect="good", mask=True, **changes):
    """Scores of one picture of 16 x 48 pixels; a function of the index alone."""
    rng = np.random.default_rng(index)
    marked = np.zeros((ROWS * S, COLUMNS * S), np.uint8)
    if label == 1:
        marked[3:6, 10:13] = marked[9:14, 30:42] = marked[0, 0] = 1  # the last one is on the machine
    heat = rng.normal(size=marked.shape) + marked
    heat[:, :START] = np.nan
    places = [(top, left) for top in range(0, ROWS * S, S) for left in range(START, COLUMNS * S, S)]
    truth = [int(marked[top : top + S, left : left + S].any()) for top, left in places]
    score = [heat[top : top + S, left : left + S].max() + int(group) for top, left in places]
    values = {
        "name": f"{index:04d}_{defect}_{group}",
        "group": group,
        "defect": defect,
        "label": label,
        "index": index,
        "heat": torch.tensor(heat, dtype=torch.float32),
        "tile": torch.tensor([(top, left, S, S) for top, left in places]),
        "tile_score": torch.tensor(score, dtype=torch.float32),
        "tile_label": torch.tensor(truth if mask and label >= 0 else [-1] * len(truth)),
        "score": torch.tensor(max(score), dtype=torch.float32),
        "alternatives": {"blur": torch.tensor(rng.normal(size=len(score)), dtype=torch.float32)},
        "mask": torch.tensor(marked) if mask else None,
    }
    return PartScores(**values | changes)


def make_parts():
    """Two groups with both classes, one with faultless pictures only; a defect nobody marked; an unknown picture."""
    parts = [part(index, str(index % 3), 0) for index in range(6)]
    parts += [part(6, "0", 1, "hole"), part(7, "1", 1, "thread"), part(8, "1", 1, "hole"), part(9, "0", 1, "hole")]
    return [*parts, part(10, "1", 1, "knot", mask=False), part(11, "0", -1, "unknown", mask=False)]


class Replay(LightningModule):
    """Returns recorded scores: a batch is already a PartScores."""

    def __init__(self, threshold=float("nan")):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("threshold", torch.tensor(threshold))
        self.register_buffer("pixel_threshold", torch.tensor(threshold))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        return None if dataloader_idx == 0 else batch

    def test_step(self, batch, batch_idx):
        return batch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def loader(parts):
    return DataLoader(parts, batch_size=1, collate_fn=lambda rows: rows[0])


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


def run_test(folder, parts, threshold=float("nan"), plots=False):
    logged = trainer(folder, PartMetrics(plots=plots)).test(Replay(threshold), loader(parts))[0]
    return json.loads((folder / RESULTS).read_text()), logged


def area(positive, negative):
    positive, negative = np.concatenate(positive), np.concatenate(negative)
    return metrics.roc_auc_score(
        np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.concatenate([positive, negative])
    )


def tiles(parts, wanted, label, score="tile_score"):
    """Scores of the tiles with a label, of the pictures that are wanted."""
    found = []
    for one in parts:
        values = one.tile_score if score == "tile_score" else one.alternatives[score]
        if wanted(one):
            found.append(values[one.tile_label == label].double().numpy())
    return found


def expected_tile_metrics(parts, score):
    def faultless(one):
        return one.label == 0

    def marked(one):
        return bool((one.tile_label == 1).any())

    defective, good = tiles(parts, marked, 1, score), tiles(parts, faultless, 0, score)
    beside = tiles(parts, marked, 0, score)
    per_group = [
        area(
            tiles(parts, lambda one, group=group: marked(one) and one.group == group, 1, score),
            tiles(parts, lambda one, group=group: faultless(one) and one.group == group, 0, score),
        )
        for group in ("0", "1")
    ]
    return {
        "tile_auroc": area(defective, good),
        "tile_auroc_macro": np.mean(per_group),
        "tile_auroc_within": area(defective, beside),
        "tile_auroc_gap": area(beside, good),
    }


def test_test_writes_what_scikit_learn_says(tmp_path, capsys):
    parts = make_parts()
    results, logged = run_test(tmp_path, parts, threshold=3.0)
    for score, suffix in (("tile_score", ""), ("blur", "_blur")):
        expected = expected_tile_metrics(parts, score)
        assert len(set(expected.values())) == 4
        for name, value in expected.items():
            assert results["metrics"][name + suffix] == pytest.approx(value, abs=1e-12), name + suffix
            assert logged[f"test/{name}{suffix}"] == pytest.approx(value, abs=1e-6)
    judged = [one for one in parts if one.label == 0 or (one.tile_label == 1).any()]
    used = [(one.tile_label == 1) | torch.tensor(one.label == 0) for one in judged]
    score = torch.cat([one.tile_score[rows] for one, rows in zip(judged, used, strict=True)]).double().numpy()
    truth = torch.cat([one.tile_label[rows] for one, rows in zip(judged, used, strict=True)]).numpy()
    assert results["metrics"]["tile_ap"] == pytest.approx(metrics.average_precision_score(truth, score), abs=1e-12)
    assert results["metrics"]["f1"] == pytest.approx(metrics.f1_score(truth, score > 3.0), abs=1e-12)
    known = [one for one in parts if one.label >= 0]
    strips = metrics.roc_auc_score([one.label for one in known], [float(one.score) for one in known])
    assert results["metrics"]["image_auroc"] == pytest.approx(strips, abs=1e-12)
    masked = [one for one in known if one.mask is not None]
    heat = np.concatenate([one.heat[:, START:].double().numpy().ravel() for one in masked])
    mask = np.concatenate([one.mask[:, START:].numpy().ravel() for one in masked])
    rounding = results["rounding"]
    assert 0 < rounding["pixel_auroc"] < 1e-3
    pixels = results["metrics"]["pixel_auroc"]
    assert pixels == pytest.approx(metrics.roc_auc_score(mask, heat), abs=rounding["pixel_auroc"])
    assert 0.2 < results["metrics"]["aupro"] < 1
    assert results["undefined"] == {}
    assert results["counts"] == {
        "pictures": 12,
        "defective_pictures": 5,
        "faultless_pictures": 6,
        "tiles": 120,
        "defective_tiles": 16,
        "faultless_tiles": 60,
        "clean_tiles_beside_defects": 24,
    }
    assert results["threshold"] == results["pixel_threshold"] == 3.0
    assert read_results(tmp_path) == results
    printed = capsys.readouterr().out
    assert printed.count("tile_auroc ") == 1  # Lightning's own table is off
    assert max(len(line) for line in printed.splitlines() if not line.startswith("Results: ")) <= 80
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("│ ") and line.split()[1] != "│"] == [
        *("tile_auroc", "tile_auroc_within", "image_auroc", "aupro", "f1")
    ]

    rows = list(csv.DictReader((tmp_path / SCORES).open()))
    header = ["name", "group", "defect", "top", "left", "height", "width", "score", "label", "blur"]
    assert list(rows[0]) == header
    assert len(rows) == 120
    row = rows[6 * 10 + 7]
    one = parts[6]
    assert (row["name"], row["group"], row["defect"]) == (one.name, "0", "hole")
    assert [int(row[key]) for key in header[3:7]] == one.tile[7].tolist()
    assert float(row["score"]) == pytest.approx(float(one.tile_score[7]), rel=1e-8)
    assert int(row["label"]) == int(one.tile_label[7])


def test_tables_judge_every_group_and_every_kind_of_defect(tmp_path):
    parts = make_parts()
    results, _ = run_test(tmp_path, parts, threshold=3.0)
    assert list(results["groups"]["group"]) == ["0", "1", "2"]
    own = [one for one in parts if one.group == "1"]
    group = results["groups"]["group"]["1"]
    assert group["tile_auroc"] == pytest.approx(
        area(tiles(own, lambda one: one.label == 1, 1), tiles(own, lambda one: one.label == 0, 0))
    )
    assert (group["pictures"], group["defective_pictures"], group["defective_tiles"]) == (5, 3, 8)
    above = torch.cat([one.tile_score[one.tile_label == 1] for one in own]) > 3.0
    assert group["tiles_found"] == pytest.approx(float(above.float().mean()))
    found = [bool((one.tile_score > 3.0).any()) for one in own if one.label == 1]
    assert group["pictures_found"] == pytest.approx(np.mean(found))
    alarms = torch.cat([one.tile_score for one in own if one.label == 0]) > 3.0
    assert group["false_alarms"] == pytest.approx(float(alarms.float().mean()))
    only_good = results["groups"]["group"]["2"]
    for name in ("tile_auroc", "tile_auroc_within", "image_auroc", "pixel_auroc", "aupro", "tiles_found"):
        assert only_good[name] is None, name

    assert list(results["groups"]["defect"]) == ["hole", "knot", "thread"]
    # it occurs in group 1 alone, and is compared with its faultless pictures
    thread = results["groups"]["defect"]["thread"]
    assert thread["tile_auroc"] == pytest.approx(
        area(tiles(parts, lambda one: one.defect == "thread", 1), tiles(own, lambda one: one.label == 0, 0))
    )
    assert (thread["pictures"], thread["defective_pictures"]) == (3, 1)
    assert results["groups"]["defect"]["knot"]["tile_auroc"] is None  # nobody says where it is
    assert results["groups"]["defect"]["knot"]["image_auroc"] is not None


def test_within_knows_no_difference_between_recordings(tmp_path):
    """A score that tells the recording alone wins by tile_auroc, and is worth nothing within."""
    parts = make_parts()
    for one in parts:
        one.tile_score = torch.full_like(one.tile_score, 5.0 if one.label == 1 else 1.0)
    results, _ = run_test(tmp_path, parts)
    found = results["metrics"]
    assert [found[f"tile_auroc{kind}"] for kind in ("", "_macro", "_gap", "_within")] == [1.0, 1.0, 1.0, 0.5]


def test_a_faultless_picture_needs_no_mask(tmp_path):
    parts = make_parts()
    with_masks, _ = run_test(tmp_path / "with", parts)
    for one in parts:
        if one.label == 0:
            one.mask, one.tile_label = None, torch.full_like(one.tile_label, -1)
    without, _ = run_test(tmp_path / "without", parts)
    for results in (with_masks, without):
        results.pop("test_seconds"), results.pop("date")
    assert with_masks == without


def test_one_class_is_undefined_and_never_a_number(tmp_path):
    faultless = [one for one in make_parts() if one.label == 0]
    with pytest.warns(UserWarning, match="test has no value"):
        results, logged = run_test(tmp_path, faultless, threshold=3.0, plots=True)
    names = [f"tile_auroc{kind}{score}" for kind in ("", "_macro", "_within", "_gap") for score in ("", "_blur")]
    assert results["undefined"].keys() == {*names, "image_auroc", "pixel_auroc", "aupro", "f1", "tile_ap"}
    assert results["metrics"] == logged == {}
    assert [path.name for path in (tmp_path / PLOTS).iterdir()] == ["scores.png"]


def test_without_a_threshold_there_is_no_f1(tmp_path):
    results, logged = run_test(tmp_path, make_parts())
    assert "f1" not in results["metrics"]
    assert results["undefined"] == {"f1": "the model has no calibrated threshold"}
    assert "test/f1" not in logged
    assert not {"threshold", "pixel_threshold"} & results.keys()
    assert "tiles_found" not in results["groups"]["group"]["0"]


def test_draws_curves_and_scores(tmp_path):
    run_test(tmp_path, make_parts(), threshold=3.0, plots=True)
    assert sorted(path.stem for path in (tmp_path / PLOTS).iterdir()) == [
        "precision_recall",
        "roc",
        "scores",
    ]
    for path in (tmp_path / PLOTS).iterdir():
        picture = cv2.imread(str(path))
        assert len(np.unique(picture @ [1, 1 << 8, 1 << 16])) > 20  # colours


def test_validation_feeds_the_checkpoint_and_ignores_calibration(tmp_path, recwarn):
    judge = PartMetrics()
    run = trainer(
        tmp_path,
        judge,
        Checkpoints(),
        max_epochs=2,
        enable_checkpointing=True,
        num_sanity_val_steps=1,
    )
    parts = make_parts()
    calibration = [part(0, "0", 0, tile_score=torch.full((10,), 1e9))]
    run.fit(Replay(), DataLoader(torch.zeros(2, 1)), [loader(calibration), loader(parts)])
    assert not any("has no value" in str(warning.message) for warning in recwarn)
    best = json.loads((tmp_path / "checkpoints/index.json").read_text())["best"]
    assert best["value"] == pytest.approx(expected_tile_metrics(parts, "tile_score")["tile_auroc"], abs=1e-6)
    assert not (tmp_path / "results").exists()
    model = SimpleNamespace(alternative_scores=["blur"])
    assert set(judge.logged(model)) == set(run.callback_metrics) | set(judge.undefined)
    assert "val/tile_auroc" in run.progress_bar_metrics
    assert "val/tile_ap" not in run.progress_bar_metrics
    assert "val/f1" not in run.callback_metrics  # the threshold is settled at the end of a validation only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile_score": torch.tensor([0.0] * 6 + [float("nan")] + [0.0] * 3)}, "row 8, column 16: 'score' is nan"),
        ({"alternatives": {"blur": torch.full((10,), torch.inf)}}, "tile at row 0, column 8: 'blur' is inf"),
        ({"score": torch.tensor(float("nan"))}, "its score is nan"),
        ({"heat": torch.full((16, 48), torch.nan)}, "pixel at row 0, column 0: heat is nan"),
        ({"heat": torch.zeros(16, 48).index_fill(1, torch.tensor([9]), torch.inf)}, "row 0, column 9: heat is inf"),
        ({"alternatives": {}}, "different scores"),
        ({"tile_label": torch.eye(10, dtype=torch.int64)[7]}, "faultless, but its tile at row 8, column 24"),
        ({"name": "0000_good_0"}, "two pictures are called '0000_good_0'"),
    ],
)
def test_what_cannot_be_judged_stops_the_test_by_name(tmp_path, change, message):
    parts = [part(0, "0", 0), part(1, "0", 0, **change)]
    with pytest.raises(ValueError, match=message) as error:
        run_test(tmp_path, parts)
    assert "different scores" in message or parts[1].name in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_test_without_scores_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"Replay\.test_step returned no PartScores"):
        trainer(tmp_path, PartMetrics()).test(Replay(), DataLoader(torch.zeros(1, 1)))


def run_rank(rank, world, port, folder, parts):
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank)
    )
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run = trainer(folder, PartMetrics(plots=False), devices=world, strategy="ddp")
    logged = run.test(Replay(3.0), loader(parts))[0]
    (folder / f"rank{rank}.json").write_text(json.dumps(logged))


@pytest.mark.timeout(60)
def test_two_processes_write_what_one_writes(tmp_path):
    """Eleven pictures on two processes: the sampler repeats one, which must not count twice."""
    parts = make_parts()[:11]
    one, _ = run_test(tmp_path / "one", parts, threshold=3.0)
    (tmp_path / "two").mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    multiprocessing.start_processes(run_rank, (2, port, tmp_path / "two", parts), nprocs=2, start_method="fork")
    two = json.loads((tmp_path / "two" / RESULTS).read_text())
    for changing in ("date", "test_seconds", "processes"):
        one.pop(changing), two.pop(changing)
    assert one == two
    assert (tmp_path / "one" / SCORES).read_text() == (tmp_path / "two" / SCORES).read_text()
    ranks = [json.loads((tmp_path / f"two/rank{rank}.json").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1]
    assert ranks[0]
