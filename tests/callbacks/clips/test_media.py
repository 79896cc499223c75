import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import ClipMedia
from callbacks.heat import heat_colours
from callbacks.panels import panel, to_pictures, video_frames
from datamodules.batches import FrameScores, VideoBatch
from datamodules.errors import InputError
from datamodules.media import read_frames

T = 3


def batch_of(videos, anomalous):
    size = len(videos)
    frame = torch.arange(T).repeat(size, 1)
    label = torch.zeros(size, T, dtype=torch.long)
    label[torch.tensor(anomalous), 1] = 1
    return VideoBatch(
        frames=torch.full((size, T, 3, 16, 24), 100, dtype=torch.uint8),
        video=videos,
        frame=frame,
        label=label,
        region=torch.tensor([[0, 0, 16, 24]] * size),
        index=torch.arange(size),
    )


class Blind(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        if dataloader_idx == 0:
            return None
        score = batch.frame.float()
        return FrameScores(
            batch.video, batch.frame, batch.label, batch.index, score, score[..., None, None], batch.region
        )

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Shows(Blind):
    def __init__(self):
        super().__init__()
        self.shown = []

    def visuals(self, batch):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.shown.append([*zip(batch.video, batch.index.tolist(), strict=True)])
        frames = batch.frames.float() / 255
        return {"input": frames, "heat": frames.mean(2, keepdim=True)}


def run(folder, callback, epochs=1, **kwargs):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        max_epochs=epochs,
        **kwargs,
    )


def validation():
    calibration = DataLoader([batch_of(["train"], [True])], batch_size=None)
    judged = [
        batch_of(["a", "a", "b"], [False, False, False]),
        batch_of(["b", "c", "a", "d"], [True, False, True, True]),
    ]
    return [calibration, DataLoader(judged, batch_size=None)]


def fit(folder, model, callback, epochs=1, **kwargs):
    run(folder, callback, epochs, **kwargs).fit(model, DataLoader(torch.zeros(5, 1)), validation())


def test_shows_the_same_windows_every_time_anomalous_ones_first(tmp_path):
    model = Shows()
    fit(tmp_path, model, ClipMedia(windows=4), epochs=2)
    assert (
        model.shown == [[("b", 0), ("a", 2), ("b", 2), ("a", 0)]] * 2
    )  # two anomalous, of b and a, and two normal ones
    names = sorted(path.name for path in (tmp_path / "media").iterdir())
    assert names == [f"batch-{batches:07d}.{kind}" for batches in (5, 10) for kind in ("mp4", "png")]
    picture = cv2.imread(str(tmp_path / "media/batch-0000005.png"))
    assert picture.shape == (4 * 2 * (18 + 96 + 2) + 34, T * (144 + 2), 3)  # with a bar of the heat's colours
    frames = list(read_frames(tmp_path / "media/batch-0000005.mp4"))
    assert len(frames) == T
    assert frames[0].shape[:2] == (18 + 4 * (96 + 2) + 34, 2 * (144 + 2))


class Attends(Shows):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def attention(self, batch):
        assert not self.training
        assert not torch.is_grad_enabled()
        return torch.eye(T).expand(len(batch), self.layers, T, T)


