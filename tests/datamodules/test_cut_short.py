import wave

import av
import numpy as np
import pytest

from datamodules.cut_short import mp3_says_length, tell_if_cut


def sound(path, codec, seconds=2.0):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000)
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, (1, round(48_000 * seconds))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("b.ogg", "libopus")])
def test_what_ends_too_early_is_told(name, codec, tmp_path, recwarn):
    path = sound(tmp_path / name, codec)
    tell_if_cut(path)
    assert not recwarn
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.warns(UserWarning, match=f"{name}: .*cut short.*get it anew"):
        tell_if_cut(path)


def test_a_size_that_was_never_filled_in_is_none(tmp_path, recwarn):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1000))
    content = bytearray((tmp_path / "a.wav").read_bytes())
    for size in (b"\x00" * 4, b"\xff" * 4, (0x7FFF_FFFF).to_bytes(4, "little")):
        content[4:8] = size
        (tmp_path / "a.wav").write_bytes(content)
        tell_if_cut(tmp_path / "a.wav")
    assert not recwarn


def test_whether_an_mp3_says_its_length(tmp_path):
    path = sound(tmp_path / "a.mp3", "libmp3lame")
    assert mp3_says_length(path)
    path.write_bytes(path.read_bytes().replace(b"Info", bytes(4)).replace(b"Xing", bytes(4)))
    assert not mp3_says_length(path)
