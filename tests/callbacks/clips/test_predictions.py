import csv
import errno
import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader, IterableDataset

from callbacks import ClipPredictions
from callbacks.clips.overlay import Overlay
from datamodules.atomic_file import DiskError
from datamodules.batches import FrameScores, VideoBatch
from datamodules.errors import InputError
from datamodules.media import VideoWriter, read_frames

LENGTH = 4


@dataclass
class Source:
    name: str
    path: Path
    fps: float
    frames: int
    bit_range: tuple[int, int] | None = None


def score_of(video, frame):
    """Raw score 0 to 2 that a frame gets from every window."""
    return (frame.float() % 10) / 5 + (0.01 if video == "b" else 0.0)


class Scorer(LightningModule):
    def __init__(self, threshold=1.0):
        super().__init__()
        self.register_buffer("threshold", torch.tensor(threshold))

    def predict_step(self, batch, batch_idx):
        score = torch.stack([score_of(name, frame) for name, frame in zip(batch.video, batch.frame, strict=True)])
        heat = torch.zeros(*score.shape, 8, 8)
        heat[..., 2:4, 2:4] = score[..., None, None]
        return FrameScores(batch.video, batch.frame, batch.label, batch.index, score, heat, batch.region)


class Videos(LightningDataModule):
    def __init__(self, sources, batches):
        super().__init__()
        self.predict_sources, self.batches = sources, batches

    def predict_dataloader(self):
        return DataLoader(self.batches, batch_size=None)


def write_video(path, frames, size=(54, 96), fps=12.5):
    with VideoWriter(path, fps, size) as video:
        for number in range(frames):
            video.write(np.full((*size, 3), 60 + number, np.uint8))
    return path


def windows_of(sources, batch_size=3):
    rows = [
        (source.name, torch.arange(start, start + LENGTH))
        for source in sources
        for start in range(source.frames - LENGTH + 1)
    ]
    for first in range(0, len(rows), batch_size):
        part = rows[first : first + batch_size]
        frame = torch.stack([numbers for _, numbers in part])
        yield VideoBatch(
            frames=torch.zeros(len(part), LENGTH, 3, 32, 32, dtype=torch.uint8),
            video=[name for name, _ in part],
            frame=frame,
            label=torch.full_like(frame, -1),
            region=torch.tensor([[7, 0, 18, 32]] * len(part)),
            index=torch.arange(first, first + len(part)),
        )


@pytest.fixture
def sources(tmp_path):
    return [
        Source(name, write_video(tmp_path / f"{name}.mp4", frames), 12.5, frames)
        for name, frames in (("a", 23), ("b", 7))
    ]


def predict(folder, sources, batches=None, threshold=1.0, overlay=True, events=None, **kwargs):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        callbacks=[ClipPredictions(overlay=overlay, **(events or {}))],
        **kwargs,
    )
    data = Videos(sources, list(batches if batches is not None else windows_of(sources)))
    run.predict(Scorer(threshold), data, return_predictions=False)
    return folder / "predictions"


def test_writes_table_timeline_and_film_of_every_video(tmp_path, sources):
    folder = predict(tmp_path, sources)
    for source in sources:
        rows = list(csv.DictReader((folder / source.name / "scores.csv").open()))
        assert list(rows[0]) == ["name", "frame", "time", "score", "anomalous"]
        assert [int(row["frame"]) for row in rows] == list(range(source.frames))
        expected = score_of(source.name, torch.arange(source.frames))
        np.testing.assert_allclose([float(row["score"]) for row in rows], expected, atol=1e-6)
        assert [row["anomalous"] == "1" for row in rows] == (expected > 1.0).tolist()
        assert float(rows[-1]["time"]) == pytest.approx((source.frames - 1) / 12.5, abs=1e-3)
        assert {row["name"] for row in rows} == {source.name}
        assert cv2.imread(str(folder / source.name / "timeline.png")).shape[1] > 1000
        with av.open(str(folder / source.name / "overlay.mp4")) as film:
            stream = film.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.height, stream.width, stream.average_rate) == (54, 96, 12.5)
            assert sum(1 for _ in film.decode(video=0)) == source.frames
    assert sorted(path.name for path in (folder / "a").iterdir()) == [
        "about.json",
        "events.csv",
        "overlay.mp4",
        "scores.csv",
        "timeline.png",
    ]


