"""The generated weave is a small set in the AITEX layout whose defects are where the masks say."""

import cv2
import numpy as np
import pytest

from datamodules.errors import InputError
from datamodules.parts import weave
from datamodules.parts.aitex import AitexDataModule
from datamodules.parts.inspection_folder import read_inspection
from datamodules.parts.weave import DEFECTS, HEIGHT, NORMAL_STRIPS, WIDTH, weave_folder
from tests.datamodules.parts.pictures import all_pictures, grey


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    weave_folder(cache)
    return cache


def test_layout_is_that_of_aitex(cache):
    source = read_inspection(weave_folder(cache), "error")
    assert source.layout == "AITEX"
    assert len(source.normal) == 3 * NORMAL_STRIPS
    assert sorted((part.group, part.defect) for part in source.defective) == [
        (fabric, code) for fabric in ("00", "01", "02") for code in sorted(DEFECTS)
    ]
    assert all(len(part.masks) == 1 for part in source.defective)


def test_strips_differ_and_are_drawn_the_same_each_time(cache, tmp_path, monkeypatch):
    first = weave_folder(cache)
    drawn = all_pictures(first)
    assert {picture.shape for picture in drawn.values()} == {(HEIGHT, WIDTH)}
    assert len({picture.tobytes() for picture in drawn.values()}) == len(drawn)
    monkeypatch.setattr(weave, "NORMAL_STRIPS", 1)  # to save time
    again = weave_folder(tmp_path)
    redrawn = all_pictures(again)
    assert len(redrawn) == 3 + 2 * 3 * len(DEFECTS)
    assert all((picture == drawn[name]).all() for name, picture in redrawn.items())


def test_second_call_writes_nothing(cache):
    before = {path: path.stat().st_mtime_ns for path in weave_folder(cache).rglob("*")}
    assert {path: path.stat().st_mtime_ns for path in weave_folder(cache).rglob("*")} == before


def test_marked_pixels_look_unlike_their_surroundings(cache):
    """Of a broken pick the light stays; everything else is visibly darker or brighter than the cloth around it."""
    for part in read_inspection(weave_folder(cache), "error").defective:
        picture, mask = grey(part.path).astype(float), grey(part.masks[0]) > 127
        assert 60 < mask.sum() < 6000
        if part.defect != "010":
            near = (cv2.dilate(mask.astype(np.uint8), np.ones((31, 31))) == 1) & ~mask
            quantiles = (0.02, 0.5, 0.98)
            shift = np.abs(np.quantile(picture[mask], quantiles) - np.quantile(picture[near], quantiles))
            assert shift.max() > 8, part.name


def test_module_finds_the_margin_of_every_fabric_and_loses_no_defect(cache):
    data = AitexDataModule(cache_dir=str(cache))
    data.setup("fit")
    assert data.starts == {"00": 256, "01": 256, "02": 0}
    for part in data.test_dataloader():
        assert part.label == 0 or part.mask[:, part.start :].any()


def test_unwritable_cache_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match=r"data\.cache_dir.*cache"):
        weave_folder(tmp_path / "cache")
