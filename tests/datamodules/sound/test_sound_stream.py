"""Sounds to draw to as they are read: piece by piece, and no further than the piece at hand needs."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.letterbox import Letterbox
from datamodules.sound import sound_stream
from datamodules.sound.audio_video_cache import Settings
from datamodules.sound.pieces import PieceShape
from datamodules.sound.sound_stream import SoundSource, StreamedPieces

RATE = 1000


class Counted:
    """A sound of numbered samples that comes in parts, and how many of them were asked for."""

    def __init__(self, parts, length):
        self.parts, self.length, self.pulled = parts, length, 0

    def __call__(self, path, rate):
        for number in range(self.parts):
            self.pulled += 1
            yield np.arange(number * self.length, (number + 1) * self.length, dtype=np.float32)[None]


def streamed(monkeypatch, sound, fps, duration, stride):
    """The pieces of a sound."""
    monkeypatch.setattr(sound_stream, "read_sound", sound)
    shape = PieceShape(round(duration * fps), round(duration * RATE), round(stride * fps))
    source = SoundSource("long", Path("long.wav"), fps, round(sound.parts * sound.length / RATE * fps))
    return StreamedPieces([source], Settings(RATE, fps, Letterbox(16, 16)), shape)


def test_a_piece_is_there_as_soon_as_its_sound_is(monkeypatch):
    sound = Counted(60, RATE)
    pieces = streamed(monkeypatch, sound, 30.0, 1.5, 0.5)
    assert len(pieces) == 118
    for number, piece in enumerate(pieces):
        assert sound.pulled == np.ceil(0.5 * number + 1.5)
        assert piece.audio[0, 0] == 500 * number


@pytest.mark.parametrize(("fps", "duration", "stride"), [(30.0, 1.5, 0.5), (1.5, 1.7, 1.7), (1.25, 1.3, 1.3)])
@pytest.mark.parametrize("length", [170, 850, 1000, 9000])
def test_pieces_are_where_their_pictures_are(monkeypatch, fps, duration, stride, length):
    """Also where a stride of whole pictures is longer than a piece: at 1.5 a second 1.7 s are 3 pictures, 2 s."""
    sound = Counted(9000 // length, length)
    samples = round(duration * RATE)
    whole = np.pad(np.arange(9000 // length * length), (0, 4 * RATE))
    pieces = [*streamed(monkeypatch, sound, fps, duration, stride)]
    assert len(pieces) >= 4
    for piece in pieces:
        first = round(piece.start * RATE)
        np.testing.assert_array_equal(piece.audio[0], whole[first : first + samples])