@pytest.mark.parametrize(
    ("events", "spans"),
    [
        ({}, [(6, 19, 9)]),  # 7 frames or 0.56 seconds lie between both
        ({"gap": 0.5}, [(6, 9, 9), (16, 19, 19)]),
        ({"gap": 0.0, "shortest": 0.3}, []),
        ({"gap": 0.5, "release": 0.3}, [(6, 9, 9), (16, 19, 19)]),
        ({"gap": 0.5, "release": "100%"}, [(6, 9, 9), (16, 19, 19)]),
    ],
)
def test_writes_the_events_of_a_video(tmp_path, sources, events, spans):
    folder = predict(tmp_path, sources[:1], overlay=False, events=events)
    rows = list(csv.DictReader((folder / "a/events.csv").open()))
    assert [(int(row["first_frame"]), int(row["last_frame"]), int(row["peak_frame"])) for row in rows] == spans
    for row, (first, last, peak) in zip(rows, spans, strict=True):
        assert [row["name"], row["start"], row["end"]] == ["a", f"{first / 12.5:.3f}", f"{last / 12.5:.3f}"]
        assert float(row["peak_score"]) == pytest.approx(float(score_of("a", torch.tensor(peak))), abs=1e-6)


def test_events_out_of_range_are_refused_before_anything_is_read():
    with pytest.raises(InputError, match="release = often"):
        ClipPredictions(release="often")
    with pytest.raises(InputError, match="gap = -1"):
        ClipPredictions(gap=-1)


def test_the_border_is_red_where_the_score_is_above_the_threshold(tmp_path, sources):
    folder = predict(tmp_path, sources[:1])
    for number, frame in enumerate(read_frames(folder / "a" / "overlay.mp4")):
        red = frame[27, :2, 0].astype(int).mean() - frame[27, :2, 2].astype(int).mean()
        assert (red > 80) == bool(score_of("a", torch.tensor(number)) > 1.0)


@pytest.mark.parametrize("overlay", [True, False])
def test_without_a_threshold_nothing_is_called_anomalous(tmp_path, sources, overlay):
    folder = predict(tmp_path, sources, threshold=float("nan"), overlay=overlay)
    assert (folder / "a/scores.csv").read_text().splitlines()[0] == "name,frame,time,score"
    assert not (folder / "a/events.csv").exists()
    assert (folder / "a/overlay.mp4").exists() == overlay
    assert (folder / "a/timeline.png").exists()


def test_refuses_videos_that_do_not_fit_their_scores(tmp_path, sources):
    short, long = Source("a", sources[0].path, 12.5, 20), Source("a", sources[0].path, 12.5, 26)
    with pytest.raises(RuntimeError, match=r"a\.mp4 has more than the 20 frames that were scored"):
        predict(tmp_path, [short])
    with pytest.raises(RuntimeError, match=r"a\.mp4 ends before frame 23, which was scored"):
        predict(tmp_path, [long])
    with pytest.raises(RuntimeError, match="windows of 'b' come twice, or belong to no source"):
        predict(tmp_path, sources[:1], windows_of(sources))
    with pytest.raises(RuntimeError, match="no window came of b"):
        predict(tmp_path, sources, windows_of(sources[:1]))
    with pytest.raises(RuntimeError, match="windows of 'a' come twice"):
        predict(tmp_path, sources, [*windows_of(sources), *windows_of(sources)])
    with pytest.raises(TypeError, match="NoneType has no predict_sources"):
        Trainer(accelerator="cpu", logger=False, callbacks=[ClipPredictions()]).predict(
            Scorer(), DataLoader(list(windows_of(sources)), batch_size=None)
        )


def test_an_error_on_the_way_leaves_no_half_written_file(tmp_path, sources):
    def stops():
        yield from list(windows_of(sources))[:3]
        raise OSError("the camera is gone")

    class Streaming(Videos):
        def predict_dataloader(self):
            return DataLoader(Stops(), batch_size=None)

    class Stops(IterableDataset):
        def __iter__(self):
            return stops()

    run = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, callbacks=[ClipPredictions()])
    with pytest.raises(OSError, match="camera"):
        run.predict(Scorer(), Streaming(sources, None), return_predictions=False)
    assert list((tmp_path / "predictions").iterdir()) == []


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_leaves_a_core_to_the_others_until_the_end(tmp_path, sources, monkeypatch, fails):
    def step(self, batch, batch_idx):
        seen.append(torch.get_num_threads())
        assert not fails, "the network fails"
        return plain(self, batch, batch_idx)

    seen, before, plain = [], torch.get_num_threads(), Scorer.predict_step
    monkeypatch.setattr(Scorer, "predict_step", step)
    torch.set_num_threads(3)
    try:
        with pytest.raises(AssertionError, match="the network fails") if fails else nullcontext():
            predict(tmp_path, sources)
        assert set(seen) == {2}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_threads_write_the_same_bytes_as_one_after_the_other(tmp_path, sources, monkeypatch):
    class AtOnce:
        def __init__(self, room):
            pass

        def do(self, work):
            work()

        def finish(self):
            pass

    def files(folder):
        found = {path.relative_to(folder): path.read_bytes() for path in folder.glob("*/*") if path.suffix != ".json"}
        return found | {path: [*read_frames(folder / path)] for path in found if path.suffix == ".mp4"}

    threaded = files(predict(tmp_path / "threaded", sources))
    monkeypatch.setattr("callbacks.streamed_writer.Behind", AtOnce)
    monkeypatch.setattr("callbacks.clips.predictions.ahead", lambda stream, room: iter(stream))
    plain = files(predict(tmp_path / "plain", sources))
    assert len(plain) == 8
    assert threaded.keys() == plain.keys()
    for path, content in plain.items():
        np.testing.assert_array_equal(threaded[path], content)


