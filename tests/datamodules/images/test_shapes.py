import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

from datamodules.errors import InputError
from datamodules.images import shapes
from datamodules.images.shapes import COUNT, SIZE, Factors, draw_car, shapes_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shapes_folder(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def factors():
    return Factors.draw(np.random.default_rng(0))


def test_the_default_is_a_folder_of_real_pictures_with_their_factors(folder):
    pictures = sorted(folder.glob("*.png"))
    assert len(pictures) == COUNT
    with (folder / "factors.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row.pop("picture") for row in table] == [path.name for path in pictures]
    for number in (0, COUNT - 1):
        drawn = Factors(**{name: float(value) for name, value in table[number].items()})
        stored = cv2.imread(str(pictures[number]))[..., ::-1]
        assert stored.shape == (SIZE, SIZE, 3)
        assert np.abs(draw_car(drawn).astype(int) - stored).mean() < 0.5  # but for the rounding in the table


def test_pictures_differ_in_colour_and_in_grey(folder):
    colour = [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"))[:60]]
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in colour]
    assert len({picture.tobytes() for picture in grey}) == 60
    assert np.std(grey, axis=0).mean() > 15
    assert any(np.ptp(picture.astype(int), axis=-1).max() > 100 for picture in colour)


def test_recipe_is_deterministic(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes, "COUNT", 3)
    contents = []
    for name in ("a", "b"):
        root = shapes_folder(tmp_path / name)
        contents.append({path.name: path.read_bytes() for path in root.glob("[!.]*")})
    assert contents[0] == contents[1]
    assert len(set(contents[0].values())) == 4
    monkeypatch.setattr(shapes, "write_shapes", lambda _: pytest.fail("written again"))
    shapes_folder(tmp_path / "a")


@pytest.mark.parametrize(
    ("factor", "step"),
    [
        *(("length", 0.02), ("height", 0.01), ("hood", 0.02), ("cabin", 0.03), ("slope", 0.02), ("wheel", 0.01)),
        *(("x", 0.01), ("ground", 0.01), ("hue", 0.05), ("saturation", 0.1), ("brightness", 0.1), ("daylight", 0.1)),
    ],
)
def test_every_factor_shows_and_acts_continuously(factors, factor, step):
    start = draw_car(factors).astype(int)
    changes = [
        np.abs(draw_car(replace(factors, **{factor: getattr(factors, factor) + share * step})) - start).mean()
        for share in (0.05, 0.25, 1.0)
    ]
    assert 0 < changes[0] < changes[1] < changes[2] < 20


def test_a_car_looks_either_way(factors):
    left, right = (draw_car(replace(factors, facing=facing, x=0.5)).astype(int) for facing in (-1, 1))
    assert np.abs(left - right[:, ::-1]).mean() < 1 < np.abs(left - right).mean()


def test_unwritable_cache_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"data\.cache_dir: cannot write the pictures to"):
        shapes_folder(tmp_path / "file")
