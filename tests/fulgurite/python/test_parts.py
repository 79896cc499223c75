"""Scores, boxes and masks of parts from Python are those of the command."""

import csv
import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
import torch

import fulgurite
from callbacks.file_names import cell
from datamodules.errors import InputError
from datamodules.picture_file import read_picture
from tests.docs.small_worlds import cloth


@pytest.fixture(scope="module")
def world(trained, tmp_path_factory):
    """A run, and a folder of two pictures, one with a spot."""
    folder = tmp_path_factory.mktemp("strips")
    for number in range(2):
        cloth(folder / f"{number}.png", 300 + number, spot=bool(number))
    return trained("aitex_vae"), folder


@pytest.fixture(scope="module")
def model(world):
    return fulgurite.load(world[0])


def test_scores_boxes_and_masks_are_those_of_the_command(world, model, predict):
    run, folder = world
    written = predict(run, folder) / folder.name
    each = {one.name: one for one in model.score_each(folder)}
    assert [*each] == ["0", "1"]
    for name, one in each.items():
        record = json.loads((written / f"boxes/{name}.json").read_text())
        assert record["boxes"] == [asdict(box) for box in one.boxes]
        for key in ("name", "group", "score", "defective", "threshold", "pixel_threshold", "start"):
            assert record[key] == getattr(one, key), key
        mask = cv2.imread(str(written / f"mask/{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask == 255, one.mask)
        assert one.heat.shape == one.mask.shape == (64, 192)
    with (written / "scores.csv").open() as file:
        rows = [*csv.DictReader(file)]
    scores = [score for one in each.values() for score in one.tile_score]
    assert [row["score"] for row in rows] == [str(cell(score)) for score in scores]
    assert [int(row["left"]) for row in rows if row["name"] == "1"] == each["1"].tile[:, 1].tolist()
    assert max(each["1"].heat[20:28, 40:50].max(), 0) > each["0"].heat.max()
    assert each["1"].boxes
    assert each["1"].tile_defective.any() == each["1"].defective


def test_a_picture_in_memory_scores_like_its_file(world, model):
    of_file = model.score(world[1] / "1.png")
    pixels = read_picture(world[1] / "1.png", 3)
    for given in (pixels, pixels[..., 0], torch.from_numpy(pixels).permute(2, 0, 1)):
        one = model.score(given)
        np.testing.assert_array_equal(one.heat, of_file.heat)
        assert (one.score, one.group, one.boxes) == (of_file.score, of_file.group, of_file.boxes)
    each = [*model.score_each([world[1] / "0.png", pixels])]
    assert [one.name for one in each] == ["0", "picture 1"]
    np.testing.assert_array_equal(each[1].heat, of_file.heat)


def test_a_picture_and_what_the_model_makes_of_it(world, model):
    shown = model.reconstruct(world[1] / "1.png")
    assert shown.picture.shape == shown.reconstructed.shape == (1, 64, 192, 3)
    np.testing.assert_array_equal((255 * shown.picture[0]).round(), read_picture(world[1] / "1.png", 3))
    assert shown.psnr[0] == pytest.approx(-10 * np.log10(np.mean((shown.picture - shown.reconstructed) ** 2)), rel=1e-4)


def test_what_cannot_be_scored_is_told_in_one_sentence(world, model):
    for given, options, said in (
        (world[1], {}, "several pictures are given (0, 1), one is asked for; use score_each"),
        ([], {}, "no picture is given; give one"),
        (np.zeros((20, 90), np.uint8), {}, "picture 0: measures 90x20 pixels, less than a tile"),
        (np.zeros((64, 192), np.uint8), {"group": "04"}, "group: is 04; name one of my_parts, or unknown"),
        (world[1] / "0.png", {"group": "my_parts"}, "of a file its name or its folder tells; leave it out"),
        (world[1] / "0.png", {"fps": 3}, "fps: is 3, and a picture has no rate"),
    ):
        with pytest.raises(InputError) as told:
            model.score(given, **options)
        assert said in str(told.value)
    assert model.score(np.zeros((64, 192), np.uint8), group="unknown").group == "unknown"
