"""Pictures and masks are read rightly, compared with OpenCV and Pillow."""

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.errors import InputError
from datamodules.parts.inspection_folder import Part
from datamodules.parts.part_pictures import PictureReader, examine

TILE = 32


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (64, 160), np.uint8)


def part(path, *masks, label=1, margin=False):
    return Part(path.stem, path, "00", "019", label, masks, has_margin=margin)


def write(path, array):
    Image.fromarray(array).save(path)
    return path


def test_grey_with_an_alpha_channel_is_read_as_grey(tmp_path, pixels):
    opaque = np.stack((pixels, np.full_like(pixels, 255)), axis=-1)
    path = tmp_path / "a.png"
    Image.fromarray(opaque, "LA").save(path)
    assert (PictureReader(1, TILE).picture(part(path)) == pixels[None]).all()


def test_colour(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    path = write(tmp_path / "a.png", colour)
    assert (PictureReader(3, TILE).picture(part(path)) == colour.transpose(2, 0, 1)).all()
    assert PictureReader(1, TILE).picture(part(path)).shape == (1, 40, 50)


def test_masks_are_joined_above_127(tmp_path, pixels):
    first, second = np.zeros_like(pixels), np.zeros_like(pixels)
    first[3, 4], first[5, 6], second[7, 8], second[9, 10] = 127, 128, 255, 1
    masks = [write(tmp_path / f"m{number}.png", mask) for number, mask in enumerate((first, second))]
    found = PictureReader(1, TILE).mask(part(write(tmp_path / "a.png", pixels), *masks), pixels.shape)
    assert found.dtype == np.uint8
    assert sorted(zip(*np.nonzero(found), strict=True)) == [(5, 6), (7, 8)]


def test_what_nobody_marked_is_unknown_and_a_faultless_part_is_unmarked(tmp_path, pixels):
    path, black = write(tmp_path / "a.png", pixels), write(tmp_path / "m.png", np.zeros_like(pixels))
    reader = PictureReader(1, TILE)
    assert reader.mask(part(path), pixels.shape) is None
    assert reader.mask(part(path, black), pixels.shape) is None
    assert reader.mask(part(path, label=0), pixels.shape).sum() == 0


def test_mask_of_another_size_is_named(tmp_path, pixels):
    mask = write(tmp_path / "m.png", pixels[:, :100])
    with pytest.raises(InputError, match=r"m\.png: measures 100x64, its picture .*a\.png 160x64"):
        PictureReader(1, TILE).mask(part(write(tmp_path / "a.png", pixels), mask), pixels.shape)


def test_picture_smaller_than_a_tile_is_named(tmp_path, pixels):
    path = write(tmp_path / "a.png", pixels[:31])
    with pytest.raises(InputError, match=r"a\.png: measures 160x31.*data\.tile_size, now 32"):
        PictureReader(1, TILE).picture(part(path))


def test_clahe_is_that_of_opencv_and_raises_the_contrast(tmp_path):
    dull = np.random.default_rng(0).integers(100, 120, (128, 256), np.uint8)
    path = write(tmp_path / "a.png", dull)
    equalised = PictureReader(1, TILE, clahe=3.0).picture(part(path))[0]
    assert (equalised == cv2.createCLAHE(3.0, (4, 2)).apply(dull)).all()
    assert equalised.std() > 2 * dull.std()
    assert (PictureReader(1, TILE).picture(part(path))[0] == dull).all()


def test_clahe_leaves_grey_pixels_grey_in_colour_pictures(tmp_path):
    dull = np.random.default_rng(0).integers(100, 120, (128, 256), np.uint8)
    path = write(tmp_path / "a.png", np.stack([dull] * 3, axis=-1))
    equalised = PictureReader(3, TILE, clahe=3.0).picture(part(path)).astype(int)
    assert equalised.std() > 2 * dull.std()
    assert np.abs(equalised - equalised.mean(axis=0)).max() <= 2


def test_examination_notes_width_margin_and_marked_columns(tmp_path, pixels):
    picture = np.tile(pixels, (1, 4))
    picture[:, :96] = 255
    mask = np.zeros_like(picture)
    mask[:, 200:203] = 255
    path, marked = write(tmp_path / "a.png", picture), write(tmp_path / "m.png", mask)
    (found,) = examine([part(path, marked, margin=True)], PictureReader(1, TILE), "error")
    assert (found.width, found.margin, list(found.defect_columns)) == (640, 96, [200, 201, 202])
    (unsought,) = examine([part(path)], PictureReader(1, TILE), "error")
    assert (unsought.margin, unsought.defect_columns) == (0, None)
    assert found.digest == unsought.digest


def test_the_margin_is_sought_before_equalisation_and_in_all_colours(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    seen = []
    monkeypatch.setattr("datamodules.parts.part_pictures.margin_width", lambda picture: seen.append(picture) or 0)
    path = write(tmp_path / "a.png", random.integers(0, 256, (64, 640, 3), np.uint8))
    for channels, clahe in ((1, 0.0), (1, 4.0), (3, 4.0)):
        examine([part(path, margin=True)], PictureReader(channels, TILE, clahe), "error")
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(int)
    assert all(np.abs(picture - grey).max() <= 1 for picture in seen)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_damaged_picture_ends_the_run_or_is_left_out(tmp_path, pixels, damage):
    good, bad = write(tmp_path / "good.png", pixels), write(tmp_path / "bad.png", pixels)
    data = bad.read_bytes()
    bad.unlink()
    if damage != "missing":
        bad.write_bytes({"truncated": data[: len(data) // 2], "empty": b"", "text": b"not a picture"}[damage])
    parts = [part(bad), part(good)]
    with pytest.raises(InputError, match=r"(?s)bad\.png.*on_bad_file: skip"):
        examine(parts, PictureReader(1, TILE), "error")
    with pytest.warns(UserWarning, match=r"left out: .*bad\.png"):
        kept = examine(parts, PictureReader(1, TILE), "skip")
    assert [found.part.name for found in kept] == ["good"]
