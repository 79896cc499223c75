import json
import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import ClipMetrics
from callbacks.clips.cases import APART, POOL, ClipCases
from datamodules.batches import FrameScores, VideoBatch

T, HEIGHT, WIDTH = 4, 12, 16
REGION = (2, 0, 8, 16)  # bars above and below
FOLDER = "results/dataloader"


def window(index, video, start, scores, labels, masks=False):
    """A window whose frames are as bright as their number, with the answer to it."""
    frame = torch.arange(start, start + T)[None]
    frames = frame.view(1, T, 1, 1, 1).expand(1, T, 3, HEIGHT, WIDTH).to(torch.uint8).clone()
    frames[..., : REGION[0], :] = 250
    label, region = torch.tensor([labels]), torch.tensor([REGION])
    batch = VideoBatch(frames, [video], frame, label, region, torch.tensor([index]))
    heat = torch.zeros(1, T, 3, 4)
    heat[..., 1, 2] = torch.tensor(scores)
    mask = torch.zeros(1, T, HEIGHT, WIDTH, dtype=torch.uint8)
    mask[..., 4:7, 8:12] = (label == 1).to(torch.uint8)[..., None, None]
    place = [video], frame, label, torch.tensor([index])
    return batch, FrameScores(*place, torch.tensor([scores]), heat, region, mask=mask if masks else None)


