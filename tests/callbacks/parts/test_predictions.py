import csv
import json

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from scipy import ndimage
from torch.utils.data import DataLoader

from callbacks import PartPredictions
from callbacks.parts.boxes import find_boxes
from callbacks.parts.contact_sheet import ContactSheet, with_legend
from callbacks.parts.heat_picture import draw_heat, with_bar
from datamodules.batches import PartBatch, PartScores
from datamodules.errors import InputError

H, W, START, S = 32, 96, 16, 16


def make_batch(index, name, spots=()):
    """A picture of 32 x 96 pixels; its model finds spots (row, column, height, width, heat)."""
    image = torch.full((1, H, W), 90, dtype=torch.uint8)
    for row, column, height, width, heat in spots:
        image[0, row : row + height, column : column + width] = int(100 + 10 * heat)
    return PartBatch(image, name, "03", "unknown", -1, START, index)


class Inspector(LightningModule):
    """Reads the heat from the picture."""

    def __init__(self, threshold=3.0):
        super().__init__()
        self.register_buffer("threshold", torch.tensor(2 * threshold))
        self.register_buffer("pixel_threshold", torch.tensor(threshold))

    def predict_step(self, batch, batch_idx):
        heat = (batch.image[0].float() - 100).clamp(min=0) / 10
        heat[:, : batch.start] = torch.nan
        tile = torch.tensor([(top, left, S, S) for top in range(0, H, S) for left in range(START, W, S)])
        score = torch.stack([heat[top : top + S, left : left + S].max() for top, left, _, _ in tile.tolist()])
        unknown = torch.full((len(tile),), -1)
        return PartScores(
            batch.name, batch.group, batch.defect, batch.label, batch.index, heat, tile, score, unknown, score.max()
        )


class Parts(LightningDataModule):
    def __init__(self, source, batches):
        super().__init__()
        self.source, self.batches = source, batches

    def predict_dataloader(self):
        return DataLoader(self.batches, batch_size=None)


def predict(folder, batches, source="/elsewhere/strips", model=None, **kwargs):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[PartPredictions(**kwargs)],
    )
    run.predict(model or Inspector(), Parts(source, batches), return_predictions=False)
    return folder / "predictions"


@pytest.fixture
def batches():
    # the second: two spots that touch by a corner, one that is faint, one above the pixel threshold only
    return [
        make_batch(0, "clean"),
        make_batch(1, "torn", [(4, 40, 6, 8, 9.0), (10, 48, 2, 2, 7.0), (20, 70, 4, 4, 2.0), (25, 20, 3, 5, 4.0)]),
        make_batch(2, "sub/dir", [(0, 80, 3, 16, 12.0)]),
    ]


def test_writes_maps_masks_boxes_tables_and_a_sheet(tmp_path, batches):
    folder = predict(tmp_path, batches) / "strips"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names = ["clean", "torn", "sub/dir"]
    assert files == {"about.json", "scores.csv", "pictures.csv", "contact_sheet.png"} | {
        f"{kind}/{name}.{suffix}"
        for kind, suffix in (("heat", "png"), ("mask", "png"), ("boxes", "json"))
        for name in names
    }
    mask = cv2.imread(str(folder / "mask/torn.png"), cv2.IMREAD_UNCHANGED)
    expected = np.zeros((H, W), np.uint8)
    expected[4:10, 40:48] = expected[10:12, 48:50] = expected[25:28, 20:25] = 255
    np.testing.assert_array_equal(mask, expected)
    record = json.loads((folder / "boxes/torn.json").read_text())
    assert record.pop("boxes") == [
        {"x": 40, "y": 4, "width": 10, "height": 8, "area": 52, "score": 9.0},
        {"x": 20, "y": 25, "width": 5, "height": 3, "area": 15, "score": 4.0},
    ]
    assert record == {
        "name": "torn",
        "group": "03",
        "width": W,
        "height": H,
        "start": START,
        "score": 9.0,
        "defective": True,
        "threshold": 6.0,
        "pixel_threshold": 3.0,
    }
    assert json.loads((folder / "boxes/clean.json").read_text())["boxes"] == []

    rows = list(csv.DictReader((folder / "scores.csv").open()))
    assert list(rows[0]) == ["name", "group", "top", "left", "height", "width", "score", "defective"]
    assert len(rows) == 3 * 10
    torn = {(int(row["top"]), int(row["left"])): row for row in rows if row["name"] == "torn"}
    assert (torn[0, 32]["score"], torn[0, 32]["defective"]) == ("9", "1")
    assert (torn[16, 16]["score"], torn[16, 16]["defective"]) == ("4", "0")  # above the pixel threshold only
    assert sum(row["defective"] == "1" for row in torn.values()) == 2
    pictures = list(csv.reader((folder / "pictures.csv").open()))
    assert pictures == [
        ["name", "group", "score", "defective", "boxes", "area"],
        ["clean", "03", "0", "0", "0", "0"],
        ["torn", "03", "9", "1", "2", "67"],
        ["sub/dir", "03", "12", "1", "1", "48"],
    ]