@pytest.mark.parametrize("layers", [1, 0])
def test_attention_is_shown_where_there_is_some(layers, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr("callbacks.media.show", lambda trainer, name, file: sent.append((name, file.name)))
    callback, model = ClipMedia(windows=2), Attends(layers)
    fit(tmp_path, model, callback)
    shown = ["batch-0000005.png", "batch-0000005.mp4", *["attention-0000005.png"] * layers]
    assert [file for _, file in sent] == shown
    assert [name for name, _ in sent] == callback.media_names(model)[: len(shown)]
    if layers:  # the diagonal is bright, the rest dark
        picture = cv2.imread(str(tmp_path / "media/attention-0000005.png"))
        assert picture.std() > 20


def test_keeps_a_bounded_number_of_files(tmp_path):
    fit(tmp_path, Shows(), ClipMedia(windows=1, keep=2), epochs=4)
    names = sorted(path.name for path in (tmp_path / "media").glob("*.png"))
    assert names == ["batch-0000015.png", "batch-0000020.png"]


def test_validate_names_its_files_by_the_batches_of_the_weights(tmp_path):
    fit(tmp_path, Shows(), ClipMedia(windows=1, keep=1))
    model = Shows()
    model.batches_seen = 3
    run(tmp_path, ClipMedia(windows=1, keep=1)).validate(model, validation(), verbose=False)
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == ["batch-0000003.mp4", "batch-0000003.png"]


def test_a_dry_run_leaves_no_files(tmp_path):
    fit(tmp_path, Shows(), ClipMedia(windows=1), fast_dev_run=2)
    assert not list(tmp_path.iterdir())


def test_every_second_validation(tmp_path):
    model = Shows()
    fit(tmp_path, model, ClipMedia(windows=1, every_n_validations=2), epochs=3)
    assert len(model.shown) == 2


def test_of_a_model_without_visuals_input_and_heat_are_shown(tmp_path):
    model = Blind()
    model.threshold = torch.tensor(1.0)
    fit(tmp_path, model, ClipMedia(windows=1))
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / "media/batch-0000005.png")), cv2.COLOR_BGR2RGB)
    assert picture.shape == (2 * (18 + 96 + 2) + 34, T * (144 + 2), 3)
    heats = [picture[18 + 98 + 60, 146 * step + 70] for step in range(T)]
    # the heat of frame n is n, on a scale from 0 to twice the threshold
    expected = heat_colours(np.array([[0, 128, 255]], np.uint8))[0]
    np.testing.assert_array_equal(heats, expected)
    np.testing.assert_array_equal(picture[18 + 50, 70], [100, 100, 100])


def test_refuses_senseless_numbers():
    with pytest.raises(InputError, match="windows is 0"):
        ClipMedia(windows=0)


def test_pictures_have_the_values_of_the_clips():
    clip = torch.rand(2, T, 3, 100, 120, generator=torch.Generator().manual_seed(0))
    grey = torch.tensor([0.0, 0.5, 1.0, 2.0]).view(1, 1, 1, 2, 2).expand(2, T, 1, 2, 2)
    pictures = to_pictures({"input": clip, "heat": grey})
    np.testing.assert_array_equal(pictures["input"], (clip * 255).round().byte().movedim(2, -1).numpy())
    heat = pictures["heat"][0, 0]
    assert heat.shape == (96, 96, 3)
    assert heat[0, 0].sum() < 20  # black
    assert heat[-1, 0].sum() > 500  # bright
    np.testing.assert_array_equal(heat[-1, 0], heat[-1, -1])  # cut at 1
    assert heat[0, -1, 0] > heat[0, -1, 2]  # red rather than blue
    assert (heat[:48, :48] == heat[0, 0]).all()  # enlarged pixel by pixel


def test_panel_and_film_put_every_frame_in_its_place():
    clip = np.arange(2 * T, dtype=np.uint8).reshape(2, T, 1, 1, 1) * np.ones((1, 1, 96, 96, 3), np.uint8)
    clips = {"one": clip, "two": 100 + clip}
    picture = panel(clips, ["first", "second"])
    for row, (window, offset) in enumerate([(0, 0), (0, 100), (1, 0), (1, 100)]):
        for step in range(T):
            place = picture[row * 116 + 60, step * 98 + 40]
            assert (place == offset + window * T + step).all()
    frames = list(video_frames(clips))
    assert len(frames) == T
    for step, frame in enumerate(frames):
        assert (frame[60, 40] == step).all()
        assert (frame[60, 98 + 40] == 100 + step).all()
        assert (frame[98 + 60, 40] == T + step).all()
