"""Sound of any file that PyAV reads, decoded piece by piece, and videos with sound.

Sound is float32 ``(channels, samples)`` in [-1, 1]. It is put in its place by the time stamps of the file, as
pictures are, so that both stay together however long a file is.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torchaudio.transforms import Resample

from datamodules.cut_short import mp3_says_length, tell_if_cut
from datamodules.errors import InputError
from datamodules.media import VideoWriter, declared_seconds, open_container, shown_stream
from datamodules.warn_once import warn_once

Sound = NDArray[np.float32]

SOUND_SUFFIXES = (
    *(
        ".wav",
        ".flac",
        ".mp3",
        ".mp2",
        ".ogg",
        ".oga",
        ".opus",
        ".spx",
        ".m4a",
        ".m4b",
        ".aac",
        ".aif",
        ".aiff",
        ".aifc",
    ),
    *(".wma", ".ac3", ".eac3", ".dts", ".amr", ".ape", ".wv", ".tta", ".w64", ".rf64", ".mka", ".weba", ".au", ".caf"),
)

_DRIFT = 0.02  # seconds by which a time stamp may differ from the count of samples: containers round them
_LATE = 0.25  # seconds between the last sample and the end in a header that are no damage
_LONGEST_GAP = 60.0  # seconds; a longer one is a broken clock, not a pause
_LARGEST = 4.0  # a lossy codec overshoots 1 a little; samples beyond this are on another scale
_CANCELLED = 0.01  # of the energy; of two channels that have nothing in common half is left
_LARGEST_FILTER = 1 << 24  # taps; the filter grows with the product of the reduced rates
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def read_sound(path: Path, rate: int, *, stereo: bool = False, origin: float | None = None) -> Iterator[Sound]:
    """Yield the sound track of a file that players choose in pieces of about a second, in memory for a few of them.

    Two channels are averaged (``stereo`` keeps them as they are), more of them brought to two before, as ITU-R
    BS.775 says. Where they cancel each other out, a warning says so. Pauses between time stamps become silence, so
    do packets that cannot be decoded, with one warning; what overlaps is dropped. A lossy codec and the filter
    overshoot a little; as on playing, that is cut off at -1 and 1.

    Args:
        path: sound or video file.
        rate: samples per second to bring it to.
        stereo: whether to yield two channels.
        origin: time on the file's clock, in seconds, that becomes sample 0, such as that of the first picture;
            what lies before is left out. None: the first sample.

    Yields:
        float32 ``(1, n)``, or ``(2, n)`` if ``stereo``.

    Raises:
        InputError: if there is no sound track, it is empty or for the larger part damaged, or its rate cannot be
            converted.
    """
    resampler: Resampler | None = None
    waiting: list[Sound] = []
    own_rate = count = 0
    heard = mixed = 0.0  # energy before and after
    odd: list[str] = []
    for frame in _decode(path, odd):
        channels = _channels(path, frame)
        samples = _mix(channels, stereo)
        heard, mixed = heard + float(np.square(channels).mean()), mixed + float(np.square(samples).mean())
        if resampler is None:
            own_rate = frame.sample_rate
            resampler = Resampler(path, own_rate, rate, len(samples))
            origin = frame.time or 0.0 if origin is None else origin
        if frame.sample_rate != own_rate:
            raise InputError(
                f"{path}: its sound changes from {own_rate} to {frame.sample_rate} samples a second on the way; "
                "convert it to one rate first"
            )
        if frame.time is not None:
            samples = _in_place(path, samples, round((frame.time - origin) * own_rate) - count, count, own_rate, odd)
        count += samples.shape[1]
        waiting.append(samples)
        if sum(piece.shape[1] for piece in waiting) >= own_rate:
            yield resampler.push(np.concatenate(waiting, axis=1))
            waiting = []
    if resampler is None or not count:
        raise InputError(f"{path}: its sound track is empty")
    if mixed < _CANCELLED * heard:
        warn_once(
            f"{path}: the channels of its sound cancel each other out (antiphase), so that next to nothing is left of "
            "them; keep one of them, e.g. by ffmpeg -i FILE -af 'pan=mono|c0=c0' NEW"
        )
    yield resampler.push(np.concatenate([*waiting, np.zeros((2 if stereo else 1, 0), np.float32)], axis=1))
    yield resampler.rest()


def resampled(name: str, samples: Sound, own_rate: int, rate: int) -> Iterator[Sound]:
    """Yield a sound that is in memory in pieces, as ``read_sound`` yields that of a file with these samples.

    Args:
        name: what messages call it.
        samples: float32 ``(channels, n)`` in [-1, 1].
        own_rate: of these samples per second.
        rate: samples per second to bring it to.

    Yields:
        float32 ``(1, n)``.

    Raises:
        InputError: if it is empty, or its rate cannot be converted.
    """
    if not samples.shape[1]:
        raise InputError(f"{name}: holds no samples; give some")
    _refuse_large(samples, name)
    mono = _mix(samples, stereo=False)
    resampler = Resampler(Path(name), own_rate, rate, 1)
    for start in range(0, mono.shape[1], own_rate):
        yield resampler.push(mono[:, start : start + own_rate])
    yield resampler.rest()


def count_samples(path: Path, rate: int) -> int:
    """Return the exact number of samples that ``read_sound`` yields; decodes the file for it.

    Raises:
        InputError: as ``read_sound``.
    """
    return sum(piece.shape[1] for piece in read_sound(path, rate))


def track_rate(path: Path) -> int:
    """Return the rate at which a file's sound is copied into an MP4: its own where AAC knows it, else 48,000 Hz.

    Raises:
        InputError: if there is no sound track.
    """
    with _open_sound(path) as (_, stream):
        return mp4_rate(stream.rate)


def mp4_rate(rate: int) -> int:
    """Return the rate at which sound of ``rate`` samples a second is written into an MP4; AAC knows a few only."""
    return rate if rate in _AAC_RATES else 48_000


class Resampler:
    """Changes the rate of a stream; the pieces together equal the whole, resampled at once.

    Windowed sinc interpolation of ``torchaudio``. A piece waits until what the filter needs on its right is there.

    Args:
        path: named in the error.
        source: samples per second that come in.
        target: samples per second that go out.
        channels: of the sound.

    Raises:
        InputError: if the two rates have so little in common that the filter would not fit into memory.
    """

    def __init__(self, path: Path, source: int, target: int, channels: int) -> None:
        common = math.gcd(source, target)
        self._source, self._target = source // common, target // common
        if self._source * self._target > _LARGEST_FILTER:
            raise InputError(
                f"{path}: is sampled at {source} Hz, which has too little in common with data.sample_rate, {target}; "
                "give a usual one, such as 16000, or convert the file to a usual rate, such as 44100"
            )
        self._resample = Resample(source, target)
        blocks = -(-self._resample.width // self._source) if source != target else 0
        self._context, self._skip = blocks * self._source, blocks * self._target
        self._kept: Sound = np.zeros((channels, self._context), np.float32)

    def push(self, samples: Sound) -> Sound:
        """Take in ``(channels, n)`` and return what is ready."""
        self._kept = np.concatenate([self._kept, samples], axis=1)
        blocks = max(0, (self._kept.shape[1] - 2 * self._context) // self._source)
        ready = self._convert(self._kept[:, : 2 * self._context + blocks * self._source])
        self._kept = self._kept[:, blocks * self._source :]
        return ready[:, self._skip : self._skip + blocks * self._target]

    def rest(self) -> Sound:
        """Return the end of the stream."""
        return self._convert(self._kept)[:, self._skip :]

    def _convert(self, samples: Sound) -> Sound:
        converted: Sound = self._resample(torch.from_numpy(samples)).numpy()
        return converted.clip(-1, 1)


class SoundVideoWriter(VideoWriter):
    """Writes an MP4 with pictures (H.264) and sound (AAC); both start at time 0.

    Write them in step, so that neither has to wait for the other in memory.

    Args:
        path: where to write; ends in ``.mp4``.
        fps: pictures per second.
        size: (height, width) of the pictures in pixels.
        rate: samples per second of the sound, one that AAC knows.
        channels: of the sound, 1 or 2.
        crf: H.264's quality, 0 lossless to 51 worst.
    """

    def __init__(
        self, path: Path, fps: float, size: tuple[int, int], rate: int, channels: int = 1, crf: int = 20
    ) -> None:
        super().__init__(path, fps, size, crf)
        self._layout = "stereo" if channels == 2 else "mono"
        # not aac_coder=fast, which distorts loud low tones: of a sine of 100 Hz 9.6 dB are left, by the default 64 dB
        self._track = self._container.add_stream("aac", rate=rate, layout=self._layout)
        self._track.bit_rate = 96_000 * channels
        self._rate, self._written = rate, 0

    def write_sound(self, samples: Sound) -> None:
        """Append float32 ``(channels, n)`` in [-1, 1]."""
        if not samples.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = self._written
        self._written += samples.shape[1]
        self._container.mux(self._track.encode(frame))

    def _finish(self) -> None:
        self._container.mux(self._track.encode(None))
        super()._finish()


@contextmanager
def _open_sound(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the sound track of a file that players choose; FFmpeg's errors inside the block name the file."""
    try:
        with open_container(path) as container:
            track = shown_stream(path, container.streams.audio)
            if track is None:
                raise InputError(f"{path}: has no sound track")
            yield container, track
    except av.FFmpegError as error:
        raise InputError(f"{path}: unreadable sound ({error.strerror}); it is damaged or not a sound file") from error


