import numpy as np
import pytest
import torch

from datamodules.batches import FrameScores


def make_scores(windows, masks=False, size=(12, 16), region=(2, 0, 8, 16)):
    """FrameScores from rows (index, video, frames, scores, labels)."""
    index, video, frame, score, label = zip(*windows, strict=True)
    frames = torch.tensor(frame)
    heat = torch.stack(  # a function of the window alone, whatever the batch
        [torch.rand(frames.shape[1], 3, 4, generator=torch.Generator().manual_seed(number)) for number in index]
    )
    mask = None
    if masks:
        mask = torch.zeros(*frames.shape, *size, dtype=torch.uint8)
        mask[..., 4:7, 2:9] = (torch.tensor(label) == 1).to(torch.uint8)[..., None, None]
    return FrameScores(
        video=list(video),
        frame=frames,
        label=torch.tensor(label),
        index=torch.tensor(index),
        score=torch.tensor(score, dtype=torch.float32),
        heat=heat,
        region=torch.tensor([region] * len(video)),
        alternatives={"baseline": torch.tensor(score, dtype=torch.float32) ** 2},
        mask=mask,
    )


def make_windows(lengths=(9, 6, 11), length=4, seed=0):
    """Every window of ``length`` frames of some videos, with scores that differ between windows."""
    rng = np.random.default_rng(seed)
    windows = []
    for number, frames in enumerate(lengths):
        labels = (np.arange(frames) >= frames // 2).astype(int) if number != 1 else np.zeros(frames, int)
        for start in range(frames - length + 1):
            frame = np.arange(start, start + length)
            score = rng.normal(size=length) + labels[frame]
            windows.append((len(windows), f"clip{number}", frame.tolist(), score.tolist(), labels[frame].tolist()))
    return windows


@pytest.fixture
def windows():
    return make_windows()


@pytest.fixture(name="make_scores")
def make_scores_fixture():
    return make_scores


@pytest.fixture(name="make_windows")
def make_windows_fixture():
    return make_windows
