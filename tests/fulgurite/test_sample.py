import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import LightningModule
from painters import SIZE, TinyPainter
from PIL import Image

from fulgurite.cli import main


@pytest.fixture
def train(experiment):
    """Train the named painter, and return its run folder."""

    def run(kind: str = "TinyPainter", **given: float) -> Path:
        config = yaml.safe_load(Path(experiment).read_text())
        config["trust"].append("painters")
        config["model"] = {"class_path": kind, "init_args": given}
        # callbacks of an experiment wait for data; they must not disturb
        config["trainer"]["callbacks"] = [{"class_path": "ImagePredictions"}, {"class_path": "ImageMetrics"}]
        Path(experiment).write_text(yaml.safe_dump(config))
        main(["fit", "--config", experiment])
        return Path("runs/tiny/latest").resolve()

    return run


def sample(*words: str) -> None:
    main(["sample", "--config", "tiny.yaml", *words])


def pictures(folder: Path) -> list[np.ndarray]:
    files = sorted(path for path in folder.glob("*.png") if path.stem.isdigit())
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in files]


@pytest.mark.parametrize("decay", [0.0, 0.99])
def test_samples_are_those_of_the_checkpoint_and_its_average(train, decay, capsys):
    run = train(ema_decay=decay)
    sample("--ckpt_path", "last", "--count", "20", "--seed", "3")
    folder = run / "samples/seed-3"
    drawn, z = pictures(folder), np.load(folder / "latents.npy")
    assert len(drawn) == 20
    assert z.shape == (20, 3)
    checkpoint = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    live = checkpoint["state_dict"]["brush.weight"]
    weight = checkpoint["weight_average"]["average"]["brush.weight"] if decay else live
    assert not decay or abs(float(weight - live)) > 0.05
    expected = torch.sigmoid(weight * torch.tensor(z[:, :1])) * 255
    for picture, value in zip(drawn, expected, strict=True):
        assert picture.shape == (SIZE, SIZE)  # grey stays grey
        assert (picture == round(float(value))).all()
    sheet = cv2.imread(str(folder / "sheet.png"))
    assert sheet.shape == (3 * (18 + SIZE + 2), 8 * (SIZE + 2), 3)
    assert f"Samples: {os.path.relpath(folder)}\n" in capsys.readouterr().out
    assert not (run / "predictions").exists()


def test_a_sample_depends_on_the_seed_and_its_number_alone(train):
    train()
    sample("--ckpt_path", "best", "--count", "3", "--output", "few")
    sample("--ckpt_path", "best", "--count", "18", "--output", "many", "--seed_everything", "7")
    sample("--ckpt_path", "best", "--count", "3", "--output", "others", "--seed", "2")
    few, many, others = (np.load(f"{name}/latents.npy") for name in ("few", "many", "others"))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.isclose(few, others).any()
    assert Path("few/0002.png").read_bytes() == Path("many/0002.png").read_bytes()
    assert len({row.tobytes() for row in many}) == 18


def test_samples_are_drawn_from_where_the_model_or_the_user_says(train, capsys):
    train("Chooser")
    sample("--ckpt_path", "last", "--count", "3", "--output", "own")
    sample("--ckpt_path", "last", "--count", "3", "--output", "prior", "--sampler", "prior")
    own, prior = np.load("own/latents.npy"), np.load("prior/latents.npy")
    np.testing.assert_array_equal(own, 2 * prior)
    assert Path("own/0000.png").read_bytes() != Path("prior/0000.png").read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        sample("--ckpt_path", "last", "--sampler", "mixture")
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: --sampler mixture: Chooser draws from prior | far\n"


