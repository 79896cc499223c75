import csv
import json
import re

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader

from callbacks import SoundMetrics
from callbacks.evaluation import Evaluation
from callbacks.results import read_results
from callbacks.sound.measures import av_align, motion_frames, onset_frames, ssim
from callbacks.sound.table import METRICS, PieceTable
from datamodules.batches import AudioVideoBatch, GeneratedClips

RATE, FPS, T, SIZE = 1600, 10.0, 12, 16
CLIPS = 4


def make_batch(names, start=0, valid=None, seed=0):
    count = len(names)
    random = torch.Generator().manual_seed(seed + start)
    keep = torch.ones(count, T, dtype=torch.bool)
    if valid is not None:
        keep[:, valid:] = False
    frames = torch.randint(0, 256, (count, T, 3, SIZE, SIZE), generator=random, dtype=torch.uint8)
    return AudioVideoBatch(
        audio=torch.rand(count, 1, round(T * RATE / FPS), generator=random) - 0.5,
        frames=frames * keep[:, :, None, None, None],
        valid=keep,
        other=torch.rand(count, 1, round(T * RATE / FPS), generator=random) - 0.5,
        name=names,
        start=torch.zeros(count, dtype=torch.float64),
        index=torch.arange(start, start + count),
    )


def drawn(batch, own=0.1, other=0.3, silent=0.2):
    """Pictures that are off by so much everywhere, whatever they are compared with."""
    real = batch.frames.float() / 255
    side = torch.where(real > 0.5, -1.0, 1.0)
    return GeneratedClips(*(real + side * error for error in (own, other, silent)))


def evaluated(*pairs):
    table = PieceTable()
    for clips, batch in pairs:
        table.add(clips, batch, RATE, FPS)
    return table, *table.evaluation()


def test_errors_agree_with_closed_forms():
    batch = make_batch(["a", "b", "c"])
    _, metrics, undefined = evaluated((drawn(batch), batch))
    real = batch.frames.double().numpy() / 255
    assert metrics["l1"] == pytest.approx(0.1, abs=1e-6)
    assert metrics["psnr"] == pytest.approx(20.0, abs=1e-4)
    assert metrics["temporal_difference_still"] == pytest.approx(np.abs(np.diff(real, axis=1)).mean(), abs=1e-6)
    own_mean = ((real - real.mean(axis=1, keepdims=True)) ** 2).mean()
    assert metrics["psnr_own_mean_picture"] == pytest.approx(-10 * np.log10(own_mean), abs=1e-4)
    assert metrics["shuffle_l1_increase"] == pytest.approx(0.2, abs=1e-6)
    assert metrics["shuffle_l1_increase_relative"] == pytest.approx(2.0, abs=1e-5)
    assert metrics["silence_l1_increase"] == pytest.approx(0.1, abs=1e-6)
    assert metrics["shuffle_moving"] == pytest.approx(2.0, abs=1e-5)
    assert not undefined
    assert sorted(metrics) == sorted(METRICS)


def wandering(random, length):
    """(length, 3, SIZE, SIZE) in [0, 1]: a spot on a ground, both of a colour of their own, that moves by fits."""
    y, x = np.mgrid[:SIZE, :SIZE]
    steps = random.choice([0.1, 0.3, 2.5], (length, 2), p=[0.4, 0.3, 0.3]) * random.choice([-1, 1], (length, 2))
    places = SIZE / 2 + np.cumsum(steps, axis=0)
    spots = np.array([np.exp(-((y - row) ** 2 + (x - column) ** 2) / 12) for row, column in places % SIZE])
    ground, colour = random.uniform(0, 0.3, 3), random.uniform(0.4, 0.7, 3)
    return ground[:, None, None] + colour[:, None, None] * spots[:, None]


def bursts(random, length):
    """(length * RATE / FPS,): noise that is louder in some pictures than in others."""
    level = random.choice([0.01, 0.1, 0.6], length, p=[0.5, 0.2, 0.3]).repeat(round(RATE / FPS))
    return level * random.uniform(-1, 1, len(level))


