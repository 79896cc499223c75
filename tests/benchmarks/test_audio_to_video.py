"""What the benchmark of the nets that draw to sound times, and in which order it measures."""

import json
import sys
from types import SimpleNamespace

import av
import numpy as np
import pytest

from benchmarks import audio_to_video, common
from datamodules.sound.music import RATE


def test_memory_is_that_of_the_work_and_not_of_the_unit(monkeypatch, capsys):
    peak = 0

    def grow(size, seconds):
        nonlocal peak
        peak = max(peak, size)
        return common.Timing(seconds, seconds, seconds, 1)

    monkeypatch.setattr(common, "peak_rss_bytes", lambda: peak)
    monkeypatch.setattr(common, "matmul_seconds", lambda **_: grow(70 << 20, 0.5))
    monkeypatch.setattr(common, "measure", lambda *_, **__: grow(60 << 20, 1.0))
    monkeypatch.setattr(audio_to_video, "work", lambda *_: None)
    monkeypatch.setattr(audio_to_video.torch.cuda, "is_available", lambda: False)
    audio_to_video.report("forward", 1, 1, False)
    assert json.loads(capsys.readouterr().out)[1:] == [2.0, 60.0]


def test_the_clip_to_be_decoded_has_the_size_of_the_published_one(tmp_path):
    decode = audio_to_video.loading(audio_to_video.DECODING, tmp_path)
    with av.open(str(tmp_path / "clips" / "0.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate, video.frames) == (360, 288, 25, 75)
        assert (sound.rate, sound.channels) == (44_100, 2)
        assert float(sound.duration * sound.time_base) == pytest.approx(3.0, abs=0.03)
    first, again = decode(), decode()
    assert [clip.length for clip in (*first, *again)] == [90, 90]
    assert first[0].folder != again[0].folder  # decoded, and not found in the cache
    assert np.abs(first[0].sound(0, 3 * RATE)).max() > 0.1


@pytest.mark.parametrize(("rows", "shown"), [("batch of 8", True), ("loading", False)])
def test_loading_is_set_against_the_step(rows, shown, monkeypatch, capsys):
    def run(words, **_):
        ratio = {audio_to_video.BATCH: 0.5, audio_to_video.STEP: 40.0}.get(words[words.index("--row") + 1], 1.0)
        return SimpleNamespace(stdout=json.dumps(["1 ms", ratio, 0.0]))

    monkeypatch.setattr(audio_to_video, "subprocess", SimpleNamespace(run=run, PIPE=None))
    monkeypatch.setattr(sys, "argv", ["audio_to_video", "--rows", rows, "--threads", "1"])
    audio_to_video.main()
    assert ("loading a batch of 8 adds 1.2 % to its step" in capsys.readouterr().out) is shown
