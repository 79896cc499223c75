"""The embedded default data: short pieces of music with pictures that follow them, made by a fixed recipe.

Music is a bass, a melody and drums; tempo, key, tune and dynamics differ from clip to clip. The pictures are made
of the finished sound alone, by one rule, so that whoever hears the sound can know them: the loudness is the size
of a disc, the pitch of the melody its height and colour, the bass the brightness of the ground, and each stroke
of the drums a flash. They are written as MP4 with sound.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from datamodules.decode_cache import made_once
from datamodules.picture_file import Frame
from datamodules.sound.sound import Sound, SoundVideoWriter

MUSIC_VERSION = 1
"""Raised whenever the recipe makes something else."""
CLIPS = 64
SECONDS = 5.0
FPS = 30
RATE = 16_000

Array = NDArray[np.float64]

_SIZE = 128  # height and width of the picture, in pixels
_WINDOW = 1024  # samples around the middle of a picture that it depends on
_SCALE = (0, 3, 5, 7, 10)  # semitones of the minor pentatonic scale
_BASS, _MELODY, _DRUMS = (30.0, 180.0), (230.0, 1300.0), (3000.0, 8000.0)  # bands in Hz


def music_folder(cache: Path) -> Path:
    """Return the folder with the clips; it is written on the first call, in some seconds.

    Raises:
        InputError: if it cannot be written.
    """
    return made_once(cache / f"music-v{MUSIC_VERSION}", write_music, "the music")


def write_music(folder: Path) -> None:
    """Write all clips into ``folder``; every call makes the same."""
    for number in range(CLIPS):
        sound = compose(np.random.default_rng((3, number)), SECONDS)
        write_clip(folder / f"music_{number + 1:02d}.mp4", sound)


def write_clip(path: Path, sound: Sound) -> None:
    """Write float32 ``(n,)`` at ``RATE`` as an MP4 with the pictures that follow it."""
    step = RATE // FPS + 1
    with SoundVideoWriter(path, FPS, (_SIZE, _SIZE), RATE, crf=14) as film:
        for number, frame in enumerate(visualise(sound)):
            film.write(frame)
            film.write_sound(sound[None, number * step : (number + 1) * step])


def compose(random: Generator, seconds: float) -> Sound:
    """Return float32 ``(n,)`` at ``RATE`` in [-1, 1]: another piece for every state of ``random``."""
    beat = 60 / random.uniform(80, 140)
    key = int(random.integers(45, 57))  # MIDI number of the keynote of the bass, an octave higher in the melody
    mix = np.zeros(round(seconds * RATE))
    dynamics = random.uniform(0.25, 1.0, 64)  # per half beat
    note = int(random.integers(5, 15))
    for half in range(int(2 * seconds / beat) + 1):
        start = half * beat / 2
        if half % 2 == 0:
            tone = key - 12 + (0, 0, 5, 7)[half // 4 % 4]
            _add(mix, start, _tone(tone, 0.9 * beat, (1.0, 0.35), 3.0), 0.28)
            _add(mix, start, _kick(), 0.45)
        if half % 4 == 2:
            _add(mix, start, _noise(random, 0.12), 0.3)
        elif random.random() < 0.45:
            _add(mix, start, _noise(random, 0.03), 0.16)
        if random.random() < 0.72:
            note = int(np.clip(note + random.integers(-4, 5), 3, 17))
            tone = key + 12 * (note // 5) + _SCALE[note % 5]
            long = beat * random.choice((0.5, 0.5, 1.0))
            _add(mix, start, _tone(tone, long, (1.0, 0.25, 0.1), 2.5), 0.42 * dynamics[half % 64])
    return (mix / max(1.0, np.abs(mix).max() / 0.95)).astype(np.float32)


def listen(sound: Sound) -> Array:
    """Return what the pictures follow, ``(T, 4)`` in [0, 1]: loudness, pitch, bass and strokes.

    A picture depends on the ``_WINDOW`` samples around its middle; strokes also on as many two pictures before.

    Args:
        sound: float32 ``(n,)`` at ``RATE``.
    """
    count = round(len(sound) / RATE * FPS)
    middles = np.round((np.arange(-2, count) + 0.5) * RATE / FPS).astype(int)
    padded = np.pad(sound.astype(np.float64), (4 * _WINDOW, 2 * _WINDOW))
    pieces = np.stack([padded[middle + 4 * _WINDOW - _WINDOW // 2 :][:_WINDOW] for middle in middles])
    spectrum = np.abs(np.fft.rfft(pieces * np.hanning(_WINDOW))) / (_WINDOW / 4)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)

    def level(band: tuple[float, float]) -> Array:
        inside = (hertz >= band[0]) & (hertz < band[1])
        return 20 * np.log10(np.sqrt((spectrum[:, inside] ** 2).sum(axis=1)) + 1e-4)

    tune = (hertz >= _MELODY[0]) & (hertz < _MELODY[1])
    weight = spectrum[:, tune] ** 2 + 1e-7
    pitch = np.exp((weight * np.log(hertz[tune])).sum(axis=1) / weight.sum(axis=1))
    loud = 10 * np.log10((pieces**2).mean(axis=1) + 1e-8)
    stroke = level(_DRUMS)
    features = np.stack(
        [
            _ramp(loud, -32, -9),
            _ramp(np.log(pitch), np.log(_MELODY[0]), np.log(1000)),
            _ramp(level(_BASS), -30, -4),
            _ramp(stroke - np.roll(stroke, 2), 3, 24) * _ramp(stroke, -50, -28),
        ],
        axis=1,
    )
    return features[2:]


def visualise(sound: Sound) -> list[Frame]:
    """Return the T uint8 RGB pictures ``(128, 128, 3)`` that belong to float32 ``(n,)`` at ``RATE``."""
    return [_draw(*row) for row in listen(sound)]


def _draw(loudness: float, pitch: float, bass: float, stroke: float) -> Frame:
    canvas, sky = np.empty((_SIZE, _SIZE, 3), np.uint8), _SIZE * 3 // 4
    canvas[:sky] = np.array((18, 20, 44)) + round(150 * stroke)
    canvas[sky:] = np.array((40, 90, 60)) * (0.3 + 2.2 * bass)
    hue = np.array([[[round(140 * pitch), 210, 250]]], np.uint8)
    colour = [int(value) for value in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0]]
    centre = (16 * _SIZE // 2, round(16 * (96 - 66 * pitch)))
    cv2.circle(canvas, centre, round(16 * (5 + 25 * loudness)), colour, -1, cv2.LINE_AA, 4)
    return canvas


def _ramp(value: Array, low: float, high: float) -> Array:
    return ((value - low) / (high - low)).clip(0, 1)


def _add(mix: Array, start: float, sound: Array, gain: float) -> None:
    """Add a sound from ``start`` seconds on, as far as it fits."""
    first = round(start * RATE)
    end = min(len(mix), first + len(sound))
    if first < end:
        mix[first:end] += gain * sound[: end - first]


def _tone(midi: float, seconds: float, partials: tuple[float, ...], decay: float) -> Array:
    """Return a tone that sets in within 8 ms and dies away."""
    time = np.arange(round(seconds * RATE)) / RATE
    turns = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time
    wave = sum(gain * np.sin(turns * number) for number, gain in enumerate(partials, start=1))
    envelope = np.minimum(time / 0.008, 1) * np.exp(-decay * time) * np.minimum((seconds - time) / 0.02, 1)
    return np.asarray(wave * envelope)


def _kick() -> Array:
    time = np.arange(round(0.18 * RATE)) / RATE
    return np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-30 * time)))) * np.exp(-18 * time)


def _noise(random: Generator, seconds: float) -> Array:
    """Return a stroke of noise without its low part, as of a snare drum or a hi-hat."""
    time = np.arange(round(4 * seconds * RATE)) / RATE
    white = random.normal(size=len(time))
    return np.diff(white, prepend=0.0) * np.exp(-time / seconds) * 0.5
