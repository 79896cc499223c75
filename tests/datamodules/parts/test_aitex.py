"""The data module divides by strip, crops one start per fabric, and gives the same batches for the same seed."""

import os

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from datamodules.errors import InputError
from datamodules.parts.aitex import AitexDataModule
from datamodules.parts.parts import tile_origins
from datamodules.parts.synthetic_defects import KINDS

HEIGHT, WIDTH, TILE = 64, 320, 32
MARGIN = {"00": 40, "01": 0}


def strip(fabric, seed, width=WIDTH):
    random = np.random.default_rng((int(fabric), seed))
    row, column = np.mgrid[:HEIGHT, :width]
    picture = 110 + 40 * np.sin(2 * np.pi * (column + row + seed) / 5) + random.normal(0, 5, (HEIGHT, width))
    picture[:, : MARGIN[fabric]] = 255
    return picture.clip(0, 255).astype(np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)
    return path


@pytest.fixture(scope="module")
def aitex(tmp_path_factory):
    """Two fabrics with 20 and 6 faultless strips, as in the full set and in a small one, and 4 defective ones."""
    root = tmp_path_factory.mktemp("data") / "aitex"
    for fabric, count in (("00", 20), ("01", 6)):
        for number in range(count):
            width = 301 if number == 3 else WIDTH
            write(root / f"NoDefect_images/f{fabric}/{number:04d}_000_{fabric}.png", strip(fabric, number, width))
    for number, fabric in enumerate(("00", "00", "01", "01")):
        picture, mask = strip(fabric, 100 + number), np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[20:30, 200:220] = 255
        picture[mask > 0] = 20
        write(root / f"Defect_images/{number:04d}_019_{fabric}.png", picture)
        if number < 3:
            write(root / f"Mask_images/{number:04d}_019_{fabric}_mask.png", mask if number else 0 * mask)
    return root


def module(source, stage="fit", **options):
    data = AitexDataModule(str(source), tile_size=TILE, train_stride=TILE, batch_size=8, **options)
    data.setup(stage)
    return data


@pytest.fixture
def data(aitex):
    with pytest.warns(UserWarning, match="its masks mark nothing"):
        return module(aitex)


