import pytest

from datamodules.clips.splits import hold_out
from datamodules.clips.video_layouts import Clip
from datamodules.errors import InputError


def clips(tmp_path, count):
    return [Clip(f"{number:02d}", tmp_path / str(number)) for number in range(count)]


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(10, 0.2, 2), (2, 0.0, 1), (2, 0.9, 1), (5, 0.5, 2)])
def test_whole_clips_are_held_out(tmp_path, count, fraction, held_out):
    train, validation = hold_out(clips(tmp_path, count), fraction)
    assert (len(train), len(validation)) == (count - held_out, held_out)
    assert {c.name for c in train} | {c.name for c in validation} == {f"{n:02d}" for n in range(count)}
    assert [c.name for c in train] == sorted(c.name for c in train)


def test_choice_depends_on_seed_and_names_but_not_on_order(tmp_path, monkeypatch):
    every = clips(tmp_path, 20)
    chosen = {clip.name for clip in hold_out(every, 0.3)[1]}
    assert {clip.name for clip in hold_out(every[::-1], 0.3)[1]} == chosen
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert {clip.name for clip in hold_out(every, 0.3)[1]} != chosen


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_clips_are_refused(tmp_path, count):
    with pytest.raises(InputError, match=rf"data\.source: {count} usable training clips found, at least 2"):
        hold_out(clips(tmp_path, count), 0.2)
