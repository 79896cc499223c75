import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.batches import AudioVideoBatch
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from datamodules.media import VideoWriter
from datamodules.sound.audio_video import AudioVideoDataModule
from datamodules.sound.audio_video_cache import Settings
from datamodules.sound.audio_video_sources import divide, find_pairs
from datamodules.sound.pieces import PieceShape, TrainingPieces, collate, evaluation_starts
from datamodules.sound.sound import SoundVideoWriter, read_sound

RATE = 16_000


def clicks(seconds, moments, rate=RATE):
    """(1, n): bursts of 30 ms at some moments."""
    sound = np.zeros((1, round(seconds * rate)), np.float32)
    for moment in moments:
        first = round(moment * rate)
        sound[0, first : first + rate // 33] = 0.6 * np.sin(np.arange(rate // 33) * 0.8)
    return sound


def write_clip(path, frames=30, fps=25.0, moments=(0.4,), rate=RATE, seconds=None, channels=1):
    """A film that is dark, but bright for a fifth of a second from every moment on, when a burst is heard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with SoundVideoWriter(path, fps, (16, 24), rate, channels, crf=10) as film:
        for number in range(frames):
            bright = any(0 <= number / fps - moment + 1e-9 < 0.2 for moment in moments)
            film.write(np.full((16, 24, 3), 240 if bright else 16, np.uint8))
        film.write_sound(clicks(seconds or frames / fps, moments, rate).repeat(channels, axis=0))
    return path


def write_variable(path, times, moment):
    """A film with a frame at each of ``times`` (seconds), bright from ``moment`` on."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=1000)
        video.width, video.height, video.pix_fmt = 24, 16, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((16, 24, 3), 240 if time >= moment else 16, np.uint8))
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        piece = av.AudioFrame.from_ndarray(clicks(times[-1] + 0.1, [moment]), format="fltp", layout="mono")
        piece.sample_rate = RATE
        container.mux([*sound.encode(piece), *sound.encode(None)])


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Eight clips of 1.2 s, each with its burst at another moment."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(8):
        write_clip(folder / f"clip{number}.mp4", moments=(0.1 + 0.12 * number,))
    return folder


def module(source, tmp_path, **options):
    settings = {"duration": 1.0, "stride": 0.5, "image_size": 16, "batch_size": 2, "cache_dir": str(tmp_path)}
    return AudioVideoDataModule(str(source), **(settings | options))


def in_step(batch, row, fps=30.0):
    """Seconds between the first bright picture and the first sound of a piece."""
    picture = np.flatnonzero(batch.frames[row].float().mean(dim=(1, 2, 3)).numpy() > 60)[0] / fps
    heard = np.flatnonzero(np.abs(batch.audio[row, 0].numpy()) > 0.1)[0] / RATE
    return picture - heard


def test_a_batch_has_the_promised_form(films, tmp_path):
    data = module(films, tmp_path)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, AudioVideoBatch)
    assert (data.num_frames, data.num_samples) == (30, RATE)
    assert batch.audio.shape == batch.other.shape == (2, 1, RATE)
    assert batch.audio.dtype == batch.other.dtype == torch.float32
    assert batch.frames.shape == (2, 30, 3, 16, 16)
    assert batch.frames.dtype == torch.uint8
    assert batch.valid.all()
    assert batch.start.dtype == torch.float64
    assert all(0 <= start <= 0.2 + 1e-9 for start in batch.start.tolist())


@pytest.mark.parametrize(("fit", "bars"), [("letterbox", True), ("stretch", False)])
def test_pictures_are_fitted_as_asked(films, tmp_path, fit, bars):
    data = module(films, tmp_path, fit=fit)
    data.setup("fit")
    upper = next(iter(data.val_dataloader())).frames[:, :, :, 0]
    assert bool((upper == 0).all()) is bars