def test_the_heat_map_shows_the_part_its_heat_and_a_bar(tmp_path, batches):
    folder = predict(tmp_path, batches) / "strips"
    heat = cv2.cvtColor(cv2.imread(str(folder / "heat/torn.png")), cv2.COLOR_BGR2RGB).astype(int)
    assert heat.shape == (20 + H + 4 + 10 + 20, 260, 3)  # room for the bar
    part = heat[20 : 20 + H, :W]
    assert (part[2, 20] == 90).all()  # no heat: the picture itself
    assert (part[20:24, 70:74] != 120).any()  # below the threshold, above a quarter of the scale: faint
    assert part[6, 44, 0] - part[6, 44, 2] > 40  # hot: yellow
    bar = heat[20 + H + 6]
    assert bar[2].sum() < 30 < 500 < bar[255].sum()  # from black to bright


def test_colours_mean_the_same_in_every_picture():
    image = np.full((16, 16, 3), 90, np.uint8)
    faint, strong = np.full((16, 16), 0.4, np.float32), np.full((16, 16), 1.5, np.float32)
    np.testing.assert_array_equal(draw_heat(image, faint, [], 1.0), image)  # not stretched, though nothing is hotter
    np.testing.assert_array_equal(draw_heat(image, 3 * strong, [], 3.0), draw_heat(image, strong, [], 1.0))
    assert (draw_heat(image, strong, [], 1.0) != image).all()
    np.testing.assert_array_equal(draw_heat(image, np.full((16, 16), np.nan, np.float32), [], 1.0), image)
    assert with_bar(np.zeros((16, 700, 3), np.uint8), "x", 1.0).shape == (70, 700, 3)


def test_boxes_are_the_components_that_scipy_finds():
    rng = np.random.default_rng(0)
    heat = ndimage.gaussian_filter(rng.normal(size=(60, 90)), 1.5).astype(np.float32)
    heat[:, :7] = np.nan
    mask, boxes = find_boxes(heat, 0.2)
    np.testing.assert_array_equal(mask, np.nan_to_num(heat, nan=-1.0) > 0.2)
    label, count = ndimage.label(mask, structure=np.ones((3, 3)))
    expected = sorted(
        (
            (
                float(heat[label == number + 1].max()),
                place[1].start,
                place[0].start,
                place[1].stop - place[1].start,
                place[0].stop - place[0].start,
                int((label == number + 1).sum()),
            )
            for number, place in enumerate(ndimage.find_objects(label))
        ),
        reverse=True,
    )
    assert len(boxes) == count > 10
    assert [(box.score, box.x, box.y, box.width, box.height, box.area) for box in boxes] == expected


def test_the_sheet_shows_the_worst_pictures_worst_first():
    sheet = ContactSheet(2)
    for level, score in ((50, 1.0), (100, 3.0), (150, 2.0), (200, 0.5), (250, 3.0)):
        image = np.full((40, 200, 3), level, np.uint8)
        heat = np.full((40, 200), np.nan, np.float32)
        heat[:, 20:] = 0
        sheet.add(score, "name", image, image, heat)
    drawn = sheet.draw()
    lines = np.split(drawn, 2)
    assert [int(line[60, 30, 0]) for line in lines] == [100, 250]  # of equal scores the earlier one first


def test_what_a_part_lies_on_is_not_enlarged():
    image = np.full((100, 600, 3), 255, np.uint8)  # the machine
    image[:, 200:] = 90
    heat = np.full((100, 600), np.nan, np.float32)
    heat[:, 200:] = 0
    heat[50, 205] = 1
    sheet = ContactSheet(1)
    sheet.add(1.0, "name", image, image, heat)
    assert (sheet.draw()[20 : 20 + 125, :200] == 90).all()  # 160 x 100 pixels, enlarged to 200 x 125