def test_every_figure_is_that_of_its_own_pictures_and_its_own_sound():
    length, random = 40, np.random.default_rng(1)
    real, made, shuffled, silent = (wandering(random, length).astype(np.float32) for _ in range(4))
    stored = np.round(real * 255).astype(np.uint8)
    real = stored.astype(np.float32) / 255
    own, other = (bursts(random, length).astype(np.float32) for _ in range(2))
    batch = AudioVideoBatch(
        audio=torch.from_numpy(own)[None, None],
        frames=torch.from_numpy(stored)[None],
        valid=torch.ones(1, length, dtype=torch.bool),
        other=torch.from_numpy(other)[None, None],
        name=["a"],
        start=torch.zeros(1, dtype=torch.float64),
        index=torch.tensor([7]),
    )
    table = PieceTable()
    table.add(GeneratedClips(*(torch.from_numpy(clip)[None] for clip in (made, shuffled, silent))), batch, RATE, FPS)

    def change(clip):
        return np.abs(np.diff(clip, axis=0)).mean(axis=(1, 2, 3))

    loud = np.sqrt((own.astype(float).reshape(length, -1) ** 2).mean(axis=1))[1:]
    heard, elsewhere = (onset_frames(sound.astype(float), RATE, FPS) for sound in (own, other))
    moved, moved_really = (motion_frames(torch.from_numpy(clip)) for clip in (made, real))
    deviation = real.std(axis=0).astype(float) ** 2
    moving = deviation.mean(axis=0) >= np.sort(deviation.mean(axis=0), axis=None)[-round(0.03 * SIZE**2)]
    speed = (np.diff(real.astype(float), axis=0) ** 2).mean(axis=(0, 1))
    fast = speed >= np.sort(speed, axis=None)[-round(0.03 * SIZE**2)]
    happened, drew, drew_to_other = (np.diff(clip.astype(float), axis=0)[..., fast] for clip in (real, made, shuffled))
    expected = {
        "frames": length,
        "l1": np.abs(made - real).mean(),
        "mse": ((made - real) ** 2).mean(),
        "mse_own_mean_picture": ((real - real.mean(axis=0)) ** 2).mean(),
        "ssim": ssim(torch.from_numpy(made), torch.from_numpy(real)).mean().item(),
        "temporal_difference": np.abs(np.diff(made, axis=0) - np.diff(real, axis=0)).mean(),
        "temporal_difference_still": change(real).mean(),
        "frame_change": change(made).mean(),
        "av_align": av_align(heard, moved),
        "av_align_other_sound": av_align(elsewhere, moved),
        "av_align_target": av_align(heard, moved_really),
        "change_loudness_correlation": np.corrcoef(change(made), loud)[0, 1],
        "change_loudness_correlation_target": np.corrcoef(change(real), loud)[0, 1],
        "l1_moving": np.abs(made - real)[..., moving].mean(),
        "fast_change": np.sqrt((drew**2).mean() / (happened**2).mean()),
        "fast_correlation": np.corrcoef(drew.ravel(), happened.ravel())[0, 1],
        "fast_correlation_other_sound": np.corrcoef(drew_to_other.ravel(), happened.ravel())[0, 1],
        "shuffle_l1": np.abs(shuffled - real).mean(),
        "shuffle_moving_l1": np.abs(shuffled - real)[..., moving].mean(),
        "silence_l1": np.abs(silent - real).mean(),
        "silence_frame_change": change(silent).mean(),
    }
    ((name, figures),) = table.rows.values()
    assert name == "a"
    assert figures == pytest.approx(expected, abs=1e-5)
    assert np.diff(sorted(expected.values())).min() > 1e-3, "two that are equal could be taken for each other"


