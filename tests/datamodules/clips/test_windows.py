import numpy as np
import pytest
import torch
from lightning.fabric.utilities.data import _set_sampler_epoch
from torch.utils.data import DataLoader

from datamodules.clips.augmentation import Jitter
from datamodules.clips.windows import (
    EvaluationWindows,
    TrainingWindows,
    check_stride,
    collate,
    evaluation_starts,
    training_starts,
)
from datamodules.epoch_sampler import EpochSampler
from datamodules.errors import InputError


class MovingClip:
    """Frame n is filled with n; grey or in colour."""

    def __init__(self, name, length, channels=1):
        self.name, self.length, self.region = name, length, (0, 0, 16, 16)
        self.label = (np.arange(length) % 5 == 0).astype(np.int8)
        content = np.arange(length, dtype=np.uint8)[:, None, None, None]
        self._frames = np.broadcast_to(content, (length, channels, 16, 16))

    def frames(self, numbers):
        return self._frames[numbers]

    def masks(self, numbers):
        return (self._frames[numbers][:, 0] % 2).astype(np.uint8)


@pytest.mark.parametrize("num_frames", [2, 3, 8])
@pytest.mark.parametrize("frame_step", [1, 2, 3])
def test_evaluation_windows_cover_every_frame_and_end_with_the_clip(num_frames, frame_step):
    for stride in range(1, num_frames + 1):
        for length in range(num_frames * frame_step, num_frames * frame_step + 30):
            starts = evaluation_starts(length, num_frames, frame_step, stride)
            covered = {start + frame_step * number for start in starts for number in range(num_frames)}
            assert covered == set(range(length)), (stride, length)
            assert starts == sorted(set(starts))


@pytest.mark.parametrize("stride", [0, 9, True, 2.0, None])
def test_windows_that_would_leave_frames_out_are_refused(stride):
    for allowed in range(1, 9):
        check_stride("data.eval_stride", allowed, 8)
    with pytest.raises(InputError, match=r"^data\.eval_stride: is .*, must be .*: data\.num_frames is 8, and"):
        check_stride("data.eval_stride", stride, 8)


def test_starts_by_hand():
    assert evaluation_starts(10, 4, 1, 3) == [0, 3, 6]
    assert evaluation_starts(11, 4, 1, 3) == [0, 3, 6, 7]
    assert evaluation_starts(8, 8, 1, 8) == [0]
    assert evaluation_starts(12, 3, 2, 3) == [0, 1, 6, 7]
    assert list(training_starts(11, 4, 1, 3)) == [0, 3, 6]
    assert list(training_starts(11, 4, 2, 2)) == [0, 2, 4]
    assert list(training_starts(6, 4, 2, 1)) == []


def make_evaluation(with_masks=True):
    clips = [MovingClip("a", 12), MovingClip("b", 20, channels=3)]
    starts = [evaluation_starts(clip.length, 4, 2, 3) for clip in clips]
    return EvaluationWindows(clips, starts, 4, 2, with_masks), starts


def test_windows_carry_their_identity():
    windows, starts = make_evaluation()
    assert len(windows) == sum(map(len, starts))
    expected = [("a", start) for start in starts[0]] + [("b", start) for start in starts[1]]
    for index, (name, start) in enumerate(expected):
        window = windows[index]
        assert (window.video, window.index) == (name, index)
        assert window.frame.tolist() == [start, start + 2, start + 4, start + 6]
        assert window.frames[:, 0, 0, 0].tolist() == window.frame.tolist()
        assert window.label.tolist() == [int(number % 5 == 0) for number in window.frame]
        assert window.mask[:, 3, 3].tolist() == [number % 2 for number in window.frame]