def _decode(path: Path, odd: Sequence[str]) -> Iterator[Any]:
    """Yield the frames of a file's sound; packets that cannot be decoded are left out.

    Of what is missing one warning tells: where nothing else is, what has become ``odd`` in the meantime.
    """
    decoded = damaged = 0
    end = 0.0
    with _open_sound(path) as (container, stream):
        tell_if_cut(path)
        declared = _declared_end(path, container.format.name, stream)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            decoded += bool(frames)
            for frame in frames:
                end = max(end, (frame.time or 0.0) + frame.samples / frame.sample_rate)
                yield frame
    if damaged > decoded:
        raise InputError(f"{path}: its sound is damaged: {decoded} packets can be decoded, {damaged} cannot")
    if damaged:
        warnings.warn(
            f"{path}: {damaged} of {damaged + decoded} packets of its sound are damaged and left out", stacklevel=2
        )
    elif end < declared:
        warn_once(
            f"{path}: its sound ends at {end:.2f} seconds, before its header says; if it was cut short, get it anew"
        )
    elif odd:
        warn_once(
            f"{path}: the time stamps of its sound leave {odd[0]}; where that is no pause in the recording, the "
            "file is damaged: get it anew"
        )


def _declared_end(path: Path, container: str, stream: Any) -> float:
    """Return the second before which sound cannot end if it is whole, as its header has it; 0 where that is unknown."""
    if "matroska" in container:
        return (declared_seconds(container, stream.metadata.get("DURATION", "")) or 0.0) - _LATE
    exact = container in ("flac", "aiff") or (container == "mp3" and mp3_says_length(path))
    if stream.duration is None or not (exact or "mp4" in container):
        return 0.0
    return float(stream.duration * stream.time_base) - (_DRIFT if exact else _LATE)


