"""Small good files of every kind that is read, made in memory, as bytes."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import av
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

FRAMES, HEIGHT, WIDTH = 30, 48, 64
SECONDS = 2


@cache
def good_file(name: str) -> bytes:
    """Return the file that is called so."""
    made = BytesIO()
    _MAKERS[name](made)
    return made.getvalue()


def _scene() -> NDArray[np.uint8]:
    """Return uint8 ``(FRAMES, HEIGHT, WIDTH, 3)``: noise, and a square that moves."""
    frames = np.random.default_rng(0).integers(0, 120, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[8:16, number : number + 8] = (240, 200, 30)
    return frames


def _masks() -> NDArray[np.uint8]:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    masks[10:20, 8:16, 8:16] = 1
    return masks


def _video(form: str, codec: str, **options: str) -> Callable[[BytesIO], None]:
    def make(file: BytesIO) -> None:
        with NamedTemporaryFile() as place:
            encode(place.name)
            file.write(Path(place.name).read_bytes())

    def encode(place: str) -> None:
        with av.open(place, "w", format=form, options=options) as container:  # faststart reads it again
            stream: Any = container.add_stream(codec, rate=10)
            stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
            stream.codec_context.thread_count = 1
            for number, pixels in enumerate(_scene()):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return make


def _sound(form: str, codec: str, sample_format: str, rate: int) -> Callable[[BytesIO], None]:
    def make(file: BytesIO) -> None:
        time = np.arange(SECONDS * rate) / rate
        noise = np.random.default_rng(0).normal(size=time.size)
        wave = (0.3 * np.sin(2 * np.pi * 440 * time) + 0.05 * noise).astype(np.float32)
        convert = av.AudioResampler(format=sample_format, layout="mono", rate=rate)
        with av.open(file, "w", format=form) as container:
            stream: Any = container.add_stream(codec, rate=rate, layout="mono")
            stream.codec_context.format = sample_format
            for first in range(0, wave.size, 1000):
                frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1000], format="fltp", layout="mono")
                frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first
                for part in convert.resample(frame):
                    container.mux(stream.encode(part))
            container.mux(stream.encode(None))

    return make


def _picture(form: str) -> Callable[[BytesIO], None]:
    return lambda file: Image.fromarray(_scene()[0]).save(file, form)


def _spans(file: BytesIO) -> None:
    cells = np.empty(3, object)
    cells[:] = [np.array([[3, 20], [9, 25]]), np.array([[1], [30]]), np.zeros((2, 0), int)]
    scipy.io.savemat(file, {"gt": cells})


_MAKERS: dict[str, Callable[[BytesIO], Any]] = {
    "video.mp4": _video("mp4", "libx264", movflags="+faststart"),
    "video.avi": _video("avi", "mpeg4"),
    "video.mkv": _video("matroska", "libx264"),
    "video.webm": _video("webm", "libvpx"),
    "sound.wav": _sound("wav", "pcm_s16le", "s16", 16_000),
    "sound.mp3": _sound("mp3", "libmp3lame", "fltp", 44_100),
    "sound.flac": _sound("flac", "flac", "s16", 22_050),
    "sound.ogg": _sound("ogg", "libopus", "flt", 48_000),
    "picture.png": _picture("PNG"),
    "picture.jpg": _picture("JPEG"),
    "picture.tif": _picture("TIFF"),
    "picture.webp": _picture("WEBP"),
    "picture.gif": _picture("GIF"),
    "mask.png": lambda file: Image.fromarray(255 * _masks()[12]).save(file, "PNG"),
    "mask.mat": lambda file: scipy.io.savemat(file, {"volLabel": _masks()}, do_compression=True),
    "mask.npy": lambda file: np.save(file, _masks()),
    "labels.csv": lambda file: file.write(b"video,start,end\n" + b"".join(b"c%d,%d,20\n" % (n, n) for n in range(9))),
    "labels.mat": _spans,
    "labels.npy": lambda file: np.save(file, np.arange(FRAMES, dtype=np.int8) % 2),
    "labels.m": lambda file: file.write(b"TestVideoFile{end+1}.gt_frame = [3:9, 20:25];\n" * 9),
}
NAMES = tuple(_MAKERS)
