"""Scores of videos from Python are those of the command, whatever form the video has."""

import csv
from itertools import islice

import numpy as np
import pytest
import torch

import fulgurite
from callbacks.clips.events import COLUMNS
from callbacks.clips.overlay import Overlay
from callbacks.file_names import cell
from datamodules.errors import InputError
from datamodules.media import read_frames
from tests.docs.small_worlds import FRAMES, video


@pytest.fixture(scope="module")
def world(trained, tmp_path_factory):
    """A run, a video of an odd shape that is anomalous in its second half, and its frames."""
    run, path = trained("vta_gan"), tmp_path_factory.mktemp("video") / "today.mp4"
    video(path, seed=3, jumps=True)
    return run, path, np.stack([*read_frames(path)])


@pytest.fixture(scope="module")
def model(world):
    return fulgurite.load(world[0], settings={"data.eval_stride": 2})


@pytest.fixture(scope="module")
def scored(model, world):
    return model.score(world[1], heat=True)


def test_scores_and_heat_are_those_of_the_command(world, scored, predict, monkeypatch):
    run, path, frames = world
    drawn, draw = [], Overlay.draw
    monkeypatch.setattr(Overlay, "draw", lambda self, *given: drawn.append(given) or draw(self, *given))
    with (predict(run, path, "--data.eval_stride", "2") / "today/scores.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["score"] for row in rows] == [str(cell(value)) for value in scored.score]
    assert [int(row["anomalous"]) for row in rows] == scored.anomalous.tolist()
    assert [row["time"] for row in rows] == [f"{time:.3f}" for time in scored.time]
    assert len(set(scored.score)) > 3
    with (run / "predictions/today/events.csv").open() as file:
        events = [*csv.DictReader(file)]
    assert events
    assert [[row[name] for name in COLUMNS] for row in events] == [
        [str(cell(value)) for value in event.row()] for event in scored.events()
    ]
    assert (scored.name, scored.fps, scored.frame_size) == ("today", 25.0, frames.shape[1:3])
    for number, (frame, score, heat, size, region) in enumerate(drawn):
        np.testing.assert_array_equal(frame, frames[number])
        assert (score, size, region) == (scored.score[number], scored.size, scored.region)
        np.testing.assert_array_equal(heat, scored.heat[number])
    assert len(drawn) == len(scored) == FRAMES
    assert len(scored.events(shortest=0.08)) <= len(scored.events())
    assert scored.heat_on_frame(3).shape == scored.frame_size
    assert scored.heat_on_frame(3).max() <= scored.heat[3].max()


@pytest.mark.parametrize(
    "form",
    [
        lambda frames: frames,
        lambda frames: torch.from_numpy(frames).permute(0, 3, 1, 2),
        lambda frames: (frame for frame in frames),
        lambda frames: [torch.from_numpy(frame).permute(2, 0, 1) for frame in frames],
    ],
    ids=["numpy", "torch", "generator", "list of tensors"],
)
def test_frames_in_memory_score_like_their_file(form, model, world, scored):
    given = model.score(form(world[2]), fps=25.0)
    np.testing.assert_array_equal(given.score, scored.score)
    assert given.heat is None
    assert (given.name, given.fps, given.region) == ("frames", 25.0, scored.region)


def test_a_stream_gives_the_same_and_reads_no_more_than_it_needs(world, scored):
    model = fulgurite.load(world[0], settings={"data.eval_stride": 2, "data.eval_batch_size": 1})
    read = []
    stream = model.stream((read.append(0) or frame for frame in world[2]), fps=10)
    first = next(stream)
    assert len(read) <= model.data.num_frames + 4
    every = [first, *stream]
    assert [one.frame for one in every] == [*range(FRAMES)]
    np.testing.assert_allclose([one.score for one in every], scored.score, rtol=1e-5)  # other batches, other rounding
    assert [one.anomalous for one in every] == scored.anomalous.tolist()
    assert every[5].time == 0.5


@pytest.mark.slow
def test_grey_frames_are_grey_pictures(model, world):
    grey = world[2].mean(3).astype(np.uint8)
    np.testing.assert_array_equal(model.score(grey).score, model.score(np.repeat(grey[..., None], 3, 3)).score)


@pytest.mark.slow
def test_a_folder_of_videos_one_after_another(model, world, scored, tmp_path):
    for number in range(2):
        video(tmp_path / f"{number}.mp4", seed=number)
    (tmp_path / "2.mp4").write_bytes(world[1].read_bytes())
    each = [*model.score_each(tmp_path)]
    assert [one.name for one in each] == ["0", "1", "2"]
    np.testing.assert_allclose(each[2].score, scored.score, rtol=1e-5)
    with pytest.raises(
        InputError, match=r"several videos are given \(0, 1, \.\.\.\), one is asked for; use score_each"
    ):
        model.score(tmp_path)
    named = [*model.score_each([tmp_path / "2.mp4", str(tmp_path / "0.mp4")])]
    assert [one.name for one in named] == ["2", "0"]
    np.testing.assert_array_equal(named[0].score, scored.score)


@pytest.mark.slow
def test_reconstructed_frames_are_the_mean_over_their_windows(model, world):
    shown = model.reconstruct(world[2])
    seen = world[2] if world[2].shape[1:3] == model.data.image_size else None
    assert seen is not None
    np.testing.assert_array_equal((255 * shown.picture).round().astype(np.uint8), seen)
    length, total, count = model.data.num_frames, np.zeros(shown.picture.shape), np.zeros(FRAMES)
    starts = sorted({*range(0, FRAMES - length + 1, 2), FRAMES - length})
    for start in starts:
        clip = torch.from_numpy(seen[start : start + length]).permute(0, 3, 1, 2)[None]
        with torch.no_grad():
            made = model.module(clip).reconstructed[0].permute(0, 2, 3, 1).numpy()
        total[start : start + length] += (made / 2 + 0.5).clip(0, 1)
        count[start : start + length] += 1
    np.testing.assert_allclose(shown.reconstructed, total / count[:, None, None, None], atol=1e-5)
    assert shown.psnr[4] == pytest.approx(
        -10 * np.log10(np.mean((shown.picture[4] - shown.reconstructed[4]) ** 2)), rel=1e-5
    )
    assert (shown.vector, shown.kl) == (None, None)


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (np.zeros((9, 64, 64, 3), np.float32), {}, "frame 0: float32 (64, 64, 3); give bytes: uint8 from 0 to 255"),
        (np.zeros((64, 64, 3), np.uint8), {}, "uint8 (64, 64, 3) is one picture; a video has all its frames"),
        (np.zeros((9, 64, 64, 4), np.uint8), {}, "frame 0: uint8 (64, 64, 4) is no picture; give uint8 RGB"),
        (torch.zeros(9, 64, 64, 3, dtype=torch.uint8), {}, "tensors have their channels first"),
        (np.zeros((2, 64, 64, 3), np.uint8), {}, "has 2 frames, a window of data.num_frames x data.frame_step needs 4"),
        (iter([]), {}, "frames: holds no frame"),
        ([np.zeros((8, 8, 3), np.uint8)] * 4 + [np.zeros((8, 9, 3), np.uint8)], {}, "frame 4 measures 9x8, the first"),
        ("nowhere.mp4", {}, "nowhere.mp4: there is no such file or folder"),
        ("rtsp://camera/1", {}, "rtsp://camera/1: is an address; name a file, or hand over what is there yourself"),
        (5, {}, "int is no picture"),
        (np.zeros((9, 64, 64, 3), np.uint8), {"group": "03"}, "group: is 03, and videos have none"),
    ],
)
def test_what_is_no_video_is_told_in_one_sentence(given, options, said, model):
    with pytest.raises(InputError) as told:
        model.score(given, **options)
    assert said in str(told.value)


def test_a_file_has_its_own_rate(model, world):
    with pytest.raises(InputError, match="fps: is 30, and a video file has its own rate"):
        next(islice(model.stream(world[1], fps=30), 1))
    with pytest.raises(ValueError, match="ask for it by score"):
        model.score(world[1]).heat_on_frame(0)