def running():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("ahead", "behind"))]


@pytest.mark.parametrize("batches", [1, 6])
def test_a_disk_that_is_full_ends_the_prediction_with_its_own_words(tmp_path, sources, monkeypatch, batches):
    def full(self, frame):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoWriter, "write", full)
    with pytest.raises(DiskError, match=r"overlay\.mp4 cannot be written: No space left on device"):
        predict(tmp_path, sources[:1], list(windows_of(sources[:1]))[:batches])
    assert not running()
    assert not (tmp_path / "predictions/a").exists()


def test_a_video_that_was_scored_before_an_error_is_whole(tmp_path, sources, monkeypatch):
    class Fails(Scorer):
        def predict_step(self, batch, batch_idx):
            if batch_idx == 7:  # the one before had the last window of a and the first of b
                raise InputError("no more")
            return super().predict_step(batch, batch_idx)

    monkeypatch.setattr(f"{__name__}.Scorer", lambda _: Fails())
    with pytest.raises(InputError, match="no more"):
        predict(tmp_path, sources)
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["a"]
    assert len([*read_frames(tmp_path / "predictions/a/overlay.mp4")]) == 23
    assert not running()


def test_a_dry_run_of_one_batch_is_complete_for_what_it_saw(tmp_path, sources):
    folder = predict(tmp_path, sources, limit_predict_batches=1)
    assert len((folder / "a.partial/scores.csv").read_text().splitlines()) == 1 + LENGTH + 2
    assert not (folder / "b").exists()


def draw(score, heat, threshold=1.0, value=90):
    frame = np.full((90, 160, 3), value, np.uint8)
    return frame, Overlay(threshold).draw(frame, score, heat, (32, 32), (7, 0, 18, 32))


def test_heat_lies_where_it_belongs_in_the_original_picture():
    heat = np.zeros((32, 32), np.float32)
    heat[12:16, 20:24] = 2.0  # of a picture in rows 7 to 25: rows 25 to 45 of 90, columns 100 to 120 of 160
    frame, drawn = draw(0.1, heat)
    changed = (drawn != frame).any(axis=2)[25:75]  # above the strip
    assert not changed[20:, :90].any()
    changed[:20, :90] = False  # the text
    rows, columns = np.nonzero(changed)
    assert 96 <= columns.min() <= columns.max() <= 124
    assert rows.max() + 25 <= 50
    assert changed[5:15, 106:114].all()


def test_colours_mean_the_same_in_every_frame():
    faint, strong = np.full((8, 8), 0.4, np.float32), np.full((8, 8), 1.5, np.float32)
    frame, drawn = draw(0.1, faint)
    np.testing.assert_array_equal(drawn[40:70], frame[40:70])  # far below the threshold: nothing, though uniform
    frame, drawn = draw(0.1, strong)
    assert (drawn[40:70] != frame[40:70]).any(axis=2).all()
    np.testing.assert_array_equal(draw(0.1, 3 * strong, threshold=3.0)[1][40:70], drawn[40:70])


def test_a_video_of_another_folder_keeps_the_folder_of_its_own(tmp_path, sources):
    (tmp_path / "other").mkdir()
    other = [Source("a", write_video(tmp_path / "other/a.mp4", 9), 12.5, 9)]
    for one in (sources, other, sources, other):
        folder = predict(tmp_path, one, overlay=False)
    about = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/about.json")}
    assert {name: (one["source"], one["complete"]) for name, one in about.items()} == {
        "a": (str(tmp_path / "a.mp4"), True),
        "b": (str(tmp_path / "b.mp4"), True),
        "a-2": (str(tmp_path / "other/a.mp4"), True),
    }
    assert len((folder / "a-2/scores.csv").read_text().splitlines()) == 1 + 9


def test_what_was_found_is_said(tmp_path, sources, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predict(tmp_path, sources)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "a: 8 of 23 frames above the threshold, in 1 event, highest score 1.8000 at 0:00; predictions/a/overlay.mp4",
        "b: 2 of 7 frames above the threshold, in 1 event, highest score 1.2100 at 0:00; predictions/b/overlay.mp4",
    ]
    predict(tmp_path, sources[1:], threshold=float("nan"), overlay=False)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "b: 7 frames scored, highest score 1.2100 at 0:00; no threshold is known; predictions/b/timeline.png"
    )


def test_another_scene_is_told(tmp_path):
    long = [Source("a", write_video(tmp_path / "a.mp4", 60), 12.5, 60)]
    with pytest.warns(UserWarning, match=r"^a: 100% of its frames lie above the threshold\. Is it another scene"):
        predict(tmp_path, long, threshold=-1.0)
