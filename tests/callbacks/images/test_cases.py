import json
import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import ImageMetrics
from callbacks.images.cases import ImageCases
from datamodules.batches import Reconstructions

FOLDER = "results/dataloader"


def made(count, channels=1, batch=7, exact=()):
    """Batches of even pictures; each reconstruction is off by a share of its own everywhere."""
    error = np.random.default_rng(0).permutation(count) / count * 0.3 + 0.01
    error[list(exact)] = 0
    images = torch.arange(count).view(-1, 1, 1, 1).expand(count, channels, 16, 20) / 255
    off = torch.tensor(error, dtype=torch.float32).view(-1, 1, 1, 1)
    mean, kl = torch.randn(count, 3, generator=torch.Generator().manual_seed(0)), torch.ones(count, 3)
    batches = [
        Reconstructions(
            [f"{n}.png" for n in rows.tolist()], rows, images[rows], (images + off)[rows], mean[rows], kl[rows]
        )
        for rows in torch.arange(count).split(batch)
    ]
    return batches, error


class Replay(LightningModule):
    latent_dim = 3

    def decode(self, z):
        return torch.rand(len(z), 1, 16, 20, generator=torch.Generator().manual_seed(1))

    def test_step(self, batch, batch_idx):
        return batch


def run(folder, batches, **arguments):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[ImageMetrics(["random_conv"], **arguments)],
    )
    trainer.test(Replay(), DataLoader(batches, batch_size=None))
    path = folder / FOLDER / "cases.json"
    return json.loads(path.read_text())["cases"] if path.exists() else None


@pytest.mark.parametrize(("count", "each"), [(40, 6), (5, 3)])
def test_the_cases_are_the_pictures_of_the_outermost_psnr(tmp_path, count, each):
    batches, error = made(count)
    cases = run(tmp_path, batches)
    order = np.argsort(-error)
    expected = [*order[:each], *order[::-1][: count - each if count < 12 else each]]
    assert [case["name"] for case in cases] == [f"{n}.png" for n in expected]
    assert [case["kind"] for case in cases] == ["worst"] * each + ["best"] * (len(cases) - each)
    psnr = [case["figures"]["psnr"] for case in cases]
    np.testing.assert_allclose(psnr, -20 * np.log10(error[expected]), rtol=1e-4)
    assert f"The lowest PSNR of {count} pictures: {psnr[0]:.2f} dB" in cases[0]["says"]
    assert "The 2nd highest PSNR" in cases[each + 1]["says"]


def test_a_case_shows_input_reconstruction_and_difference(tmp_path):
    batches, error = made(20)
    for case in run(tmp_path, batches):
        number = int(case["name"].split(".")[0])
        drawn = cv2.imread(str(tmp_path / FOLDER / case["file"]))
        factor, top = 12, 3 * 18
        wide = 20 * factor
        assert (drawn[top : top + 192, :wide] == number).all()
        assert (drawn[top : top + 192, wide + 4 : 2 * wide + 4] == round(number + 255 * error[number])).all()
        brightness = int(drawn[top + 96, 2 * wide + 8 + wide // 2].sum())
        assert (brightness > 250) == (error[number] > 0.12) or abs(error[number] - 0.12) < 0.05


def test_a_reconstruction_without_error_has_no_psnr(tmp_path):
    cases = run(tmp_path, made(20, exact=[3])[0])
    (best,) = [case for case in cases if case["name"] == "3.png"]
    assert "no error at all" in best["says"]
    assert "psnr" not in best["figures"]


def test_they_can_be_left_out(tmp_path):
    assert run(tmp_path, made(20)[0], cases=False) is None


def test_what_is_held_does_not_grow_with_the_number_of_pictures():
    def held(count):
        book = ImageCases()
        batches, _ = made(count)
        tracemalloc.start()
        for batch in batches:
            book.add(batch, batch)
        now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return now

    held(20)  # what is loaded on first use
    assert held(800) < 1.2 * held(100)
