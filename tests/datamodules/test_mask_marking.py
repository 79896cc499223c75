import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.errors import InputError
from datamodules.mask_file import PLAIN, array_pixels, mask_pixels
from datamodules.mask_marking import decide_marking


@pytest.fixture
def marked():
    """Three masks (30, 40) of which the first is empty."""
    masks = np.zeros((3, 30, 40), bool)
    masks[1, 4:9, 10:20] = masks[2, 20:28, 5:8] = True
    return masks


def read(paths, cache):
    marking = decide_marking(paths, cache)
    return np.stack([marking.read(mask_pixels(path)) for path in paths])


def colours(masks, nothing, marks):
    return np.where(masks[..., None], np.array(marks, np.uint8), np.array(nothing, np.uint8))


def paletted(mask, *colours):
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([level for colour in colours for level in colour])
    return image


VOC = ((0, 0, 0), (128, 0, 0), (0, 128, 0))
WAYS = {
    "0 and 255": lambda m: Image.fromarray(m.astype(np.uint8) * 255),
    "0 and 1": lambda m: Image.fromarray(m.astype(np.uint8)),
    "16 bits": lambda m: Image.fromarray(m.astype(np.uint16) * 65535),
    "16 bits, 0 and 1": lambda m: Image.fromarray(m.astype(np.uint16)),
    "one bit": Image.fromarray,
    "red": lambda m: Image.fromarray(colours(m, (0, 0, 0), (255, 0, 0))),
    "dark blue": lambda m: Image.fromarray(colours(m, (0, 0, 0), (0, 0, 60))),
    "palette of VOC": lambda m: paletted(m, *VOC),
    "palette on white": lambda m: paletted(m, (255, 255, 255), (0, 0, 0)),
    "alpha of red": lambda m: Image.fromarray(colours(m, (255, 0, 0, 0), (255, 0, 0, 255))),
    "alpha of black": lambda m: Image.fromarray(colours(m, (0, 0, 0, 0), (0, 0, 0, 255))),
    "grey and alpha": lambda m: Image.fromarray(colours(m, (200, 0), (200, 255))),
    "white on what is transparent": lambda m: Image.fromarray(colours(m, (0, 0, 0, 0), (255, 255, 255, 255))),
    "opaque colour": lambda m: Image.fromarray(colours(m, (0, 0, 0, 255), (0, 255, 0, 255))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("error::UserWarning")
def test_two_values_mark_by_the_larger_however_they_are_stored(tmp_path, marked, way):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, mask in zip(paths, marked, strict=True):
        WAYS[way](mask).save(path)
    np.testing.assert_array_equal(read(paths, tmp_path / "cache"), marked)


def test_the_ground_may_be_bright(tmp_path, marked):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, mask in zip(paths, marked, strict=True):
        Image.fromarray(~mask).save(path)
    with pytest.warns(UserWarning, match=r"values 0, 255; what is not above 127 marks, since most of them lies above"):
        np.testing.assert_array_equal(read(paths, tmp_path / "cache"), marked)
    with pytest.warns(UserWarning, match="not above 127"):  # decided already, and said again
        read(paths, tmp_path / "cache")


def test_masks_of_whole_frames_do_not_make_the_ground_bright(tmp_path):
    """Most frames of a clip are anomalous, all of each."""
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("L", (8, 6), 255 if number else 0).save(path)
    assert read(paths, tmp_path / "cache").mean(axis=(1, 2)).tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("ground", [0, 255])
def test_lossy_masks_are_divided_half_way_and_their_values_named(tmp_path, marked, ground):
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path, mask in zip(paths, marked, strict=True):
        Image.fromarray((mask * np.uint8(255)) ^ np.uint8(ground)).save(path, quality=70)
    with pytest.warns(UserWarning, match=r"masks: 3 by brightness, with .* values, 0, 1, .*, 255; what is") as told:
        found = read(paths, tmp_path / "cache")
    assert (found != marked).mean() < 0.01
    assert not found[0].any()
    assert ("most of them lies above" if ground else "divided half-way") in str(told[0].message)


@pytest.mark.parametrize("kind", ["palette", "small numbers"])
def test_numbers_of_classes_all_mark_but_0(tmp_path, marked, kind):
    labels = np.zeros((30, 40), np.uint8)
    labels[2:5], labels[10:12] = 1, 2
    image = paletted(labels, *VOC) if kind == "palette" else Image.fromarray(labels)
    image.save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"the values 0, 1, 2; what is above 0 marks: they are taken for classes"):
        np.testing.assert_array_equal(read([tmp_path / "a.png"], tmp_path / "cache")[0], labels > 0)


def test_kinds_are_decided_apart(tmp_path, marked):
    """A clip with grey masks, and one with empty masks whose marking would be in alpha."""
    Image.fromarray(marked[1]).save(tmp_path / "grey.png")
    Image.new("RGBA", (40, 30), (255, 0, 0, 0)).save(tmp_path / "alpha.png")
    found = read([tmp_path / "grey.png", tmp_path / "alpha.png"], tmp_path / "cache")
    np.testing.assert_array_equal(found, [marked[1], marked[0]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([Image.new("L", (8, 6), 255)] * 2, "nothing but the value 255 .brightness., which does not tell"),
        ([Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) % 5)], "hold the values 0, 1, 2, 3, 4 .*most"),
        (
            [paletted(np.eye(8), (0, 0, 0), (9, 9, 9)), paletted(np.eye(8), (9, 9, 9), (0, 0, 0))],
            r"0\.png and .*1\.png: colour 0 is \(0, 0, 0\) in one palette and \(9, 9, 9\) in the other",
        ),
    ],
)
def test_what_cannot_be_decided_is_refused(tmp_path, images, message):
    paths = [tmp_path / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path)
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            decide_marking(paths, tmp_path / "cache")


def test_values_that_are_no_levels_are_refused(tmp_path):
    assert cv2.imwrite(str(tmp_path / "a.tif"), np.full((4, 5), 0.5, np.float32))
    with pytest.raises(InputError, match=r"a\.tif: a mask must hold whole numbers from 0 to 65,535"):
        mask_pixels(tmp_path / "a.tif")
    for wrong in ([[0.5]], [[-1]], [[np.nan]], [[65_536]], [["a"]]):
        with pytest.raises(InputError, match=r"b\.npy: a mask must hold whole numbers"):
            array_pixels(tmp_path / "b.npy", np.array(wrong))
    for right in ([[True]], [[1.0]], [[65_535]]):
        assert PLAIN.read(array_pixels(tmp_path / "b.npy", np.array(right))).tolist() == [[1]]


def test_masks_are_read_upright(tmp_path, marked):
    exif = Image.Exif()
    exif[0x112] = 3
    Image.fromarray(marked[1]).convert("L").save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(PLAIN.read(mask_pixels(tmp_path / "a.png")), marked[1, ::-1, ::-1])


def test_unreadable_masks_do_not_decide_and_nothing_is_read_twice(tmp_path, marked):
    Image.fromarray(marked[1]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    seen = []

    def look(path):
        seen.append(path.name)
        yield mask_pixels(path)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            marking = decide_marking([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "cache", look)
            assert marking.brightness == PLAIN.brightness
    assert sorted(seen) == ["a.png", "b.png"]