def made(videos=4, length=120, known=True, masks=False, seed=0):
    """Windows of every other frame, some left out, so that one or two hold a frame.

    The second half of each video is anomalous, and scores higher.
    """
    random = np.random.default_rng(seed)
    windows = []
    for video in range(videos):
        for start in range(0, length - T + 1, 2):
            if random.random() < 0.3:
                continue
            labels = [int(number >= length // 2) for number in range(start, start + T)]
            scores = [float(random.normal() + 2 * label) for label in labels]
            labels = labels if known else [-1] * T
            windows.append(window(len(windows), f"clip{video}", start, scores, labels, masks))
    return windows


class Replay(LightningModule):
    def __init__(self, answers, threshold):
        super().__init__()
        self.answers = {int(scores.index): scores for _, scores in answers}
        self.register_buffer("threshold", torch.tensor(threshold))

    def test_step(self, batch, batch_idx):
        return self.answers[int(batch.index)]


def run(folder, windows, threshold=1.0, **arguments):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[ClipMetrics(plots=False, **arguments)],
    )
    trainer.test(Replay(windows, threshold), DataLoader([batch for batch, _ in windows], batch_size=None))
    path = folder / FOLDER / "cases.json"
    return json.loads(path.read_text())["cases"] if path.exists() else None


def final(windows):
    """Mean score and label by (video, frame)."""
    seen = {}
    for _, one in windows:
        for number, score, label in zip(
            one.frame[0].tolist(), one.score[0].tolist(), one.label[0].tolist(), strict=True
        ):
            seen.setdefault((one.video[0], number), ([], label))[0].append(score)
    return {key: (float(np.mean(scores)), label) for key, (scores, label) in seen.items()}


def test_the_cases_are_those_that_the_scores_say(tmp_path):
    windows = made()
    cases = run(tmp_path, windows)
    truth = final(windows)
    normal = sorted((score for score, label in truth.values() if label == 0), reverse=True)
    anomalous = sorted(score for score, label in truth.values() if label == 1)
    assert [case["kind"] for case in cases] == ["worst"] * 6 + ["best"] * 6
    alarms, misses, finds, calm = (cases[first : first + 3] for first in (0, 3, 6, 9))
    for group, ordered in ((alarms, normal), (misses, anomalous), (finds, anomalous[::-1]), (calm, normal[::-1])):
        scores = [case["figures"]["score"] for case in group]
        assert scores[0] == pytest.approx(ordered[0])
        assert scores == sorted(scores, reverse=ordered[0] > ordered[-1])
        assert [case["figures"]["rank"] for case in group] == [
            1 + min(range(len(ordered)), key=lambda place, own=score: abs(ordered[place] - own)) for score in scores
        ]
        assert len({case["name"].split(",")[0] for case in group}) == 3  # each of another video
    for case in cases:
        video, _, number = case["name"].partition(", frame ")
        score, label = truth[video, int(number)]
        assert case["figures"]["score"] == pytest.approx(score)
        assert case["figures"]["threshold"] == 1.0
        assert (label == 1) == ("anomalous" in case["says"])
    assert "a false alarm" in alarms[0]["says"]
    assert "missed" in misses[0]["says"]


def test_a_case_shows_its_frame_without_bars_its_heat_and_its_mask(tmp_path):
    windows = made(videos=1, length=60, masks=True)
    cases = run(tmp_path, windows)
    for case in cases:
        drawn = cv2.imread(str(tmp_path / FOLDER / case["file"]))
        number = int(case["name"].rpartition(" ")[2])
        factor = 24  # 8 pixels of height become 192
        top, wide = 3 * 18, REGION[3] * factor
        frame = drawn[top : top + 8 * factor, :wide]
        assert (frame == number).all()
        heat = drawn[top : top + 8 * factor, wide + 4 : 2 * wide + 4]
        hot = (heat != number).any(axis=2)
        score = case["figures"]["score"]
        assert hot.any() == (score > 0.5) or abs(score - 0.5) < 0.2  # a quarter of the scale, which ends at 2
        mask = drawn[top : top + 8 * factor, 2 * wide + 8 : 3 * wide + 8]
        assert (mask == 255).any() == ("anomalous" in case["says"])


def test_another_video_is_shown_only_if_it_is_among_the_outermost(tmp_path):
    """Of two videos that differ in level the one with the high scores has all false alarms, the other the misses."""
    windows = [
        window(index, video, start, [level + 0.001 * number for number in range(start, start + T)], [label] * T)
        for index, (video, level, start, label) in enumerate(
            (video, level, start, int(start >= 200))
            for video, level in (("low", 0.0), ("high", 9.0))
            for start in range(0, 400, T)
        )
    ]
    cases = run(tmp_path, windows)
    assert [case["name"].split(",")[0] for case in cases] == ["high"] * 3 + ["low"] * 3 + ["high"] * 3 + ["low"] * 3


def test_of_one_video_the_cases_lie_apart(tmp_path):
    cases = run(tmp_path, made(videos=1, length=240))
    alarms = [int(case["name"].rpartition(" ")[2]) for case in cases[:3]]
    assert min(np.diff(sorted(alarms))) >= APART


def test_without_labels_it_says_so(tmp_path):
    windows = made(videos=8, known=False)
    cases = run(tmp_path, windows)
    scores = sorted(score for score, _ in final(windows).values())
    assert [case["kind"] for case in cases] == ["worst"] * 6 + ["best"] * 6
    assert cases[0]["figures"]["score"] == pytest.approx(scores[-1])
    assert cases[6]["figures"]["score"] == pytest.approx(scores[0])
    assert all("it has no label" in case["says"] for case in cases)


def test_without_a_threshold_none_is_claimed(tmp_path):
    cases = run(tmp_path, made(), threshold=float("nan"))
    assert all("threshold" not in case["figures"] for case in cases)
    assert all("no threshold is known" in case["says"] for case in cases)


def test_they_can_be_left_out(tmp_path):
    assert run(tmp_path, made(), cases=False) is None
    assert not (tmp_path / FOLDER / "cases").exists()


def test_what_is_held_does_not_grow_with_the_number_of_frames():
    def peak(videos):
        book = ClipCases()
        tracemalloc.start()
        for number in range(videos * 25):
            book.add(
                *reversed(window(number, f"clip{number % videos}", number // videos * T, [float(number)] * T, [0] * T))
            )
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert all(len(kept) <= POOL for kept in book._kept.values())
        return held

    peak(2)  # what is loaded on first use
    assert peak(40) < 1.2 * peak(8)