def test_a_sheet_says_what_its_columns_and_colours_are():
    sheet = np.full((50, 900, 3), 7, np.uint8)
    whole = with_legend(sheet, 2.0)
    assert whole.shape == (20 + 50 + 34, 900, 3)
    np.testing.assert_array_equal(whole[20:70], sheet)
    written = (whole[:20] < 128).any(axis=(0, 2)).nonzero()[0]
    assert all(((written > left) & (written < left + 20)).any() for left in (0, 204, 408))


def test_the_sheet_is_enlarged_where_the_part_is_hottest():
    image, drawn = np.zeros((300, 2000, 3), np.uint8), np.zeros((300, 2000, 3), np.uint8)
    heat = np.zeros((300, 2000), np.float32)
    heat[250, 1990] = 1
    image[240:260, 1980:2000] = 200
    sheet = ContactSheet(1)
    sheet.add(1.0, "name", image, drawn, heat)
    close = sheet.draw()[20:220, :200, 0] > 100
    rows, columns = np.nonzero(close)
    assert close.sum() == pytest.approx((20 / 160 * 200) ** 2, rel=0.1)
    assert columns.max() == 199  # at the picture's right edge, as the spot is
    assert 120 < rows.min() < rows.max() < 160


def test_the_folder_is_named_after_the_source(tmp_path, batches):
    (tmp_path / "v1.2").mkdir()
    for source, name in ((str(tmp_path / "v1.2"), "v1.2"), ("some/strip.one.png", "strip.one"), (None, "generated")):
        assert (predict(tmp_path, batches[:1], source, worst=1) / name / "scores.csv").is_file()


def test_refuses_what_cannot_be_judged(tmp_path, batches):
    with pytest.raises(InputError, match="Inspector has no thresholds: it was never validated"):
        predict(tmp_path, batches, model=Inspector(float("nan")))
    with pytest.raises(InputError, match="worst is 0"):
        PartPredictions(worst=0)
    assert not (tmp_path / "predictions").exists()


def test_a_score_that_is_no_number_stops_with_the_picture_and_the_tile(tmp_path, batches):
    class Diverged(Inspector):
        def predict_step(self, batch, batch_idx):
            scores = super().predict_step(batch, batch_idx)
            if batch.name == "torn":
                scores.tile_score[3] = torch.nan
            return scores

    with pytest.raises(ValueError, match=r"picture 'torn', tile \[0, 64, 16, 16\]: score is nan"):
        predict(tmp_path, batches, model=Diverged())
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["strips.unfinished"]


def test_a_prediction_replaces_the_older_one_whole_or_not_at_all(tmp_path, batches):
    stale = tmp_path / "predictions/strips/heat/stale.png"
    stale.parent.mkdir(parents=True)
    stale.touch()

    class Failing(Inspector):
        def predict_step(self, batch, batch_idx):
            if batch_idx == 2:
                raise ZeroDivisionError
            return super().predict_step(batch, batch_idx)

    with pytest.raises(ZeroDivisionError):
        predict(tmp_path, batches, model=Failing())
    assert [path for path in (tmp_path / "predictions/strips").rglob("*") if path.is_file()] == [stale]
    assert len(list((tmp_path / "predictions/strips.unfinished/heat").iterdir())) == 2
    predict(tmp_path, batches)
    assert not stale.exists()


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 1)])
def test_a_picture_of_one_row_has_boxes_too(shape):
    heat = np.zeros(shape, np.float32)
    heat.flat[-1] = 2.0
    _, (box,) = find_boxes(heat, 1.0)
    assert (box.x, box.y, box.width, box.height, box.area, box.score) == (shape[1] - 1, shape[0] - 1, 1, 1, 1, 2.0)
    assert find_boxes(heat, 3.0)[1] == []


def test_what_was_found_is_said(tmp_path, batches, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predict(tmp_path, batches)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "2 of 3 pictures defective, highest score 12 of sub/dir; predictions/strips/contact_sheet.png"
    )


def test_another_surface_is_told(tmp_path):
    torn = [make_batch(number, f"torn {number}", [(4, 40, 6, 8, 9.0)]) for number in range(10)]
    with pytest.warns(UserWarning, match=r"^10 of 10 pictures are called defective\. Is it another surface"):
        predict(tmp_path, torn)
