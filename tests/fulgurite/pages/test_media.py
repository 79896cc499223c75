from dataclasses import replace

import pytest

from datamodules.errors import InputError
from fulgurite.pages.media import medium, of_last_validation, title_of


def test_of_each_kind_the_last_validation_counts(run):
    assert [path.name for path in of_last_validation(run)] == ["batch-0000012-samples.png", "batch-0000012.mp4"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("batch-0000012-samples.png", "samples"),
        ("batch-0000012.png", "batch"),
        ("attention-0000012.png", "attention"),
        ("parts-12345678-worst_ones.png", "parts worst ones"),
    ],
)
def test_a_file_is_called_by_what_it_shows(run, name, title):
    assert title_of(run / name)[0] == title


def test_what_a_browser_cannot_show_is_refused(run):
    (run / "media/batch-0000012.mp4").replace(run / "media/a.png")
    with pytest.raises(InputError, match=r"a\.png"):
        medium(run, run / "media/a.png", "")
    with pytest.raises(InputError, match="leads out of"):
        medium(run / "media", run / "samples/seed-1/sheet.png", "")


def test_small_ones_are_enlarged_and_large_ones_are_not(run):
    clip, picture = (medium(run, run / name, "") for name in ("media/batch-0000012.mp4", "samples/seed-1/sheet.png"))
    assert (clip.width, clip.shown_width) == (64, 460)
    assert (picture.width, picture.shown_width) == (64, 7 * 64)
    assert replace(picture, width=500).shown_width == 500
    assert replace(clip, height=5000).shown_width == 64