def test_clips_of_a_model_that_makes_them(train):
    run = train("Filmer")
    sample("--ckpt_path", "last", "--count", "2")
    folder = run / "samples/seed-1"
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"{number:04d}.{kind}" for number in range(2) for kind in ("gif", "mp4", "png")),
        "latents.npy",
        "sheet.png",
    ]
    with av.open(str(folder / "0001.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 3
    with Image.open(folder / "0001.gif") as film:
        assert film.n_frames == 3


def test_the_same_call_writes_the_same_bytes_and_leaves_nothing_of_others(train):
    train("Filmer")
    sample("--ckpt_path", "last", "--count", "5", "--output", "drawn")
    Path("drawn/notes.txt").touch()
    sample("--ckpt_path", "last", "--count", "2", "--output", "drawn")
    assert not Path("drawn/0002.mp4").exists()
    assert Path("drawn/notes.txt").exists()
    sample("--ckpt_path", "last", "--count", "2", "--output", "again")
    names = sorted(path.name for path in Path("again").iterdir())
    assert len(names) == 8
    for name in names:
        assert (Path("again") / name).read_bytes() == (Path("drawn") / name).read_bytes(), name


def test_pictures_of_another_kind_are_not_removed(train, capsys):
    train()
    Path("holiday").mkdir()
    Path("holiday/0001.png").touch()
    with pytest.raises(SystemExit):
        sample("--ckpt_path", "last", "--output", "holiday")
    assert "--output holiday: holds 0001.png, which is no sample" in capsys.readouterr().err
    assert [path.name for path in Path("holiday").iterdir()] == ["0001.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--ckpt_path: not given. lightning sample works with a trained model"),
        (["--ckpt_path", "no.ckpt"], "there is no such file"),
        (["--ckpt_path", "last", "--count", "0"], "--count 0: give at least 1"),
        (["--ckpt_path", "last", "--count", "many"], "count = many: expected a whole number"),
        (["--ckpt_path", "last", "--cuont", "4"], "Did you mean 'count'?"),
    ],
)
def test_mistakes_are_told_in_one_sentence(train, words, said, capsys):
    train()
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        sample(*words)
    told = capsys.readouterr().err
    assert end.value.code == 2
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("decay", [0.0, 0.99])
def test_weights_that_are_no_numbers_are_refused(train, decay, capsys):
    run = train(ema_decay=decay)
    path = run / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    weights = checkpoint["weight_average"]["average"] if decay else checkpoint["state_dict"]
    weights["brush.weight"].fill_(float("nan"))
    torch.save(checkpoint, path)
    with pytest.raises(SystemExit) as end:
        sample("--ckpt_path", "last")
    assert end.value.code == 2
    assert "brush.weight holds values that are not finite" in capsys.readouterr().err
    assert not (run / "samples").exists()


def test_a_model_without_decoder_is_named(fit, capsys):
    fit()
    with pytest.raises(SystemExit) as end:
        sample("--ckpt_path", "last")
    assert end.value.code == 2
    assert "model: TinyModel draws no samples" in capsys.readouterr().err


def test_nothing_is_said_about_the_callbacks_of_the_training(train, recwarn):
    train()
    recwarn.clear()
    sample("--ckpt_path", "last", "--count", "1")
    assert [str(one.message) for one in recwarn if "callbacks" in str(one.message)] == []


def test_the_checkpoint_has_to_fit(train, capsys):
    run = train()
    path = run / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["brush.more"] = torch.zeros(1)
    torch.save(checkpoint, path)
    with pytest.raises(SystemExit) as end:
        sample("--ckpt_path", "last")
    assert end.value.code == 2
    assert "brush.more" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_precision_is_that_of_the_trainer(train, precision):
    train()
    sample("--ckpt_path", "last", "--count", "2", "--output", "exact")
    sample("--ckpt_path", "last", "--count", "2", "--output", "drawn", "--trainer.precision", precision)
    for one, other in zip(pictures(Path("exact")), pictures(Path("drawn")), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2


def test_help_lists_its_options(capsys):
    with pytest.raises(SystemExit) as end:
        main(["sample", "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert all(option in said for option in ("--count", "--seed ", "--output", "--ckpt_path"))
    assert "Draw new pictures" in said


def test_is_a_lightning_module():
    assert issubclass(TinyPainter, LightningModule)
