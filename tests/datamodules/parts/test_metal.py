"""The generated metal is a small set in the layout of MVTec AD whose defects are where the masks say."""

import cv2
import numpy as np
import pytest

from datamodules.parts import metal
from datamodules.parts.aitex import AitexDataModule
from datamodules.parts.inspection_folder import read_inspection
from datamodules.parts.metal import DEFECTS, HEIGHT, TEST_SHEETS, TRAINING_SHEETS, WIDTH, metal_folder
from tests.datamodules.parts.pictures import all_pictures


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    metal_folder(cache)
    return cache


def test_layout_is_that_of_mvtec(cache):
    source = read_inspection(metal_folder(cache), "error")
    assert source.layout == "MVTec AD"
    assert len(source.normal) == 3 * (TRAINING_SHEETS + TEST_SHEETS)
    finishes = ("brushed", "ground", "rolled")
    assert sorted((part.group, part.defect) for part in source.defective) == [
        (finish, defect) for finish in finishes for defect in sorted(DEFECTS)
    ]
    assert all(len(part.masks) == 1 for part in source.defective)


def test_sheets_differ_and_are_drawn_the_same_each_time(cache, tmp_path, monkeypatch):
    first = metal_folder(cache)
    drawn = all_pictures(first)
    assert {picture.shape for picture in drawn.values()} == {(HEIGHT, WIDTH)}
    assert len({picture.tobytes() for picture in drawn.values()}) == len(drawn)
    monkeypatch.setattr(metal, "TRAINING_SHEETS", 1)  # to save time
    monkeypatch.setattr(metal, "TEST_SHEETS", 0)
    again = metal_folder(tmp_path)
    redrawn = all_pictures(again)
    assert all((picture == drawn[name]).all() for name, picture in redrawn.items())


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_changes_what_its_mask_marks(defect):
    """The same sheet without it differs there, and hardly anywhere far from there."""
    for number, finish in enumerate(metal._FINISHES.values()):
        seed = (3, number, DEFECTS.index(defect))
        picture, mask = metal._draw(finish, defect, np.random.default_rng(seed))
        faultless, nothing = metal._draw(finish, "", np.random.default_rng(seed))
        changed = np.abs(picture.astype(int) - faultless)
        assert not nothing.any()
        assert 40 < mask.sum() < 9000
        assert changed[mask == 1].mean() > 4
        far = cv2.dilate(mask, np.ones((81, 81))) == 0
        assert changed[far].max() <= 2


def test_the_data_module_uses_it_without_a_source(cache):
    data = AitexDataModule(cache_dir=str(cache), surface="metal")
    data.setup("fit")
    assert data.starts == {"brushed": 0, "ground": 0, "rolled": 0}
    counts = data.counts("test")
    assert (counts["groups"], counts["defective"], counts["with masks"]) == (3, 18, 18)