def test_batch_is_contiguous_colour_whatever_the_clips_have():
    windows, starts = make_evaluation()
    batch = next(iter(DataLoader(windows, len(windows), collate_fn=collate)))
    rows = len(windows)
    assert batch.frames.shape == (rows, 4, 3, 16, 16)
    assert batch.frames.dtype == torch.uint8
    assert batch.frames.is_contiguous()
    assert (batch.frames == batch.frame[:, :, None, None, None]).all()
    assert batch.video == ["a"] * len(starts[0]) + ["b"] * len(starts[1])
    assert batch.index.tolist() == list(range(rows))
    assert (batch.label.dtype, batch.region.dtype) == (torch.int64, torch.int64)
    assert batch.region.shape == (rows, 4)
    assert batch.mask.shape == (rows, 4, 16, 16)
    assert (batch.pseudo, batch.pseudo_mask) == (None, None)
    plain, _ = make_evaluation(with_masks=False)
    assert collate([plain[0]]).mask is None


def make_training(workers=0, world=1, rank=0, batch_size=4, seed=0):
    clips = [MovingClip("a", 40), MovingClip("b", 30, channels=3)]
    starts = [training_starts(clip.length, 4, 1, 1) for clip in clips]
    windows = TrainingWindows(EvaluationWindows(clips, starts, 4, 1), Jitter(0.1, 0.1, flip=True), seed)
    sampler = EpochSampler(len(windows), seed, world, rank)
    return DataLoader(windows, batch_size, sampler=sampler, num_workers=workers, collate_fn=collate)


def epoch_of(loader, epoch):
    _set_sampler_epoch(loader, epoch)
    return list(loader)


def same(first, second):
    return len(first) == len(second) and all(
        a.index.tolist() == b.index.tolist()
        and all(torch.equal(getattr(a, key), getattr(b, key)) for key in ("frames", "pseudo", "pseudo_mask"))
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_is_the_same_whether_or_not_others_came_before(workers):
    fresh = epoch_of(make_training(), 3)
    loader = make_training(workers)
    for epoch in range(3):
        assert not same(epoch_of(loader, epoch), fresh)
    assert same(epoch_of(loader, 3), fresh)


def by_index(batches, key):
    return {int(i): row for b in batches for i, row in zip(b.index, getattr(b, key), strict=True)}


def test_order_and_augmentation_both_change_with_the_epoch():
    loader = make_training(batch_size=1)
    first, second = epoch_of(loader, 0), epoch_of(loader, 1)
    assert [b.index.item() for b in first] != [b.index.item() for b in second]
    one, two = by_index(first, "frames"), by_index(second, "frames")
    assert sum(torch.equal(one[index], two[index]) for index in one) < len(one) / 2


def test_seed_changes_order_and_augmentation():
    first = epoch_of(make_training(), 0)
    second = epoch_of(make_training(seed=7), 0)
    assert [b.index.tolist() for b in first] != [b.index.tolist() for b in second]
    one, two = by_index(first, "frames"), by_index(second, "frames")
    assert any(not torch.equal(one[index], two[index]) for index in one)


def test_the_seed_is_that_of_the_start_whatever_the_environment_says_later(monkeypatch):
    loader = make_training()
    first = epoch_of(loader, 0)
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert same(epoch_of(loader, 0), first)


def test_every_window_comes_once_per_epoch():
    seen = torch.cat([batch.index for batch in epoch_of(make_training(), 5)])
    assert sorted(seen.tolist()) == list(range(len(seen)))


def test_two_processes_share_one_larger_batch():
    single = epoch_of(make_training(batch_size=8), 2)
    ranks = [epoch_of(make_training(world=2, rank=rank, batch_size=4), 2) for rank in (0, 1)]
    assert not set(ranks[0][0].index.tolist()) & set(ranks[1][0].index.tolist())
    for whole, left, right in zip(single[:-1], *ranks, strict=False):
        merged = torch.cat([left.index, right.index])
        assert sorted(merged.tolist()) == sorted(whole.index.tolist())
        rows = {int(i): frames for i, frames in zip(whole.index, whole.pseudo, strict=True)}
        for part in (left, right):
            for i, frames in zip(part.index, part.pseudo, strict=True):
                assert torch.equal(rows[int(i)], frames)
