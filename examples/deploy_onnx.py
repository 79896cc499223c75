"""Find anomalies in a video by an exported VTA-GAN; onnxruntime, NumPy and PyAV are all that is needed.

    lightning export runs/vta_gan --out street.onnx
    pip install onnxruntime numpy av
    python examples/deploy_onnx.py street.onnx today.mp4 --output scores.csv

The scores are those of `lightning predict`. Copy this file and change it: nothing of the project is imported. It takes
videos of a constant rate, as cameras record them; what the file needs of them, and where its scores are called
anomalous, it says itself.
"""

import argparse
import csv
import json
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]
WINDOWS_AT_ONCE = 16


def main() -> None:
    """Score a video, write its table, and say what was found."""
    parser = argparse.ArgumentParser(description="Find anomalies in a video by an exported VTA-GAN.")
    parser.add_argument("model", type=Path, help="file that lightning export has written")
    parser.add_argument("video", type=Path, help="video to look at")
    parser.add_argument("--output", type=Path, default=Path("scores.csv"), help="table to write (default: scores.csv)")
    given = parser.parse_args()
    session = onnxruntime.InferenceSession(str(given.model), providers=["CPUExecutionProvider"])
    about = read_about(session)
    with av.open(str(given.video)) as container:
        rate = float(container.streams.video[0].average_rate or 25)
    scores = score(session, about, given.video)
    threshold = about["threshold"]
    with given.output.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "frame", "time", "score", "anomalous"])
        for number, value in enumerate(scores):
            table.writerow(
                [given.video.stem, number, f"{number / rate:.3f}", format(value, ".9g"), int(value > threshold)]
            )
    above = int((scores > threshold).sum())
    highest = int(scores.argmax())
    print(
        f"{above} of {len(scores)} frames above the threshold of {threshold:.4g}, "
        f"highest score {scores[highest]:.4g} at {highest / rate:.1f} s; {given.output}"
    )


def read_about(session: Any) -> dict[str, Any]:
    """Return what the file says of itself: sizes, threshold, how a video is cut into windows, and much more."""
    said = session.get_modelmeta().custom_metadata_map
    about = {name: json.loads(text) for name, text in said.items()}
    if about.get("system") != "VTAGAN":
        sys.exit(f"this file is of {about.get('system')}, and only VTAGAN scores videos")
    if [port.name for port in session.get_inputs()] != ["frames", "region"]:
        sys.exit(f"this file needs more than frames: {' '.join(about['outside'])}")
    return about


def score(session: Any, about: dict[str, Any], video: Path) -> Array:
    """Return the score of every frame: the mean over all windows that hold it."""
    total, count = np.zeros(0), np.zeros(0)
    windows = cut(prepared(video, about["preparation"]), about["preparation"])
    while batch := list(islice(windows, WINDOWS_AT_ONCE)):
        numbers, frames, region = (np.stack(part) for part in zip(*batch, strict=True))
        (found,) = session.run(["score"], {"frames": frames, "region": region})
        missing = max(0, int(numbers.max()) + 1 - len(total))
        total, count = np.pad(total, (0, missing)), np.pad(count, (0, missing))
        np.add.at(total, numbers, found)
        np.add.at(count, numbers, 1)
    return total / count


def prepared(video: Path, preparation: dict[str, Any]) -> Iterator[tuple[Array, Array]]:
    """Yield every frame as uint8 ``(3, H, W)`` in its letterbox, and where the picture lies in that."""
    height, width = preparation["image_size"]
    with av.open(str(video)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            picture = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            yield letterbox(picture, height, width, preparation["fit"])


def cut(frames: Iterator[tuple[Array, Array]], preparation: dict[str, Any]) -> Iterator[tuple[Array, Array, Array]]:
    """Yield windows of T frames: their numbers, the frames ``(T, 3, H, W)``, and the place of the picture.

    The video is seen as ``frame_step`` interleaved ones. In each a window begins every ``stride`` of its frames, and a
    last one ends with it, so that every frame is in some window.
    """
    length, step, stride = preparation["num_frames"], preparation["frame_step"], preparation["stride"]
    reach = (length - 1) * step + 1
    kept: deque[Array] = deque(maxlen=reach + step)
    count, region = 0, np.zeros(4, np.int64)

    def window(start: int) -> tuple[Array, Array, Array]:
        numbers = start + step * np.arange(length)
        return numbers, np.stack([kept[number - count] for number in numbers]), region

    for picture, region in frames:  # noqa: B007  # the last one's place is that of all
        kept.append(picture)
        count += 1
        start = count - reach - step
        if start >= 0 and start // step % stride == 0:
            yield window(start)
    if count < length * step:
        sys.exit(f"the video has {count} frames, and a window needs {length * step}")
    for start in range(count - reach - step + 1, count - reach + 1):
        yield window(start)


def letterbox(picture: Array, height: int, width: int, fit: str) -> tuple[Array, Array]:
    """Scale ``(h, w, 3)`` into ``(3, height, width)``; with fit ``stretch`` the shape of things is not kept."""
    old_height, old_width = picture.shape[:2]
    scale = min(height / old_height, width / old_width)
    new_height = height if fit == "stretch" else max(1, round(old_height * scale))
    new_width = width if fit == "stretch" else max(1, round(old_width * scale))
    scaled = resized(picture, new_height, new_width)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    whole = np.zeros((3, height, width), np.uint8)
    whole[:, top : top + new_height, left : left + new_width] = np.rint(scaled).clip(0, 255).transpose(2, 0, 1)
    return whole, np.array([top, left, new_height, new_width])


def resized(picture: Array, height: int, width: int) -> Array:
    """Scale ``(h, w, 3)`` to ``(height, width, 3)``, float32: by means over areas where it shrinks, as OpenCV does."""
    old_height, old_width = picture.shape[:2]
    if height > old_height or width > old_width:
        rows, columns = linear(old_height, height), linear(old_width, width)
    elif old_height % height == old_width % width == 0:
        blocks = picture.reshape(height, old_height // height, width, old_width // width, 3)
        return blocks.sum((1, 3)).astype(np.float32) * np.float32(height * width / (old_height * old_width))
    else:
        rows, columns = area(old_height, height), area(old_width, width)
    lines = columns @ picture.astype(np.float32)  # (h, width, 3)
    return (rows @ lines.reshape(old_height, -1)).reshape(height, width, 3)


def area(old: int, new: int) -> Array:
    """Return what every old pixel counts in each new one, ``(new, old)``, by the area that they share."""
    pixel, first = np.arange(old), np.arange(new)[:, None] * (old / new)
    shared = np.minimum(first + old / new, pixel + 1) - np.maximum(first, pixel)
    return (np.where(shared > 1e-3, shared, 0) / np.minimum(old / new, old - first)).astype(np.float32)


def linear(old: int, new: int) -> Array:
    """Return what every old pixel counts in each new one, ``(new, old)``, by its distance; OpenCV rounds more."""
    centre = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)[:, None]
    return (1 - np.abs(centre - np.arange(old))).clip(0).astype(np.float32)


if __name__ == "__main__":
    main()