def test_padding_does_not_count():
    batch, spoiled = make_batch(["a", "b"], valid=8), make_batch(["a", "b"], valid=8)
    clips, other = drawn(batch), drawn(spoiled)
    other.frames[:, 8:] = 17.0
    other.shuffled[:, 8:] = 17.0
    spoiled.audio[:, :, round(8 * RATE / FPS) :] = 0.9
    assert evaluated((clips, batch))[1] == evaluated((other, spoiled))[1]


def test_frames_weigh_the_same_in_short_and_long_pieces():
    long, short = make_batch(["a", "a"]), make_batch(["b", "b"], start=2, valid=4)
    _, metrics, _ = evaluated((drawn(long, own=0.1), long), (drawn(short, own=0.2), short))
    assert metrics["l1"] == pytest.approx((12 * 0.1 + 4 * 0.2) / 16, abs=1e-6)


def test_the_interval_is_taken_over_clips_and_excludes_zero_only_if_the_picture_follows():
    clips = [make_batch([f"clip{number}"] * 2, start=2 * number) for number in range(6)]
    follows = evaluated(*((drawn(batch, other=0.3 + 0.01 * n), batch) for n, batch in enumerate(clips)))[1]
    assert 0.2 < follows["shuffle_l1_increase_low"] < 0.225 < follows["shuffle_l1_increase_high"] < 0.25
    deaf = evaluated(*((drawn(batch, other=0.1 + 0.01 * (-1) ** n), batch) for n, batch in enumerate(clips)))[1]
    assert deaf["shuffle_l1_increase_low"] < 0 < deaf["shuffle_l1_increase_high"]


def test_a_piece_that_comes_twice_counts_once():
    one, two = make_batch(["a", "b"]), make_batch(["c"], start=2)
    pairs = [(drawn(one, own=0.2), one), (drawn(two, own=0.1), two)]
    assert evaluated(*pairs)[1] == evaluated(*pairs, pairs[1], pairs[1])[1]


def test_what_has_no_value_says_why():
    batch = make_batch(["a", "a"])
    batch.frames[:] = 7
    real = batch.frames.float() / 255
    _, metrics, undefined = evaluated((GeneratedClips(real), batch))
    assert "psnr" in undefined
    assert "draws nothing" in undefined["shuffle_l1_increase"]
    assert "vary" in undefined["change_loudness_correlation"]
    assert not set(undefined) & set(metrics)
    _, metrics, undefined = evaluated((drawn(batch), batch))
    assert "two clips" in undefined["shuffle_l1_increase_low"]
    assert "shuffle_l1_increase" in metrics


def test_a_value_that_is_not_finite_is_named():
    batch = make_batch(["a", "b"])
    clips = drawn(batch)
    clips.frames[1, 3, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"clip 'b' at 0\.00 s"):
        PieceTable().add(clips, batch, RATE, FPS)


class Rule:
    """Tells from a sound that a picture is above the mean by its number of tenths."""

    def changes(self, audio, shape):
        return audio[:, :, :1, None, None].transpose(1, 2).cpu() + torch.zeros(shape)


def test_the_rule_is_judged_as_the_network_is():
    batch = make_batch(["a", "b"], valid=8)
    batch.audio[0, 0, 0], batch.audio[1, 0, 0], batch.other[:, 0, 0] = 0.1, 0.0, 0.3
    table = PieceTable(rule=Rule())
    table.add(drawn(batch), batch, RATE, FPS)
    real = batch.frames[:, :8].double().numpy() / 255
    still = real.mean(axis=1, keepdims=True)
    whole, moving = [], []
    for row, own in enumerate((0.1, 0.0)):
        errors = [np.abs((still[row] + change).clip(0, 1) - real[row]) for change in (own, 0.3)]
        variance = real[row].var(axis=0).mean(axis=0)
        part = variance >= np.sort(variance, axis=None)[-round(0.03 * SIZE**2)]
        whole.append(errors[1].mean() / errors[0].mean() - 1)
        moving.append(errors[1][..., part].mean() / errors[0][..., part].mean() - 1)
    references = table.gather().references()
    assert references["shuffle_baseline"] == pytest.approx(np.mean(whole), abs=1e-5)
    assert references["shuffle_baseline_moving"] == pytest.approx(np.mean(moving), abs=1e-5)
    assert references["shuffle_baseline_low"] < np.mean(whole) < references["shuffle_baseline_high"]
    assert table.evaluation() == evaluated((drawn(batch), batch))[1:]
    assert not evaluated((drawn(batch), batch))[0].references()