def epoch(data, number=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def test_split_by_strip_and_fabric(data):
    splits = data.split_manifest()["splits"]
    counts = {
        split: [sum(name.endswith(f"000_{f}") for name in names) for f in MARGIN] for split, names in splits.items()
    }
    assert counts == {"train": [13, 3], "validation": [2, 1], "test": [5, 2]}
    assert sum("_019_" in name for name in splits["test"]) == 4
    assert not any("_019_" in name for split in ("train", "validation") for name in splits[split])
    names = [name for split in splits.values() for name in split]
    assert len(names) == len(set(names)) == 30


@pytest.mark.filterwarnings("ignore:.*mask")
def test_hold_out_depends_on_its_own_seed_only(aitex, monkeypatch):
    first = module(aitex).split_manifest()
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert module(aitex).split_manifest() == first
    assert module(aitex, split_seed=1).split_manifest()["splits"] != first["splits"]


def test_one_start_per_fabric(data):
    assert data.starts == data.split_manifest()["starts"] == {"00": 64, "01": 0}
    assert {(part.group, part.start) for part in data.test_dataloader()} == {("00", 64), ("01", 0)}


@pytest.mark.filterwarnings("ignore:.*mask")
def test_given_start_wins(aitex):
    assert module(aitex, starts={"00": 96}).starts == {"00": 96, "01": 0}
    with pytest.raises(InputError, match=r"data\.starts: 07 not found.*there are 00, 01"):
        module(aitex, starts={"07": 96})
    with pytest.raises(InputError, match=r"data\.starts\.00: is -1"):
        module(aitex, starts={"00": -1})
    with pytest.raises(InputError, match=r"from column 300 on no tile fits"):
        module(aitex, starts={"00": 300})


def test_training_tiles_come_from_right_of_the_start_of_faultless_strips(data, aitex):
    strips = {}
    for name in data.split_manifest()["splits"]["train"]:
        fabric = name[-2:]
        strips[name] = cv2.imread(str(aitex / f"NoDefect_images/f{fabric}/{name}.png"), cv2.IMREAD_GRAYSCALE)
    expected = set()
    for name, picture in strips.items():
        for top in (0, 32):
            lefts = [*range(data.starts[name[-2:]], picture.shape[1] - TILE + 1, TILE)]
            for left in sorted({*lefts, picture.shape[1] - TILE}):
                expected.add(picture[top : top + TILE, left : left + TILE].tobytes())
    flips = [(), (2,), (1,), (1, 2)]
    seen, indices = set(), []
    for batch in epoch(data):
        assert batch.images.shape == (8, 1, TILE, TILE)
        assert batch.images.dtype == torch.uint8
        for image in batch.images:
            variants = {image.flip(flip).numpy().tobytes() for flip in flips}
            (source,) = variants & expected
            seen.add(source)
        indices += batch.index.tolist()
    assert len(seen) > 0.95 * len(expected)
    assert len(indices) == len(set(indices))


def test_order_and_flips_are_functions_of_seed_and_epoch(data, monkeypatch):
    def fingerprint(number):
        torch.rand(3), np.random.rand(3)  # hidden state that must not matter
        return [(batch.index.tolist(), batch.images.sum(dim=(1, 2)).tolist()) for batch in epoch(data, number)]

    first = fingerprint(0)
    assert fingerprint(0) == first
    assert fingerprint(1) != first
    monkeypatch.setitem(os.environ, "PL_GLOBAL_SEED", "1")
    assert fingerprint(0) != first


@pytest.mark.filterwarnings("ignore:.*mask")
@pytest.mark.parametrize(("horizontal", "vertical"), [(False, False), (True, False), (False, True)])
def test_flips_mirror_half_of_the_tiles(aitex, horizontal, vertical):
    plain = module(aitex, flip_horizontal=False, flip_vertical=False)
    flipped = module(aitex, flip_horizontal=horizontal, flip_vertical=vertical)
    same = mirrored = 0
    for before, after in zip(epoch(plain), epoch(flipped), strict=True):
        assert before.index.tolist() == after.index.tolist()
        for one, other in zip(before.images, after.images, strict=True):
            same += bool((one == other).all())
            mirrored += bool((one.flip(2 if horizontal else 1) == other).all())
    assert same + mirrored == 8 * (len(plain.train_dataloader().dataset) // 8)
    share = mirrored / (same + mirrored)
    assert 0.4 < share < 0.6 if horizontal or vertical else share == 0


def test_workers_change_nothing(data, aitex):
    with pytest.warns(UserWarning, match="its masks mark nothing"):
        other = module(aitex, num_workers=2)
    for one, two in zip(epoch(data), epoch(other), strict=True):
        assert (one.images == two.images).all()
    for one, two in zip(data.val_dataloader()[1], other.val_dataloader()[1], strict=True):
        assert (one.image == two.image).all()


def test_calibration_shows_all_faultless_pictures_but_those_of_the_test(data):
    calibration, _ = data.val_dataloader()
    splits = data.split_manifest()["splits"]
    shown = list(calibration)
    assert [part.name for part in shown] == [*splits["train"], *splits["validation"]]
    assert {(part.label, part.defect) for part in shown} == {(0, "good")}
    assert [part.index for part in shown] == list(range(len(shown)))


def test_validation_shows_held_out_pictures_with_and_without_synthetic_defects(data):
    held_out = data.split_manifest()["splits"]["validation"]
    parts = {part.name: part for part in data.val_dataloader()[1]}
    assert set(parts) == {*held_out, *(f"{name}-{kind}" for name in held_out for kind in KINDS)}
    for name in held_out:
        assert (parts[name].label, parts[name].defect, int(parts[name].mask.sum())) == (0, "good", 0)
        for kind in KINDS:
            copy = parts[f"{name}-{kind}"]
            assert (copy.label, copy.defect, copy.group) == (1, f"synthetic_{kind}", name[-2:])
            changed = (copy.image != parts[name].image).any(dim=0)
            assert changed[copy.mask == 1].all()
            assert not changed[:, : copy.start].any()


@pytest.mark.filterwarnings("ignore:.*mask")
def test_synthetic_defects_are_functions_of_split_seed_and_picture(aitex, monkeypatch):
    def masks(**options):
        return {part.name: part.mask.sum().item() for part in module(aitex, **options).val_dataloader()[1]}

    first = masks()
    monkeypatch.setenv("PL_GLOBAL_SEED", "9")
    assert masks() == first
    other = masks(split_seed=3)
    shared = [name for name in set(first) & set(other) if "-" in name]
    assert shared
    assert any(first[name] != other[name] for name in shared)


def test_test_pictures_carry_their_masks(aitex):
    with (
        pytest.warns(UserWarning, match=r"0000_019_00\.png: its masks mark nothing"),
        pytest.warns(UserWarning, match=r"0003_019_01\.png: it has no mask"),
    ):
        data = module(aitex, "test")
    parts = {part.name: part for part in data.test_dataloader()}
    assert parts["0000_019_00"].mask is None
    assert parts["0003_019_01"].mask is None
    assert parts["0001_019_00"].mask.sum() == 200
    assert {part.label for name, part in parts.items() if "_019_" in name} == {1}
    assert all(part.mask.sum() == 0 for part in parts.values() if part.label == 0)


def test_defect_within_the_margin_is_told(aitex):
    with pytest.warns(UserWarning, match=r"0001_019_00\.png: its defect lies left of column 224, where tiles begin"):
        module(aitex, "test", starts={"00": 224})


@pytest.mark.filterwarnings("ignore:.*mask")
def test_groups_are_filtered(aitex):
    data = module(aitex, groups=["01"])
    assert {name[-2:] for names in data.split_manifest()["splits"].values() for name in names} == {"01"}
    with pytest.raises(InputError, match=r"data\.groups: 09 not found.*there are 00, 01"):
        module(aitex, groups=["01", "09"])


def test_a_group_without_defective_pictures_can_be_used_alone(aitex, tmp_path):
    for number in range(4):
        write(tmp_path / f"NODefect_images/{number:04d}_000_00.png", strip("00", number))
        write(tmp_path / f"NODefect_images/{number:04d}_000_01.png", strip("01", number))
    write(tmp_path / "Defect_images/0001_019_00.png", strip("00", 100))
    data = module(tmp_path, groups=["01"])
    assert {name[-2:] for names in data.split_manifest()["splits"].values() for name in names} == {"01"}


@pytest.mark.filterwarnings("ignore:.*mask", "ignore:.*its defect lies left")
def test_a_test_of_parts_that_begin_elsewhere_is_refused(data, aitex):
    other = module(aitex, "test", starts={"00": 224})
    other.load_state_dict(data.state_dict())
    with pytest.raises(InputError, match=r"begin at \{'00': 224\} here and began at \{'00': 64\} .*--data\.starts"):
        other.test_dataloader()


def test_a_checkpoint_of_pictures_equalised_otherwise_is_refused(data, tmp_path):
    write(tmp_path / "new" / "0500_000_00.png", strip("00", 1))
    state = data.state_dict()
    with pytest.raises(InputError, match=r"data\.clahe is 2\.0, but the checkpoint .* give --data\.clahe 0\.0"):
        module(tmp_path / "new", "predict", clahe=2.0).load_state_dict(state)
    del state["clahe"]  # as older checkpoints do
    module(tmp_path / "new", "predict", clahe=2.0).load_state_dict(state)


def test_pictures_of_no_known_group_are_named(data, tmp_path):
    write(tmp_path / "new" / "roll7.png", strip("00", 1))
    other = module(tmp_path / "new", "predict")
    other.load_state_dict(data.state_dict())
    with pytest.warns(UserWarning, match=r"roll7\.png: nothing tells which of 00, 01 .*0001_000_03"):
        other.predict_dataloader()


def test_prediction_uses_the_starts_of_the_checkpoint(data, aitex, tmp_path):
    state = data.state_dict()
    assert (state["starts"], state["layout"]) == ({"00": 64, "01": 0}, "AITEX")
    write(tmp_path / "new" / "0500_000_00.png", strip("01", 1)[:, :300])  # without a margin of its own
    other = module(tmp_path / "new", "predict")
    other.load_state_dict(state)
    (part,) = other.predict_dataloader()
    assert (part.name, part.group, part.start, part.label, part.defect, part.mask) == (
        *("0500_000_00", "00", 64, -1, "unknown", None),
    )
    alone = module(tmp_path / "new", "predict")
    assert [part.start for part in alone.predict_dataloader()] == [0]
    given = module(tmp_path / "new", "predict", starts={"00": 96})
    given.load_state_dict(state)
    assert [part.start for part in given.predict_dataloader()] == [96]


@pytest.mark.filterwarnings("ignore:.*mask")
def test_a_test_never_shows_what_the_checkpoint_learned_from(data, aitex):
    splits, state = data.split_manifest()["splits"], data.state_dict()
    assert sorted(state["trained"].values()) == sorted(splits["train"])
    assert sorted(state["validated"].values()) == sorted(splits["validation"])
    same, other = module(aitex, "test"), module(aitex, "test", split_seed=1)
    for tested in (same, other):
        tested.load_state_dict(state)
    assert len(same.test_dataloader()) == 11
    with pytest.raises(InputError, match=r"\d{4}_000_0\d\.png and \d+ more .* already learned from.*data\.split_seed"):
        other.test_dataloader()
    # a run that goes on with other splits learned from those of both
    later = other.state_dict()
    assert set(later["trained"]) > set(state["trained"])
    assert set(later["validated"]) > set(state["validated"])


def test_a_name_like_those_of_aitex_tells_nothing_where_other_parts_were_learned(tmp_path):
    write(tmp_path / "new" / "0500_000_00.png", strip("00", 1))
    learned = {"starts": {"part": 0}, "pictures": {}}
    for layout, expected in (("MVTec AD", ("part", 0)), (None, ("00", 64))):
        data = module(tmp_path / "new", "predict")
        data.load_state_dict(learned | {"layout": layout})
        assert [(part.group, part.start) for part in data.predict_dataloader()] == [expected]


def test_a_strip_too_narrow_for_the_start_is_skipped(aitex, tmp_path):
    root = tmp_path / "aitex"
    for path in (aitex / "NoDefect_images").rglob("*_000_00.png"):
        write(root / "NoDefect_images" / path.name, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    write(root / "NoDefect_images/0900_000_00.png", strip("00", 900)[:, :90])
    with pytest.raises(InputError, match=r"0900_000_00\.png: is 90 columns wide.*\n.*on_bad_file: skip"):
        module(root)
    with pytest.warns(UserWarning, match=r"left out: .*0900_000_00\.png: is 90 columns"):
        splits = module(root, on_bad_file="skip").split_manifest()["splits"]
    assert sum(map(len, splits.values())) == 20
    predicted = module(root / "NoDefect_images/0900_000_00.png", "predict", starts={"00": 64}, on_bad_file="skip")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(InputError, match=r"all 1 pictures in .* were left out"),
    ):
        predicted.predict_dataloader()


def test_nothing_left_to_learn_from_is_told(tmp_path):
    for number in range(4):
        write(tmp_path / f"set/good/{number}.png", strip("01", number)[:16])
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(InputError, match=r"all faultless pictures in .* were left out"),
    ):
        module(tmp_path / "set", on_bad_file="skip")


class Watcher(LightningModule):
    """Learns nothing and notes what it is shown in prediction."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.shown = []

    def training_step(self, batch, _):
        return (self.weight * batch.images.float().mean()).sum()

    def predict_step(self, batch, _):
        self.shown.append((batch.name, batch.start))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-6)


@pytest.mark.filterwarnings("ignore")
def test_checkpoint_carries_the_starts_to_prediction(aitex, tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    options = {"tile_size": TILE, "train_stride": TILE, "batch_size": 8}
    trainer = Trainer(max_epochs=1, limit_train_batches=1, default_root_dir=tmp_path, **quiet)
    trainer.fit(Watcher(), datamodule=AitexDataModule(str(aitex), **options))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    for number in (500, 501):
        write(tmp_path / f"new/0{number}_000_00.png", strip("01", number))
    watcher = Watcher()
    data = AitexDataModule(str(tmp_path / "new"), **options)
    Trainer(**quiet).predict(watcher, datamodule=data, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert watcher.shown == [("0500_000_00", 64), ("0501_000_00", 64)]


def test_prediction_of_other_pictures_begins_at_their_left_edge(tmp_path):
    write(tmp_path / "a" / "x.png", strip("00", 0))
    (part,) = module(tmp_path / "a", "predict").predict_dataloader()
    assert (part.group, part.start) == ("unknown", 0)


def mvtec(root):
    random = np.random.default_rng(0)
    for name in (*(f"train/good/{n}" for n in range(5)), "test/good/0", "test/good/1", "test/hole/0"):
        write(root / f"{name}.png", random.integers(0, 256, (96, 100, 3), np.uint8))
    mask = np.zeros((96, 100), np.uint8)
    mask[3:5, 3:5] = 255
    write(root / "ground_truth/hole/0_mask.png", mask)
    return root


def test_mvtec_layout_keeps_its_own_test(tmp_path):
    data = module(mvtec(tmp_path / "part"), channels=3)
    splits = data.split_manifest()["splits"]
    assert (len(splits["train"]), len(splits["validation"])) == (4, 1)
    assert splits["test"] == ["test/good/0", "test/good/1", "test/hole/0"]
    assert data.starts == {"part": 0}
    assert epoch(data)[0].images.shape == (8, 3, TILE, TILE)
    assert [int(part.mask.sum()) for part in data.test_dataloader()] == [0, 0, 4]


def test_it_is_known_whether_there_are_pictures_for_the_test(tmp_path):
    root = mvtec(tmp_path / "part")
    assert module(root, channels=3).can_test
    for path in root.glob("test/*/*.png"):
        path.unlink()
    assert not module(root, channels=3).can_test


def test_same_picture_in_two_splits_is_refused(tmp_path):
    root = mvtec(tmp_path / "part")
    write(root / "test/good/copy.png", cv2.imread(str(root / "train/good/0.png")))
    with pytest.raises(InputError, match=r"train/good/0\.png .* and .*test/good/copy\.png .*same picture"):
        module(root, channels=3)


def test_no_groups_at_all_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"data\.groups: is \[\], which leaves nothing"):
        AitexDataModule(str(tmp_path), groups=[])


def test_too_few_pictures_are_told(tmp_path):
    for number in range(2):
        write(tmp_path / f"set/good/{number}.png", strip("01", number))
    with pytest.raises(InputError, match="of 2 faultless pictures of set, 1 would be held out for the test and 1 for"):
        module(tmp_path / "set")


@pytest.mark.filterwarnings("ignore:.*mask")
def test_batch_larger_than_the_data(aitex):
    data = AitexDataModule(str(aitex), tile_size=TILE, train_stride=TILE, batch_size=5000)
    data.setup("fit")
    with pytest.raises(InputError, match=r"data\.batch_size: is 5000, each process gets only \d+ tiles"):
        data.train_dataloader()


@pytest.mark.parametrize(
    ("key", "value"),
    [("tile_size", 8), ("train_stride", 0), ("validation_fraction", 1.0), ("test_fraction", 0.0), ("clahe", -1.0)],
)
def test_arguments_out_of_range(key, value):
    with pytest.raises(InputError, match=rf"data\.{key}: is {value}"):
        AitexDataModule(**{key: value})


def test_missing_source(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        module(tmp_path / "nowhere")


def test_origins_cover_everything():
    for length, start, tile, stride in (
        (4096, 1280, 256, 256),
        (3796, 512, 256, 128),
        (256, 0, 256, 64),
        (300, 20, 64, 64),
    ):
        origins = tile_origins(length, start, tile, stride)
        assert origins[0] == start
        assert origins[-1] == length - tile
        assert origins == sorted(set(origins))
        assert max(np.diff([*origins, length - tile])) <= stride
