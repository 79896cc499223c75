"""Every layout is recognised, labels and masks belong to their pictures, and what is wrong is named."""

import cv2
import numpy as np
import pytest

from datamodules.errors import InputError
from datamodules.parts import inspection_folder
from datamodules.parts.inspection_folder import list_parts, read_inspection


@pytest.fixture
def touch(tmp_path):
    def touch(*names):
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((2, 2), np.uint8))
        return tmp_path / "set"

    return touch


AITEX = (
    "NoDefect_images/23-u/0002_000_04.png",
    "NoDefect_images/23-u/0010_000_04.png",
    "NoDefect_images/26-u/0001_000_02.png",
    "Defect_images/0044_019_04.png",
    "Defect_images/0010_006_02.png",
    "Defect_images/0097_030_02.png",
    "Mask_images/0044_019_04_mask1.png",
    "Mask_images/0044_019_04_mask2.png",
    "Mask_images/0010_006_02_mask.png",
)


def test_aitex(touch):
    source = read_inspection(touch(*AITEX), "error")
    assert source.layout == "AITEX"
    assert [(part.name, part.group, part.defect, part.label) for part in source.normal] == [
        ("0002_000_04", "04", "good", 0),
        ("0010_000_04", "04", "good", 0),
        ("0001_000_02", "02", "good", 0),
    ]
    assert [(part.name, part.group, part.defect, part.label, len(part.masks)) for part in source.defective] == [
        ("0010_006_02", "02", "006", 1, 1),
        ("0044_019_04", "04", "019", 1, 2),
        ("0097_030_02", "02", "030", 1, 0),
    ]
    assert {mask.name for mask in source.defective[1].masks} == {"0044_019_04_mask1.png", "0044_019_04_mask2.png"}
    assert all(part.has_margin for part in (*source.normal, *source.defective))


def test_aitex_without_sub_folders_and_masks(touch):
    source = read_inspection(touch("NoDefect_images/0001_000_02.png", "Defect_images/0001_002_02.png"), "error")
    assert (len(source.normal), source.defective[0].masks) == (1, ())


@pytest.mark.parametrize("folder", ["NODefect_images", "nodefect_images"])
def test_aitex_as_the_archives_write_it(touch, folder):
    names = (name.replace("NoDefect_images", folder).replace("Mask_images", "mask_images") for name in AITEX)
    source = read_inspection(touch(*names), "error")
    assert (source.layout, len(source.normal), len(source.defective)) == ("AITEX", 3, 3)
    assert len(source.defective[1].masks) == 2
    assert len(list_parts(source.normal[0].path.parents[2], ["02", "04"])) == 6


def test_fabric_without_faultless_pictures_is_left_out_by_name(touch):
    root = touch(*AITEX, "Defect_images/0100_025_08.png")
    with pytest.warns(UserWarning, match=r"0100_025_08\.png.*no faultless picture of fabric 08"):
        source = read_inspection(root, "error")
    assert len(source.defective) == 3


@pytest.mark.parametrize(
    "name", ["NoDefect_images/a/0001_019_04.png", "Defect_images/0001_000_04.png", "Defect_images/x.png"]
)
def test_name_that_contradicts_its_folder(touch, name):
    root = touch(*AITEX, name)
    with pytest.raises(InputError, match=name.rsplit("/", 1)[-1]):
        read_inspection(root, "error")
    with pytest.warns(UserWarning, match=name.rsplit("/", 1)[-1]):
        assert len(read_inspection(root, "skip").normal) == 3


MVTEC = (
    "train/good/000.png",
    "train/good/001.png",
    "test/good/000.png",
    "test/hole/000.png",
    "test/cut/000.png",
    "ground_truth/hole/000_mask.png",
)


def test_mvtec(touch):
    root = touch(*MVTEC)
    source = read_inspection(root, "error")
    assert source.layout == "MVTec AD"
    assert [(part.name, part.for_test) for part in source.normal] == [
        ("train/good/000", False),
        ("train/good/001", False),
        ("test/good/000", True),
    ]
    assert [(part.name, part.group, part.defect) for part in source.defective] == [
        ("test/cut/000", "set", "cut"),
        ("test/hole/000", "set", "hole"),
    ]
    assert [part.masks for part in source.defective] == [(), (root / "ground_truth/hole/000_mask.png",)]
    assert not any(part.has_margin for part in source.normal)


def test_mvtec_with_several_categories(touch):
    source = read_inspection(touch(*(f"{kind}/{name}" for kind in ("bottle", "wood") for name in MVTEC)), "error")
    assert {part.group for part in source.normal} == {part.group for part in source.defective} == {"bottle", "wood"}
    assert len({part.name for part in (*source.normal, *source.defective)}) == 10


def test_mvtec_without_faultless_test_pictures_leaves_them_to_a_hold_out(touch):
    source = read_inspection(touch("train/good/000.png", "test/hole/000.png"), "error")
    assert [part.for_test for part in source.normal] == [None]


@pytest.mark.parametrize(
    "mask", ["masks/scratch/a.png", "mask/a_mask.png", "ground_truth/scratch/a_mask.png", "masks/scratch/a_mask2.png"]
)
def test_plain(touch, mask):
    root = touch("good/x.png", "good/y.jpg", "scratch/a.png", "scratch/b.png", mask)
    source = read_inspection(root, "error")
    assert source.layout == "plain"
    assert [(part.name, part.for_test) for part in source.normal] == [("good/x", None), ("good/y", None)]
    assert [(part.name, part.defect, part.masks) for part in source.defective] == [
        ("scratch/a", "scratch", (root / mask,)),
        ("scratch/b", "scratch", ()),
    ]