def _channels(path: Path, frame: Any) -> NDArray[np.floating[Any]]:
    """Return the samples of a frame, whatever their format: ``(1, n)`` or ``(2, n)``, more only of unknown places."""
    if frame.layout.nb_channels > 2 and not frame.layout.name.endswith("channels"):  # FFmpeg knows where each one is
        (frame,) = av.AudioResampler("fltp", "stereo").resample(frame)
    channels = frame.layout.nb_channels
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / 128 - 1
    elif np.issubdtype(samples.dtype, np.integer):
        samples = samples / np.float64(2 ** (8 * samples.dtype.itemsize - 1))
    _refuse_large(samples, path)
    return samples


def _refuse_large(samples: NDArray[np.floating[Any]], name: object) -> None:
    if not (np.abs(samples) <= _LARGEST).all():  # also where NaN
        worst = samples.flat[np.abs(samples).argmax()]  # NaN counts as the largest
        raise InputError(
            f"{name}: its sound has the value {worst:g}, not a number within {_LARGEST:g}; scale it to [-1, 1]"
        )


def _mix(channels: NDArray[np.floating[Any]], stereo: bool) -> Sound:
    """Return ``(1, n)``, or ``(2, n)`` if ``stereo``."""
    if not (stereo and len(channels) == 2):
        channels = np.repeat(channels.mean(axis=0, keepdims=True), 2 if stereo else 1, axis=0)
    return channels.astype(np.float32)


def _in_place(path: Path, samples: Sound, ahead: int, count: int, rate: int, odd: list[str]) -> Sound:
    """Fill a gap of ``ahead`` samples with silence, or drop what was there already (``ahead`` negative).

    Both are noted in ``odd``.
    """
    if count and abs(ahead) <= _DRIFT * rate:
        return samples
    if ahead > _LONGEST_GAP * rate:
        raise InputError(
            f"{path}: the time stamps of its sound jump by {ahead / rate:.0f} s at {count / rate:.1f} s; "
            "write the file anew, with a clock that runs through"
        )
    if count:
        what = "a gap, which is read as silence" if ahead > 0 else "an overlap, of which the later part is left out"
        odd.append(f"{abs(ahead) / rate:.2f} s of {what}, at {count / rate:.2f} s")
    if ahead >= 0:
        return np.pad(samples, ((0, 0), (ahead, 0)))
    return samples[:, -ahead:]
