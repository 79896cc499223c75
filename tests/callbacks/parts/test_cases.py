import json
import tracemalloc

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import PartMetrics
from callbacks.parts.cases import PartCases
from datamodules.batches import PartBatch, PartScores

S, HEIGHT, WIDTH = 64, 64, 64 * 10  # ten tiles in a strip
FOLDER = "results/dataloader"


def part(index, label, marked=True):
    """A strip, every pixel of a tile as hot as the tile scores; a defect lies on its third and fourth tile."""
    random = np.random.default_rng(index)
    places = [(0, left, S, S) for left in range(0, WIDTH, S)]
    truth = [int(label == 1 and number in (2, 3)) for number in range(len(places))]
    score = random.normal(size=len(places)) + 2 * np.array(truth)
    mask = np.repeat(truth, S)[None].repeat(HEIGHT, 0).astype(np.uint8)
    known = marked and label >= 0
    image = torch.full((1, HEIGHT, WIDTH), index, dtype=torch.uint8)
    about = f"{index:03d}", "a", ["good", "hole", "unknown"][label], label
    batch = PartBatch(image, *about, 0, index, torch.from_numpy(mask) if known else None)
    scores = PartScores(
        *about,
        index,
        torch.from_numpy(np.repeat(score, S)[None].repeat(HEIGHT, 0)).float(),
        torch.tensor(places),
        torch.tensor(score, dtype=torch.float32),
        torch.tensor(truth if known else [-1] * len(places)),
        torch.tensor(score.max()),
        mask=batch.mask,
    )
    return batch, scores


class Replay(LightningModule):
    def __init__(self, answers):
        super().__init__()
        self.answers = {scores.name: scores for _, scores in answers}
        self.register_buffer("threshold", torch.tensor(1.0))
        self.register_buffer("pixel_threshold", torch.tensor(1.0))

    def test_step(self, batch, batch_idx):
        return self.answers[batch.name]


def run(folder, parts, **arguments):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[PartMetrics(plots=False, **arguments)],
    )
    trainer.test(Replay(parts), DataLoader([batch for batch, _ in parts], batch_size=None))
    path = folder / FOLDER / "cases.json"
    return json.loads(path.read_text())["cases"] if path.exists() else None


def outermost(parts, label, pick):
    """By picture the outermost score of its tiles of a label, in the order of a case."""
    found = []
    for _, scores in parts:
        own = scores.tile_score[scores.tile_label == label] if scores.label == label else torch.empty(0)
        found += [float(pick(own))] if len(own) else []
    return sorted(found, reverse=pick is torch.max)


def test_the_cases_are_the_outermost_tiles_one_of_each_picture(tmp_path):
    parts = [part(index, index % 2) for index in range(1, 41)]
    cases = run(tmp_path, parts)
    assert [case["kind"] for case in cases] == ["worst"] * 6 + ["best"] * 6
    expected = [
        *outermost(parts, 0, torch.max)[:3],
        *outermost(parts, 1, torch.min)[:3],
        *outermost(parts, 1, torch.max)[:3],
        *outermost(parts, 0, torch.min)[:3],
    ]
    np.testing.assert_allclose([case["figures"]["score"] for case in cases], expected, rtol=1e-6)
    assert len({case["name"].split(",")[0] for case in cases[:3]}) == 3
    assert cases[0]["figures"]["rank"] == 1.0
    assert "of 200 tiles of faultless pictures" in cases[0]["says"]  # 20 pictures of ten tiles
    assert "of 40 defective tiles" in cases[3]["says"]
    assert "a false alarm" in cases[0]["says"]
    assert "missed" in cases[3]["says"]


def test_a_case_shows_the_tile_framed_its_heat_and_its_mask(tmp_path):
    parts = [part(index, index % 2) for index in range(1, 9)]
    for case in run(tmp_path, parts):
        index, left = int(case["name"].split(",")[0]), int(case["name"].split()[-1])
        drawn = cv2.cvtColor(cv2.imread(str(tmp_path / FOLDER / case["file"])), cv2.COLOR_BGR2RGB)
        factor, top, wide = 3, 3 * 18, 384 * 3
        first = max(0, min(left + S // 2 - 192, WIDTH - 384))  # column of the strip at the left
        shown = drawn[top : top + HEIGHT * factor, :wide]
        framed = (shown == (120, 200, 255)).all(axis=2)
        columns = np.flatnonzero(framed.any(axis=0))
        assert columns.min() // factor == left - first
        assert columns.max() // factor == left - first + S - 1
        assert (shown[~framed] == index).all()
        heat = drawn[top : top + HEIGHT * factor, wide + 4 : 2 * wide + 4]
        middle = heat[90, (left - first) * factor + 90]
        assert (middle != index).any() == (case["figures"]["score"] > 0.5)
        mask = drawn[top : top + HEIGHT * factor, 2 * wide + 8 : 3 * wide + 8] if parts[index - 1][0].label else None
        if mask is not None:
            assert (mask[90, (left - first) * factor + 90] == 255).all() == (left in (2 * S, 3 * S))


def test_a_defective_picture_without_a_mask_is_shown_where_it_is_hottest(tmp_path):
    parts = [part(index, index % 2, marked=False) for index in range(1, 9)]
    cases = run(tmp_path, parts)
    hottest = sorted(float(scores.tile_score.max()) for _, scores in parts if scores.label == 1)
    np.testing.assert_allclose([case["figures"]["score"] for case in cases[3:6]], hottest[:3], rtol=1e-6)


def test_without_labels_it_says_so(tmp_path):
    cases = run(tmp_path, [part(index, -1) for index in range(1, 9)])
    assert len(cases) == 12
    assert all("it has no label" in case["says"] for case in cases)


def test_they_can_be_left_out(tmp_path):
    assert run(tmp_path, [part(index, index % 2) for index in range(4)], cases=False) is None


def test_what_is_held_does_not_grow_with_the_number_of_pictures():
    def held(count):
        book = PartCases()
        tracemalloc.start()
        for index in range(count):
            batch, scores = part(index, index % 2)
            book.add(scores, batch)
        now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return now

    held(2)  # what is loaded on first use
    assert held(240) < 1.2 * held(60)