def test_a_mask_of_two_pictures_is_refused(touch):
    root = touch("good/x.png", "scratch/0.png", "dent/0.png", "masks/0.png")
    with pytest.raises(InputError, match=r"masks/0\.png could be the mask of .*dent/0\.png and of .*scratch/0\.png"):
        read_inspection(root, "error")


def test_hidden_files_are_passed_over(touch):
    source = read_inspection(
        touch(*AITEX, "NoDefect_images/.x/0001_000_03.png", "Defect_images/._0044_019_04.png"), "error"
    )
    assert (len(source.normal), len(source.defective)) == (3, 3)


def test_missing_and_unknown_folders_are_named(tmp_path, touch):
    with pytest.raises(InputError, match=r"nowhere is not a folder"):
        read_inspection(tmp_path / "nowhere", "error")
    with pytest.raises(InputError, match=r"(?s)no known layout\. Found: pictures\. Looked for.*AITEX.*MVTec.*plain"):
        read_inspection(touch("pictures/a.png"), "error")
    (tmp_path / "empty" / "good").mkdir(parents=True)
    with pytest.raises(InputError, match="no faultless picture"):
        read_inspection(tmp_path / "empty", "error")


def test_equal_names_are_refused(touch):
    with pytest.raises(InputError, match=r"same name 0002_000_04"):
        read_inspection(touch(*AITEX, "NoDefect_images/other/0002_000_04.png"), "error")


def test_prediction_takes_all_pictures_but_masks(touch):
    parts = list_parts(touch(*AITEX), ["02", "04"])
    assert len(parts) == 6
    assert {(part.label, part.defect, part.masks) for part in parts} == {(-1, "unknown", ())}
    assert {part.name: part.group for part in parts}["Defect_images/0044_019_04"] == "04"


def test_masks_beside_predicted_pictures_are_left_out(touch):
    root = touch("a.png", "a_mask.png", "b.png", "b_mask1.png", "b_mask2.png", "gas_mask.png")
    assert [part.name for part in list_parts(root, [])] == ["a", "b", "gas_mask"]


def test_group_of_a_predicted_picture(touch):
    root = touch("bottle/new/1.png", "9.png", "0001_002_07.png")
    assert [part.group for part in list_parts(root, ["bottle", "wood"])] == ["07", "unknown", "bottle"]
    assert [part.group for part in list_parts(root / "9.png", ["bottle"])] == ["bottle"]
    assert list_parts(root / "9.png", ["bottle"])[0].name == "9"


def test_prediction_without_pictures(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        list_parts(tmp_path / "nowhere", [])
    with pytest.raises(InputError, match="holds no picture"):
        list_parts(tmp_path, [])


@pytest.mark.parametrize("layout", ["plain", "mvtec"])
def test_masks_beside_their_pictures_are_masks(touch, layout):
    if layout == "plain":
        root = touch("good/000.png", "cut/000.png", "cut/000_mask.png", "cut/001.png")
    else:
        root = touch("train/good/000.png", "test/cut/000.png", "test/cut/000_mask.png", "test/cut/001.png")
    source = read_inspection(root, "error")
    found = {part.path.name: [mask.name for mask in part.masks] for part in source.defective}
    assert found == {"000.png": ["000_mask.png"], "001.png": []}


def test_pictures_alone_are_all_faultless(touch):
    source = read_inspection(touch("10.png", "9.jpg"), "error")
    assert source.layout == "flat"
    assert [(part.name, part.group, part.label, part.for_test) for part in source.normal] == [
        ("9", "set", 0, None),
        ("10", "set", 0, None),
    ]
    assert source.defective == ()


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("broken/1.png", r"holds pictures and folders of pictures \(broken\): put the faultless pictures into good/"),
        ("9_mask.png", r"holds pictures and masks \(9_mask\.png\): put the faultless pictures into good/"),
    ],
)
def test_pictures_beside_others_are_a_question(touch, beside, said):
    with pytest.raises(InputError, match=said):
        read_inspection(touch("9.png", beside), "error")


def test_pictures_and_videos_are_a_question(touch):
    root = touch("9.png")
    (root / "film.mp4").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"holds videos \(film\.mp4\) and pictures \(9\.png\): move the videos elsewhere"
    ):
        read_inspection(root, "error")


@pytest.mark.parametrize("layout", ["mvtec", "plain", "beside"])
def test_folders_are_listed_as_often_for_many_pictures_as_for_few(layout, tmp_path, monkeypatch):
    """Listing the masks anew for every picture made the time grow with the square of their number."""
    listed, real = [], inspection_folder.list_images

    def count(folder):
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(inspection_folder, "list_images", count)
    places = {
        "mvtec": ("train/good", "test/hole", "ground_truth/hole"),
        "plain": ("good", "hole", "masks/hole"),
        "beside": ("good", "hole", "hole"),
    }
    times = []
    for pictures in (2, 40):
        root = tmp_path / str(pictures)
        for place, ending in zip(places[layout], ("", "", "_mask"), strict=True):
            (root / place).mkdir(parents=True, exist_ok=True)
            for number in range(pictures):
                (root / place / f"{number:03d}{ending}.png").touch()
        listed.clear()
        source = inspection_folder.read_inspection(root, "error")
        assert [[mask.stem for mask in part.masks] for part in source.defective] == [
            [f"{number:03d}_mask"] for number in range(pictures)
        ]
        times.append(len(listed))
    assert times[0] == times[1]
