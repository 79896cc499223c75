import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader
from torchmetrics.functional.image import peak_signal_noise_ratio

from callbacks import ImagePredictions
from callbacks.results import read_rows
from datamodules.batches import Reconstructions
from datamodules.errors import InputError

NAMES = ["a.jpg", "b/a.jpg", "b/a.png", "ü x.tif", "e.bmp"]


def outputs(channels):
    random = torch.Generator().manual_seed(0)
    images = (torch.rand(5, channels, 24, 100, generator=random) * 255).round() / 255
    reconstructed = (images + 0.1 * torch.randn(images.shape, generator=random)).clamp(0, 1)
    mean, kl = torch.randn(5, 3, generator=random), torch.rand(5, 3, generator=random)
    return Reconstructions(NAMES, torch.arange(5), images, reconstructed, mean, kl)


class Echo(LightningModule):
    def predict_step(self, batch, batch_idx):
        return batch


class Data(LightningDataModule):
    def __init__(self, source, whole):
        super().__init__()
        self.source, self.whole = source, whole

    def predict_dataloader(self):
        tensors = ("index", "images", "reconstructed", "mean", "kl")
        parts = [slice(0, 2), slice(2, 5)]
        return DataLoader(
            [Reconstructions(NAMES[part], *(getattr(self.whole, name)[part] for name in tensors)) for part in parts],
            batch_size=None,
        )


def predict(folder, source, whole, callback=None, model=None, **kwargs):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        default_root_dir=folder,
        callbacks=[callback or ImagePredictions()],
        **kwargs,
    )
    run.predict(model or Echo(), datamodule=Data(source, whole), return_predictions=False)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_picture_its_latent_vector_and_its_score(tmp_path, channels, capsys):
    whole = outputs(channels)
    predict(tmp_path, "/data/my cars", whole, ImagePredictions(sheet=3))
    folder = tmp_path / "predictions/my cars"
    assert {path.name for path in folder.iterdir()} == {
        "inputs",
        "reconstructions",
        "sheet.png",
        "latents.npy",
        "latents.csv",
        "about.json",
        "scores.csv",
    }
    for row, name in enumerate(NAMES):
        for kind, expected in (("inputs", whole.images), ("reconstructions", whole.reconstructed)):
            data = np.fromfile(folder / kind / f"{name}.png", np.uint8)
            found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
            found = found[..., None] if channels == 1 else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
            np.testing.assert_array_equal(found, (expected[row] * 255).round().byte().movedim(0, -1).numpy())
    np.testing.assert_array_equal(np.load(folder / "latents.npy"), whole.mean.numpy())
    assert [(int(row["row"]), row["name"]) for row in csv.DictReader((folder / "latents.csv").open())] == [
        *enumerate(NAMES)
    ]
    scores = list(csv.DictReader((folder / "scores.csv").open()))
    assert [row["name"] for row in scores] == NAMES
    expected = [
        float(peak_signal_noise_ratio(r, i, data_range=1.0))
        for r, i in zip(whole.reconstructed, whole.images, strict=True)
    ]
    np.testing.assert_allclose([float(row["psnr"]) for row in scores], expected, rtol=1e-5)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"{len(NAMES)} pictures reconstructed, PSNR {np.median(expected):.2f} dB in the middle, ")
    assert f"{min(expected):.2f} dB at worst ({NAMES[int(np.argmin(expected))]}); " in said
    assert said.endswith("predictions/my cars/sheet.png")
    np.testing.assert_allclose([float(row["kl"]) for row in scores], whole.kl.sum(1), rtol=1e-5)
    assert cv2.imread(str(folder / "sheet.png")).shape == (2 * (18 + 96 + 2), 3 * (400 + 2), 3)  # enlarged four times


def test_a_sheet_larger_than_the_model_draws(tmp_path):
    predict(tmp_path, "/data/cars", outputs(1), ImagePredictions(sheet=3, scale=8))
    folder = tmp_path / "predictions/cars"
    height, width = outputs(1).images.shape[-2:]
    assert (folder / "sheet.png").exists()
    larger = cv2.imread(str(folder / "sheet_x8_lanczos.png"))
    assert larger.shape == (2 * (18 + 8 * height + 2), 3 * (8 * width + 2), 3)


