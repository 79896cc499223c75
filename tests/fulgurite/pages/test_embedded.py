import base64
import io

import numpy as np
import pytest
from PIL import Image

from datamodules.png_file import write_png
from fulgurite.pages.embedded import embedded, letters
from fulgurite.pages.media import medium


@pytest.fixture
def media(run):
    """A clip, a small picture and a large one."""
    write_png(run / "media/large.png", np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8))
    paths = [run / "media/batch-0000012.mp4", run / "samples/seed-1/sheet.png", run / "media/large.png"]
    return [medium(run, path, "") for path in paths]


def room_of(media):
    return sum(letters(one.size) for one in media)


def test_where_there_is_room_all_is_as_it_is_in_its_file(media):
    found = embedded(media, room_of(media))
    assert [one.is_compressed for one in found] == [False] * 3
    for one in found:
        assert base64.b64decode(one.uri.partition("base64,")[2]) == one.path.read_bytes()
    assert sum(len(one.uri) for one in found) <= room_of(media)


def test_the_largest_picture_is_compressed_first(media):
    found = embedded(media, room_of(media) - 1)
    assert [one.is_compressed for one in found] == [False, False, True]
    assert found[2].uri.startswith("data:image/webp;base64,")
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(found[2].uri.partition("base64,")[2]))).convert("RGB"))
    assert shown.shape == (200, 300, 3)
    assert abs(shown.astype(int) - np.array(Image.open(found[2].path))).mean() < 60  # noise is the worst case


def test_where_that_is_not_enough_the_largest_are_left_out(media):
    room = letters(media[1].size) + 10
    found = embedded(media, room)
    assert [bool(one.uri) for one in found] == [False, True, False]
    assert sum(len(one.uri) for one in found) <= room
    assert not any(one.uri for one in embedded(media, 0))


def test_what_stands_there_twice_counts_twice(media):
    twice = [media[1], media[1]]
    assert [bool(one.uri) for one in embedded(twice, 2 * letters(media[1].size))] == [True, True]
    assert sum(len(one.uri) for one in embedded(twice, letters(media[1].size))) <= letters(media[1].size)