class Data(LightningDataModule):
    sample_rate, fps = RATE, FPS

    def val_dataloader(self):
        return DataLoader([make_batch([f"clip{n}"] * 2, start=2 * n) for n in range(CLIPS)], batch_size=None)

    test_dataloader = val_dataloader


class Painter(LightningModule):
    def validation_step(self, batch, batch_idx):
        return drawn(batch)

    test_step = validation_step


def trainer(folder, callback):
    return Trainer(
        accelerator="cpu",
        callbacks=[callback],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def test_a_test_leaves_its_files_and_a_validation_logs(tmp_path, capsys):
    callback = SoundMetrics()
    run = trainer(tmp_path, callback)
    run.validate(Painter(), Data(), verbose=False)
    assert float(run.callback_metrics["val/l1"]) == pytest.approx(0.1, abs=1e-6)
    assert not (tmp_path / "results").exists()

    class Ruled(Data):
        def sound_rule(self):
            return Rule()

        @property
        def source(self):
            return "Data"

    run.test(Painter(), Ruled())
    results = json.loads((tmp_path / "results/Data/results.json").read_text())
    assert results["metrics"]["shuffle_l1_increase_low"] == pytest.approx(0.2, abs=1e-6)
    assert results["counts"] == {"clips": CLIPS, "pieces": 2 * CLIPS}
    assert {"psnr", "ssim", "av_align"} <= results["metrics"].keys()
    assert read_results(tmp_path) == results
    with (tmp_path / "results/Data/scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"clip{n}" for n in range(CLIPS)]
    assert float(rows[0]["l1"]) == pytest.approx(0.1, abs=1e-6)
    printed = capsys.readouterr().out
    assert "shuffle_l1_increase" in printed
    assert results["verdict"] in printed
    baseline = results["metrics"]["shuffle_baseline"]
    assert f"mean picture: {baseline:.2%}" in results["verdict"]
    assert results["meanings"]["shuffle_baseline"]["beside"] == "shuffle_l1_increase_relative"
    assert results["verdict"].startswith("The picture follows the sound: to the sound of another clip its error is 200")


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        ((0.01, -0.02, 0.04), "The picture does not follow the sound, as far as can be told: .* is 1.00% larger"),
        ((-0.01, -0.02, 0.0), "The picture does not follow the sound, as far as can be told: .* is 1.00% smaller"),
        (
            (0.01, -0.02, 0.04, 0.03, 0.01, 0.05),
            r"The picture follows the sound where it moves; .* most: 3\.00% \(1\.00% to 5\.00%\)",
        ),
        (None, "Whether the picture follows the sound cannot be told: one clip"),
    ],
)
def test_what_may_be_chance_is_no_following(interval, sentence):
    name = "shuffle_l1_increase_relative"
    names = [f"{one}{part}" for one in (name, "shuffle_moving") for part in ("", "_low", "_high")]
    known = Evaluation(dict(zip(names, interval, strict=False)) if interval else {}, undefined={name: "one clip"})
    assert re.match(sentence, SoundMetrics().verdict(known))


def test_a_module_that_draws_nothing_is_named(tmp_path):
    class Silent(Painter):
        def test_step(self, batch, batch_idx):
            return None

    with pytest.raises(RuntimeError, match=r"Silent\.test_step returned no GeneratedClips"):
        trainer(tmp_path, SoundMetrics()).test(Silent(), Data())