def test_the_folder_of_the_generated_data_is_called_generated(tmp_path):
    predict(tmp_path, None, outputs(1))
    assert (tmp_path / "predictions/generated/scores.csv").is_file()


def test_refuses_what_it_cannot_do(tmp_path):
    with pytest.raises(InputError, match="sheet is 0"):
        ImagePredictions(sheet=0)


def test_a_source_named_by_dots_stays_below_predictions(tmp_path, monkeypatch):
    run, cars = tmp_path / "run", tmp_path / "cars"
    for folder in (run, cars):
        folder.mkdir()
    (run / "scores.csv").write_text("of the test")
    monkeypatch.chdir(cars)
    for source, name in ((".", "cars"), ("..", tmp_path.name)):
        predict(run, source, outputs(1))
        assert (run / "predictions" / name / "scores.csv").is_file()
    assert (run / "scores.csv").read_text() == "of the test"
    assert {path.name for path in (run / "predictions").iterdir()} == {"cars", tmp_path.name}


def test_folders_whose_names_differ_behind_a_dot_are_two_sources(tmp_path):
    for name in ("v1.2", "v1.3"):
        (tmp_path / name).mkdir()
        predict(tmp_path, str(tmp_path / name), outputs(1))
    assert {path.name for path in (tmp_path / "predictions").iterdir()} == {"v1.2", "v1.3"}


def test_a_prediction_replaces_the_older_one_whole_or_not_at_all(tmp_path):
    stale = tmp_path / "predictions/cars/inputs/stale.png"
    stale.parent.mkdir(parents=True)
    stale.touch()

    class Failing(Echo):
        def predict_step(self, batch, batch_idx):
            if batch_idx:
                raise RuntimeError("half way")
            return batch

    with pytest.raises(RuntimeError, match="half way"):
        predict(tmp_path, "/data/cars", outputs(1), model=Failing())
    assert [path for path in (tmp_path / "predictions/cars").rglob("*") if path.is_file()] == [stale]
    unfinished = tmp_path / "predictions/cars.unfinished"
    assert {path.name for path in (unfinished / "inputs").rglob("*.png")} == {"a.jpg.png"}  # those of the first batch
    assert {path.name for path in unfinished.iterdir()} == {"inputs", "reconstructions"}
    predict(tmp_path, "/data/cars", outputs(1))
    assert not stale.exists()
    assert (tmp_path / "predictions/cars/scores.csv").is_file()


def test_a_source_of_the_same_name_and_a_part_replace_no_other(tmp_path):
    for source, limit in (("/one/cars", 1.0), ("/two/cars", 1.0), ("/one/cars", 1), ("/two/cars", 2)):
        predict(tmp_path, source, outputs(1), limit_predict_batches=limit)
    about = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("predictions/*/about.json")}
    assert {name: (one["source"], one["complete"]) for name, one in about.items()} == {
        "cars": ("/one/cars", True),
        "cars-2": ("/two/cars", True),
        "cars.partial": ("/one/cars", False),
    }
    assert len(list(tmp_path.glob("predictions/cars.partial/inputs/**/*.png"))) == 2  # those of the first batch


def test_a_name_too_long_for_a_file_is_told(tmp_path, monkeypatch):
    names = ["n" * 251, "=a.png"]

    class Long(Echo):
        def predict_step(self, batch, batch_idx):
            return dataclasses.replace(batch, name=names) if batch_idx == 0 else None

    with pytest.warns(UserWarning, match=r"1 names are too long for files; files\.csv"):
        predict(tmp_path, "/data/" + "c" * 255, outputs(1), model=Long(), limit_predict_batches=1)
    (folder,) = (tmp_path / "predictions").iterdir()
    assert folder.name.startswith("c" * 200)
    assert folder.name.endswith(".partial")
    ((name, file),) = [row.values() for row in read_rows(folder / "files.csv")]
    assert name == names[0]
    assert (folder / "inputs" / f"{file}.png").is_file()
    assert (folder / "inputs/=a.png.png").is_file()
    assert [row["name"] for row in read_rows(folder / "scores.csv")] == names
