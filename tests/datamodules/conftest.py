"""Small clips with a moving square, as arrays, as folders of images and as video files."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from lightning.pytorch import Trainer

from datamodules.media import VideoWriter


def make_frames(count=20, height=24, width=32, seed=0, grey=False):
    """(count, height, width, 3) uint8: a textured background and a square that moves by a pixel a frame."""
    random = np.random.default_rng(seed)
    background = random.integers(40, 120, (height, width, 1), np.uint8) + np.array([0, 10, 20], np.uint8)
    frames = np.repeat(background[None], count, axis=0)
    row, side = int(random.integers(2, height - 10)), 8
    for number, frame in enumerate(frames):
        left = (number + seed) % (width - side)
        frame[row : row + side, left : left + side] = (240, 200, 30)
    return frames[..., :1].repeat(3, axis=-1) if grey else frames


def save_images(folder: Path, frames, suffix=".png"):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{number:03d}{suffix}"), frame[..., ::-1])
    return folder


def save_video(path: Path, frames, fps=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps, frames.shape[1:3], crf=10) as video:
        for frame in frames:
            video.write(frame)
    return path


def save_masks(folder: Path, masks, suffix=".png"):
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks):
        assert cv2.imwrite(str(folder / f"{number:03d}{suffix}"), 255 * mask.astype(np.uint8))
    return folder


@pytest.fixture
def frames():
    return make_frames


@pytest.fixture
def images():
    return save_images


@pytest.fixture
def video():
    return save_video


@pytest.fixture
def masks():
    return save_masks


@pytest.fixture
def one_of_two():
    """What a data module asks of a trainer that is one of two processes, by its number."""
    loop = Trainer(accelerator="cpu", barebones=True).fit_loop
    return lambda rank: SimpleNamespace(world_size=2, global_rank=rank, overfit_batches=0, fit_loop=loop)
