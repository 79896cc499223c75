import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import PartMedia
from callbacks.parts import media
from datamodules.batches import PartBatch, PartScores
from datamodules.errors import InputError


def part(index, group, label):
    image = torch.full((1, 100, 120 + 10 * index), 10 * index, dtype=torch.uint8)
    return PartBatch(image, f"{index:02d}", group, "hole" if label else "good", label, 0, index)


class Blind(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        if dataloader_idx == 0:
            return None
        one = torch.zeros(1)
        return PartScores(
            batch.name, batch.group, batch.defect, batch.label, batch.index, one[None], one[None], one, one, one[0]
        )

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Shows(Blind):
    def __init__(self):
        super().__init__()
        self.shown = []
        self.calibrated = False

    def on_validation_epoch_end(self):
        self.calibrated = True

    def visuals(self, batch):
        assert self.calibrated
        assert not self.training
        assert not torch.is_grad_enabled()
        self.shown.append(batch.name)
        image = batch.image[None].float() / 255
        return {"input": image.expand(1, 3, -1, -1), "heat": image}


def run(folder, callback, epochs=1):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        max_epochs=epochs,
    )


def validation():
    groups = ["a", "a", "a", "b", "b", "c"]
    normal = [part(index, group, 0) for index, group in enumerate(groups)]
    defective = [part(10 + index, group, 1) for index, group in enumerate(groups)]
    return [DataLoader(rows, batch_size=None) for rows in ([part(9, "z", 0)], [*normal, *defective])]


def fit(folder, model, callback, epochs=1):
    run(folder, callback, epochs).fit(model, DataLoader(torch.zeros(5, 1)), validation())


def test_shows_the_same_pictures_every_time_defective_ones_first_of_many_groups(tmp_path):
    model = Shows()
    fit(tmp_path, model, PartMedia(pictures=5), epochs=2)
    assert model.shown == ["10", "13", "15", "00", "03"] * 2
    paths = sorted((tmp_path / "media").iterdir())
    assert [path.name for path in paths] == ["parts-0000005.png", "parts-0000010.png"]
    picture = cv2.imread(str(paths[0]))
    assert picture.shape == (5 * 2 * (18 + 100 + 2) + 34, 120 + 150 + 2, 3)  # as wide as the widest, with a bar
    assert (picture[18 + 50, 100] == 100).all()  # the first picture's grey
    np.testing.assert_array_equal(cv2.imread(str(paths[1])), picture)


def test_a_long_strip_is_cut_around_its_hottest_place(tmp_path, monkeypatch):
    monkeypatch.setattr(media, "_LARGEST", 110)

    class Warm(Shows):
        def visuals(self, batch):
            visuals = super().visuals(batch)
            heat = torch.zeros_like(visuals["heat"])
            heat[..., 30, 80] = 1.0  # of 220 columns: 25 to 135 are shown
            return {"input": visuals["input"] * 0 + torch.arange(heat.shape[-1]) / 255, "heat": heat}

    fit(tmp_path, Warm(), PartMedia(pictures=1))
    picture = cv2.imread(str(tmp_path / "media/parts-0000005.png"))
    assert picture.shape == (2 * 120 + 34, 260, 3)  # the bar is wider
    assert picture[60, [0, 109], 0].tolist() == [25, 134]
    rows, columns = np.nonzero(picture[138:238, :110].sum(axis=2) > 500)
    assert (set(rows), set(columns)) == ({30}, {55})


def test_fewer_groups_than_places_are_filled_up_in_order(tmp_path):
    model = Shows()
    fit(tmp_path, model, PartMedia(pictures=8))
    assert model.shown == ["10", "11", "13", "15", "00", "01", "03", "05"]


def test_keeps_a_bounded_number_of_files_of_every_second_validation(tmp_path):
    model = Shows()
    fit(tmp_path, model, PartMedia(pictures=1, every_n_validations=2, keep=2), epochs=7)
    assert len(model.shown) == 4
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == ["parts-0000025.png", "parts-0000035.png"]


def test_validate_names_its_file_by_the_batches_of_the_weights(tmp_path):
    fit(tmp_path, Shows(), PartMedia(pictures=1, keep=1))
    model = Shows()
    model.batches_seen = 3
    run(tmp_path, PartMedia(pictures=1, keep=1)).validate(model, validation(), verbose=False)
    assert [path.name for path in (tmp_path / "media").iterdir()] == ["parts-0000003.png"]


def test_of_a_model_without_visuals_input_and_heat_are_shown(tmp_path):
    fit(tmp_path, Shows(), PartMedia(pictures=2))
    with_visuals = cv2.imread(str(tmp_path / "media/parts-0000005.png"))
    fit(tmp_path / "blind", Blind(), PartMedia(pictures=2))
    without = cv2.imread(str(tmp_path / "blind/media/parts-0000005.png"))
    assert without.shape == with_visuals.shape
    rows = (without.shape[0] - 34) // 4  # two pictures, of each the input and the heat
    np.testing.assert_array_equal(without[:rows], with_visuals[:rows])
    assert (without[rows + 18 : 2 * rows - 2, :220] < 30).all()  # no heat anywhere: black


def test_refuses_senseless_numbers():
    with pytest.raises(InputError, match="keep is 0"):
        PartMedia(keep=0)