def test_the_mean_picture_is_that_of_all_training_pictures(films, tmp_path):
    data = module(films, tmp_path, duration=0.5)
    data.setup("fit")
    names = data.split_manifest()["splits"]["train"]
    pictures = []
    for name in names:
        with av.open(str(films / f"{name}.mp4")) as film:
            pictures += [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    mean = data.mean_picture()
    assert mean.shape == (3, 16, 16)
    inside = mean[:, 4:12].mean().item()  # the letterbox's bars are above and below
    assert mean[:, 0].max() == 0
    assert abs(inside - np.mean(pictures) / 255) < 0.02


def test_sound_and_pictures_stay_together_from_25_to_30_pictures(films, tmp_path):
    data = module(films, tmp_path)
    data.setup("fit")
    batches = [*data.val_dataloader(), *data.train_dataloader()]
    apart = [
        in_step(batch, row) for batch in batches for row in range(len(batch)) if batch.audio[row].abs().max() > 0.3
    ]
    assert len(apart) >= 6
    assert -0.02 <= min(apart) <= max(apart) <= 0.04 + 0.02  # a picture at 25 a second is up to 0.04 s late itself


@pytest.mark.parametrize("late", [0.0, 0.7])
def test_pictures_of_a_variable_rate_keep_their_time(tmp_path, late):
    folder = tmp_path / "films"
    folder.mkdir()
    times = np.concatenate([np.arange(0, 0.5, 0.02), np.arange(0.5, 2.0, 0.11)]) + late
    for number in range(6):
        write_variable(folder / f"{number}.mp4", times, 1.05 + late)
        with (folder / f"{number}.mp4").open("ab") as file:  # else they were the same video
            file.write(bytes([number]) * 8)
    data = module(folder, tmp_path, duration=1.9)
    data.setup("fit")
    for batch in data.val_dataloader():
        assert np.abs([in_step(batch, row) for row in range(len(batch))]).max() <= 0.055 + 1 / 30


def test_audio_beside_video_is_matched_by_name(films, tmp_path):
    root = tmp_path / "pairs"
    for number in range(6):
        write_clip(root / "audio" / f"s{number}" / "a.m4a.mp4", frames=40, moments=(0.1 * number,), rate=8000)
        write_clip(root / "video" / f"s{number}" / "a.m4a.mkv.mp4", moments=(0.1 * number,))
    with pytest.raises(InputError, match=r"no (sound|pictures)"):
        find_pairs(root)
    for path in [*(root / "video").rglob("*.mp4")]:
        path.rename(path.with_name("a.m4a.mp4"))
    data = module(root, tmp_path)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    assert abs(in_step(batch, 0)) <= 0.06
    assert find_pairs(root)[0].name == "s0/a.m4a"
    assert find_pairs(root)[0].sound != find_pairs(root)[0].video


def test_two_files_of_one_name_are_refused(films, tmp_path):
    shutil.copy(films / "clip0.mp4", tmp_path / "a.mp4")
    shutil.copy(films / "clip1.mp4", tmp_path / "a.mov")
    with pytest.raises(InputError, match="same name"):
        find_pairs(tmp_path)


def test_splits_are_disjoint_whatever_the_seed(films, tmp_path, monkeypatch):
    manifests = []
    for seed in ("0", "7"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        data = module(films, tmp_path)
        data.setup("fit")
        manifests.append(data.split_manifest()["splits"])
    assert manifests[0] == manifests[1]
    assert sorted(name for names in manifests[0].values() for name in names) == [f"clip{n}" for n in range(8)]
    assert {split: len(names) for split, names in manifests[0].items()} == {"train": 4, "validation": 2, "test": 2}


def test_a_copy_in_another_split_is_refused(films, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    data = module(folder, tmp_path)
    data.setup("fit")
    split = data.split_manifest()["splits"]
    shutil.copy(folder / f"{split['train'][0]}.mp4", folder / f"{split['test'][0]}.mp4")
    with pytest.raises(InputError, match="same video"):
        module(folder, tmp_path).setup("fit")


def test_no_test_judges_by_what_a_checkpoint_learned(films, tmp_path):
    trained = module(films, tmp_path)
    trained.setup("fit")
    same, moved = module(films, tmp_path), module(films, tmp_path, test_fraction=0.5)
    fewer = tmp_path / "renamed"
    fewer.mkdir()
    for clip in trained.split_manifest()["splits"]["train"]:
        shutil.copy(films / f"{clip}.mp4", fewer / f"other_{clip}.mp4")
    for clip in trained.split_manifest()["splits"]["test"]:
        shutil.copy(films / f"{clip}.mp4", fewer / f"other_{clip}.mp4")
    for data in (same, moved, renamed := module(fewer, tmp_path)):
        data.load_state_dict(trained.state_dict())
        data.setup("test")
    assert len(same.test_dataloader()) > 0
    for data in (moved, renamed):
        with pytest.raises(
            InputError, match=r"more test clips were already learned from|, for test, was already learned from"
        ):
            data.test_dataloader()
    resumed = module(fewer, tmp_path)
    resumed.load_state_dict(trained.state_dict())
    assert resumed.state_dict() == trained.state_dict()


class Constant:
    """A clip of 3 s whose sound is its number everywhere."""

    def __init__(self, number):
        self.name, self.length, self.number = f"clip{number}", 90, number
        self.settings = Settings(RATE, 30.0, Letterbox(16, 16))

    def sound(self, start, samples):
        return np.full((1, samples), self.number, np.float32)

    def frames(self, start, count):
        return np.full((count, 3, 16, 16), start, np.uint8)


def test_place_and_other_sound_are_functions_of_seed_epoch_and_index():
    clips = [Constant(number) for number in range(4)]
    pieces = TrainingPieces(clips, PieceShape(30, RATE, 15), 0)
    keys = [(epoch, index) for epoch in range(30) for index in range(len(pieces))]

    def all_of_them():
        return [(round(30 * (one := pieces[key]).start), one.name, int(one.other.mean())) for key in keys]

    found = all_of_them()
    assert found == all_of_them()
    assert not any(name == f"clip{other}" for _, name, other in found)
    assert {other for _, name, other in found if name == "clip1"} == {0, 2, 3}
    assert {start for start, *_ in found} == set(range(61))  # any place at which a piece fits
    assert all(pieces[key].frames.mean() == start for key, (start, *_) in zip(keys, found, strict=True))
    per_epoch = len(pieces)
    assert found[:per_epoch] != found[per_epoch : 2 * per_epoch]
    pieces = TrainingPieces(clips, PieceShape(30, RATE, 15), 5)
    assert all_of_them() != found


def test_evaluation_is_the_same_with_workers_and_every_seed(films, tmp_path, monkeypatch):
    data = module(films, tmp_path)
    data.setup("test")
    expected = [*data.test_dataloader()]
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    workers = DataLoader(data.test_dataloader().dataset, 4, collate_fn=collate, num_workers=1)
    for one, other in zip(expected, workers, strict=True):
        assert one.name == other.name
        assert torch.equal(one.other, other.other)
        assert torch.equal(one.frames, other.frames)


def test_evaluation_covers_a_clip_and_ends_with_it():
    shape = PieceShape(90, 48_000, 60)
    assert evaluation_starts(150, shape) == [0, 60]
    assert evaluation_starts(89, shape) == [0]
    assert evaluation_starts(160, shape) == [0, 60, 70]


def test_a_short_clip_is_padded_and_marked(films, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    for number in range(8):
        write_clip(folder / f"clip{number}.mp4", frames=24, moments=(0.08 * number,))  # 0.96 s: 29 of 30
    data = module(folder, tmp_path)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    assert batch.valid.sum(1).tolist() == [29] * len(batch)
    assert not batch.valid[:, 29].any()
    assert (batch.frames[:, 29] == 0).all()
    assert (batch.audio[:, 0, round(29 * RATE / 30) :] == 0).all()


def write_promise(path):
    """An MKV film whose sound track is announced and never comes."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 24, 16, "yuv420p"
        container.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(30):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 24, 3), np.uint8))))
        container.mux(video.encode(None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: write_clip(path, frames=10, moments=()), "at least half of data.duration"),
        (lambda path: write_clip(path, seconds=0.3, moments=()), "last 0.40 s together"),
        (lambda path: path.write_bytes(b"nothing" * 99), "unreadable"),
        (lambda path: path.write_bytes(b""), "unreadable"),
        (write_promise, "its sound track is empty"),
    ],
)
def test_a_bad_file_is_named_or_left_out(films, tmp_path, make, message):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    make(folder / "bad.mp4")
    with pytest.raises(InputError, match=rf"bad\.mp4: .*{message}"):
        module(folder, tmp_path).setup("fit")
    data = module(folder, tmp_path, on_bad_file="skip")
    with pytest.warns(UserWarning, match=rf"left out: .*bad\.mp4: .*{message}"):
        data.setup("fit")
    assert "bad" not in str(data.split_manifest()["splits"])


def test_a_film_without_sound_is_named(films, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    with VideoWriter(folder / "mute.mp4", 25, (16, 24)) as film:
        for _ in range(30):
            film.write(np.zeros((16, 24, 3), np.uint8))
    with pytest.raises(InputError, match=r"mute\.mp4: has no sound track"):
        module(folder, tmp_path).setup("fit")


def test_too_few_clips_are_named(films, tmp_path):
    for number in range(5):
        shutil.copy(films / f"clip{number}.mp4", tmp_path)
    with pytest.raises(InputError, match=r"5 usable clips leave 1 to train on"):
        module(tmp_path, tmp_path / "cache").setup("fit")
    with pytest.raises(InputError, match="is no folder"):
        module(tmp_path / "clip0.mp4", tmp_path / "cache").setup("fit")
    with pytest.raises(InputError, match="no clip in"):
        module(tmp_path / "cache", tmp_path / "cache").setup("fit")


def test_predict_streams_what_the_whole_file_holds(tmp_path):
    path = write_clip(tmp_path / "long.mp4", frames=88, moments=(0.5, 1.5, 3.0), rate=44_100, channels=2)
    data = module(path, tmp_path, eval_batch_size=2)
    data.setup("predict")
    (source,) = data.predict_sources
    whole = np.concatenate(list(read_sound(path, RATE)), axis=1)
    assert (source.name, source.frames) == ("long", round(whole.shape[1] / RATE * 30))
    batches = [*data.predict_dataloader()]
    starts = torch.cat([batch.start for batch in batches]).tolist()
    assert starts == [0.5 * number for number in range(len(starts))]
    assert len(data.predict_dataloader().dataset) == len(starts)
    covered = set()
    for batch in batches:
        for row, start in enumerate(batch.start.tolist()):
            first = round(start * RATE)
            expected = np.pad(whole[0], (0, 2 * RATE))[first : first + RATE]
            np.testing.assert_array_equal(batch.audio[row, 0].numpy(), expected)
            covered |= {round(start * 30) + int(number) for number in torch.nonzero(batch.valid[row])}
    assert covered == set(range(source.frames))


def test_predict_takes_a_folder_and_names_what_it_cannot_hear(films, tmp_path):
    data = module(films, tmp_path)
    data.setup("predict")
    assert [source.name for source in data.predict_sources] == [f"clip{number}" for number in range(8)]
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad\.wav"):
        module(tmp_path / "bad.wav", tmp_path).setup("predict")
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(InputError, match=r"notes\.txt: (unreadable|has no) sound"):
        module(tmp_path / "notes.txt", tmp_path).setup("predict")
    with pytest.raises(InputError, match=r"song\.mp3: no such file"):
        module(tmp_path / "song.mp3", tmp_path).setup("predict")


def test_predict_names_a_bad_file_of_a_folder_and_what_leaves_it_out(films, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    (folder / "bad.wav").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad\.wav: unreadable sound(.|\n)*data\.on_bad_file: skip"):
        module(folder, tmp_path).setup("predict")
    data = module(folder, tmp_path, on_bad_file="skip")
    with pytest.warns(UserWarning, match=r"left out: .*bad\.wav"):
        data.setup("predict")
    assert [source.name for source in data.predict_sources] == [f"clip{number}" for number in range(8)]


def test_a_file_named_itself_is_read_whatever_its_ending(films, tmp_path):
    shutil.copy(films / "clip0.mp4", tmp_path / "clip0.mp4.download")
    data = module(tmp_path / "clip0.mp4.download", tmp_path)
    data.setup("predict")
    assert [(source.name, source.frames) for source in data.predict_sources] == [("clip0.mp4", 36)]


def test_what_a_folder_holds_besides_is_named_once(films, tmp_path):
    folder = tmp_path / "films"
    shutil.copytree(films, folder)
    (folder / "talks").mkdir()
    for name in ("cover.jpg", "notes.txt", ".hidden", "talks/list.m3u"):
        (folder / name).write_text("no sound")
    for stage, left_out in (
        ("predict", r"cover\.jpg, notes\.txt, talks"),
        ("fit", r"cover\.jpg, notes\.txt, talks/list\.m3u"),
    ):
        data = module(folder, tmp_path)
        with pytest.warns(UserWarning, match=rf"films: left out.*: {left_out}$") as warned:
            data.setup(stage)
        assert len(warned) == 1
    assert len(data.split_manifest()["splits"]["train"]) == 4
    (folder / "song.wav").write_text("sound")
    with pytest.warns(UserWarning, match="not known as video here .* sound belongs into a folder audio"):
        module(folder, tmp_path).setup("fit")


def test_sounds_that_differ_in_their_ending_only_are_told_apart(films, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("song.mp4", "song.mov", "song.mov.mp4"):
        shutil.copy(films / "clip0.mp4", folder / name)
    data = module(folder, tmp_path)
    data.setup("predict")
    assert sorted(source.name for source in data.predict_sources) == ["song.mov", "song.mov.mp4", "song.mp4"]


@pytest.mark.parametrize(
    "option", [{"stride": 2.0}, {"fps": 0.0}, {"duration": 0.01}, {"image_size": 4}, {"batch_size": 0}]
)
def test_arguments_out_of_range_are_named(tmp_path, option):
    with pytest.raises(InputError, match=rf"data\.{next(iter(option))}"):
        module(tmp_path, tmp_path, **option)


def test_a_batch_larger_than_the_data_is_named(films, tmp_path):
    data = module(films, tmp_path, batch_size=99)
    data.setup("fit")
    with pytest.raises(InputError, match=r"data\.batch_size: is 99"):
        data.train_dataloader()


def test_divide_gives_every_split_two_clips(films, tmp_path):
    data = module(films, tmp_path, validation_fraction=0.0, test_fraction=0.5)
    data.setup("fit")
    clips = [clip for clips in data._splits.values() for clip in clips]
    assert {split: len(found) for split, found in divide(clips, 0.0, 0.5).items()} == {
        "test": 4,
        "validation": 2,
        "train": 2,
    }
