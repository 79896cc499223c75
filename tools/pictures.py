"""Makes the pictures of the README, ``docs/pictures/``: real output of every system on its generated world.

``make pictures`` trains all five as they ship, one after another (more than an hour on two CPU cores), and draws them.
Runs that are there already are given by ``--run <system>=<run folder>``; those must have learned on the generated
worlds, whose pictures may be shown by anybody. ``origin.json`` beside the pictures says of what training each one is.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from callbacks.results import read_rows
from datamodules.atomic_file import write_text
from datamodules.cache_folder import default_cache
from datamodules.clips.demo import demo_folder
from datamodules.errors import InputError
from datamodules.media import read_frames
from datamodules.parts.weave import weave_folder

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/pictures"
ORIGIN = "origin.json"
COLOURS = 48  # of a film; a picture has more
SHOWN = 72  # frames of the film, of which every other one is shown
HEADING, LINE = 20, 224  # pixels of a contact sheet

Picture = NDArray[np.uint8]


def lightning(*words: str | Path) -> None:
    """Run the command; its errors end this one, too."""
    subprocess.run([sys.executable, "-m", "fulgurite", *map(str, words)], cwd=ROOT, check=True)


def street(run: Path) -> Path:
    """Draw the heat over a video of the street, around the frame that scored highest."""
    video = sorted((demo_folder(default_cache()) / "test").glob("*.mp4"))[2]
    lightning("predict", video, "--run", run)
    folder = newest(run / f"predictions/{video.stem}", "overlay.mp4").parent
    frames = list(read_frames(folder / "overlay.mp4"))
    scores = [float(row["score"]) for row in read_rows(folder / "scores.csv")]
    first = max(0, min(int(np.argmax(scores)) - SHOWN // 2, len(frames) - SHOWN))
    return write_gif("street.gif", [enlarge(frame, 2) for frame in frames[first : first + SHOWN : 2]], fps=12)


def cloth(run: Path) -> Path:
    """Draw the heat over the two defective weaves that scored highest."""
    lightning("predict", weave_folder(default_cache()) / "Defect_images", "--run", run)
    sheet = read(newest(run / "predictions", "contact_sheet.png"))
    return write_png("cloth.png", sheet[: HEADING + 2 * LINE], width=900)


def cars(run: Path) -> Path:
    """Lay out cars that do not exist."""
    lightning("sample", "--run", run, "--count", "16", "--seed", "1")
    return write_png("cars.png", read(newest(run / "samples", "sheet.png")), width=800)


def pictures_in_colour(run: Path) -> Path:
    """Lay out pictures above their reconstructions."""
    return write_png("reconstructions.png", read(of_best(run, "-reconstructions.png")), width=800)


def music(run: Path) -> Path:
    """Show a piece of music, its real pictures, those drawn to it, and those drawn to other music."""
    panel = read(of_best(run, ".png"))
    return write_png("music.png", panel[: len(panel) // 3 - 24], width=900)  # the first of three


DRAWN: dict[str, Callable[[Path], Path]] = {
    "vta_gan": street,
    "aitex_vae": cloth,
    "motor_vae_gan": cars,
    "cnn_param_tanh": pictures_in_colour,
    "audio_to_video": music,
}


def enlarge(picture: Picture, factor: int) -> Picture:
    """Enlarge by a whole factor."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def read(path: Path) -> Picture:
    """Return a picture, ``(H, W, 3)``."""
    return np.asarray(Image.open(path).convert("RGB"))


def newest(folder: Path, pattern: str) -> Path:
    """Return the newest of the files that match, at any depth."""
    found = sorted(folder.rglob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not found:
        raise InputError(f"{folder} holds no {pattern}: train the run to its end first.")
    return found[-1]


def best_of(run: Path) -> dict[str, Any]:
    """Return what is known of a run's best weights: by which metric, its value, after how many batches."""
    best = json.loads((run / "checkpoints/index.json").read_text())["best"]
    return {name: best[name] for name in ("monitor", "value", "batches")}


def of_best(run: Path, ending: str) -> Path:
    """Return what the validation of a run's best weights has shown."""
    return newest(run / "media", f"batch-{best_of(run)['batches']:07d}{ending}")


def write_png(name: str, picture: Picture, width: int) -> Path:
    """Write a picture with a palette, no wider than ``width`` pixels."""
    image = Image.fromarray(picture)
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(128).save(FOLDER / name, optimize=True)
    return FOLDER / name


def write_gif(name: str, frames: list[Picture], fps: int) -> Path:
    """Write frames as a GIF that runs for ever."""
    images = [Image.fromarray(frame).quantize(COLOURS, dither=Image.Dither.NONE) for frame in frames]
    images[0].save(FOLDER / name, save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)
    return FOLDER / name


def origin(run: Path) -> dict[str, Any]:
    """Return of what training a picture is; its best weights have drawn it.

    Raises:
        InputError: if it has learned on anything but a generated world.
    """
    told = json.loads((run / "training.json").read_text())
    if told["source"] is not None:
        raise InputError(f"{run} has learned on {told['source']}: give one that has learned on the generated world.")
    wanted = ("system", "device", "date", "commit")
    return {
        "world": "generated",
        **{key: told[key] for key in wanted},
        "command": typed(told["command"]),
        "best": best_of(run),
    }


def typed(words: list[str]) -> list[str]:
    """Return a command without where its run was kept, which is of this machine."""
    places = {place for number, word in enumerate(words) if word.startswith("--run.") for place in (number, number + 1)}
    return [word for number, word in enumerate(words) if number not in places]


def main(argv: list[str] | None = None) -> None:
    """Train what is not given, draw all, and write their origin."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--run", action="append", default=[], metavar="SYSTEM=FOLDER", help="a run that is there already"
    )
    parser.add_argument("--only", action="append", choices=DRAWN, help="draw this one alone; may be given again")
    parser.add_argument("--root", type=Path, default=ROOT / "runs/pictures", help="where runs are trained")
    given = parser.parse_args(argv)
    runs = {name: Path(folder).absolute() for name, _, folder in (one.partition("=") for one in given.run)}
    FOLDER.mkdir(parents=True, exist_ok=True)
    known = json.loads((FOLDER / ORIGIN).read_text()) if (FOLDER / ORIGIN).exists() else {}
    for system in given.only or DRAWN:
        if system not in runs:
            lightning("fit", "--config", f"experiments/{system}.yaml", "--run.root", given.root.absolute())
            runs[system] = given.root.absolute() / system / "latest"
        about = origin(runs[system])  # refused before anything is drawn
        path = DRAWN[system](runs[system])
        known[path.name] = about
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")
    write_text(FOLDER / ORIGIN, json.dumps(dict(sorted(known.items())), indent=2) + "\n")


if __name__ == "__main__":
    main()
