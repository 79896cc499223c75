import json
import tracemalloc

import av
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import SoundMetrics
from callbacks.sound.cases import SoundCases
from datamodules.batches import AudioVideoBatch, GeneratedClips

RATE, FPS, T, SIZE = 8000, 10.0, 12, 16


def made(clips, pieces=3):
    """Batches of one piece; what is drawn is off by a share of its own everywhere. The last piece is short."""
    count = clips * pieces
    error = np.random.default_rng(0).permutation(count) / count * 0.3 + 0.01
    batches = []
    for index in range(count):
        valid = torch.arange(T)[None] < (T if index % pieces < pieces - 1 else 7)
        frames = torch.full((1, T, 3, SIZE, SIZE), 60, dtype=torch.uint8) * valid[:, :, None, None, None]
        sound = torch.rand(1, 1, round(T * RATE / FPS), generator=torch.Generator().manual_seed(index)) - 0.5
        start = torch.tensor([float(index % pieces)], dtype=torch.float64)
        name = [f"clip{index // pieces}"]
        batches.append(AudioVideoBatch(sound, frames, valid, sound, name, start, torch.tensor([index])))
    return batches, error


class Data(LightningDataModule):
    sample_rate, fps = RATE, FPS

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def test_dataloader(self):
        return DataLoader(self.batches, batch_size=None)


class Drawn(LightningModule):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def test_step(self, batch, batch_idx):
        off = torch.tensor(self.error[batch.index.numpy()], dtype=torch.float32).view(-1, 1, 1, 1, 1)
        return GeneratedClips(batch.frames.float() / 255 + off)


def run(folder, clips, **arguments):
    batches, error = made(clips)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[SoundMetrics(**arguments)],
    )
    trainer.test(Drawn(error), datamodule=Data(batches))
    path = folder / "results/Data/cases.json"
    return (json.loads(path.read_text())["cases"] if path.exists() else None), error.reshape(clips, -1)


@pytest.mark.parametrize(("clips", "worst", "best"), [(14, 6, 6), (3, 2, 1)])
def test_the_cases_are_the_pieces_of_the_outermost_error_one_of_each_clip(tmp_path, clips, worst, best):
    cases, error = run(tmp_path, clips)
    assert [case["kind"] for case in cases] == ["worst"] * worst + ["best"] * best
    expected = np.sort(error.max(axis=1))[::-1][:worst]
    np.testing.assert_allclose([case["figures"]["l1"] for case in cases[:worst]], expected, rtol=1e-5)
    left = np.delete(error, np.argsort(-error.max(axis=1))[:worst], axis=0)
    expected = np.sort(left.min(axis=1))[:best]
    np.testing.assert_allclose([case["figures"]["l1"] for case in cases[worst:]], expected, rtol=1e-5)
    names = [case["name"].split(",")[0] for case in cases]
    assert len(set(names)) == len(names)
    for case in cases:
        clip, _, start = case["name"].removesuffix(" s").partition(", from ")
        own = error[int(clip.removeprefix("clip"))]
        assert case["figures"]["l1"] == pytest.approx(own[int(float(start))], rel=1e-5)
        assert case["figures"]["l1_of_clip"] == pytest.approx(np.average(own, weights=[T, T, 7]), rel=1e-5)
        assert case["figures"]["start_seconds"] == float(start)
    assert f"The highest error of {3 * clips} pieces" in cases[0]["says"]


def test_a_case_is_a_video_of_both_with_the_sound(tmp_path):
    cases, _ = run(tmp_path, 4)
    for case in cases:
        with av.open(str(tmp_path / "results/Data" / case["file"])) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        with av.open(str(tmp_path / "results/Data" / case["file"])) as file:
            heard = sum(frame.samples for frame in file.decode(audio=0))
            rate = file.streams.audio[0].rate
        count = 7 if case["figures"]["start_seconds"] == 2 else T
        assert len(frames) == count
        assert heard / rate == pytest.approx(count / FPS, abs=0.15)
        real, drawn = frames[0][60, 40], frames[0][60, 140]  # 16 pixels become 96, beside each other
        np.testing.assert_allclose(real, 60, atol=4)
        np.testing.assert_allclose(drawn, min(255, 60 + 255 * case["figures"]["l1"]), atol=4)


def test_they_can_be_left_out(tmp_path):
    assert run(tmp_path, 4, cases=False)[0] is None


def test_what_is_held_does_not_grow_with_the_number_of_pieces():
    def held(clips):
        book = SoundCases(Data([]))
        batches, error = made(clips)
        tracemalloc.start()
        for batch in batches:
            book.add(Drawn(error).test_step(batch, 0), batch)
        now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return now

    held(2)  # what is loaded on first use
    assert held(120) < 1.3 * held(24)
