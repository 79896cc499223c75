"""Writes ``docs/metrics.md``: every figure of any ``results.json``, its range, which way is better, and its traps.

The metrics come from the tables in ``callbacks/<room>/meanings.py``. ``make docs`` runs it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from callbacks.clips.meanings import CLIP_MEANINGS
from callbacks.images.meanings import IMAGE_MEANINGS
from callbacks.meanings import Meaning
from callbacks.parts.meanings import PART_MEANINGS
from callbacks.sound.meanings import SOUND_MEANINGS
from datamodules.atomic_file import write_text

PAGE = Path(__file__).parents[1] / "docs/metrics.md"

SECTIONS: dict[str, tuple[str, Sequence[Meaning]]] = {
    "Frames of video (VTA-GAN)": (
        "`<part>` stands for a kind of evidence, which its [README](../lightning_models/vta_gan/README.md) lists.",
        CLIP_MEANINGS,
    ),
    "Inspected parts (AitexVAE)": (
        "`<part>` stands for a kind of evidence, which its [README](../lightning_models/aitex_vae/README.md) lists.",
        PART_MEANINGS,
    ),
    "Pictures (motorVAEGAN, CNNParamTanh)": (
        "`<part>` stands for what looks at the pictures: `random_conv`, a fixed random network that needs no download, "
        "or `inception`, the network of the literature; see [images.md](images.md).",
        IMAGE_MEANINGS,
    ),
    "Pictures to sound (AudioToVideo)": (
        "[audio_video.md](audio_video.md) explains how they are measured.",
        SOUND_MEANINGS,
    ),
}

GROUPS: dict[str, str] = {
    "frames": "frames of the video that have a label",
    "frame_auroc": "how often an anomalous frame of the video scores above a normal one, 0 to 1, higher is better",
    "tile_auroc": "as above, of this group alone, or of this defect against faultless pictures of its groups",
    "tile_auroc_within": "as above, of this group or defect alone",
    "image_auroc": "as above, of this group or defect alone",
    "pixel_auroc": "as above, of this group or defect alone",
    "aupro": "as above, of this group or defect alone; small groups make it jump",
    "tiles_found": "share of defective tiles above the threshold, 0 to 1, higher is better",
    "pictures_found": "share of defective pictures with a tile above the threshold, 0 to 1, higher is better; a false "
    "alarm elsewhere in the picture counts as found",
    "false_alarms": "share of the tiles of faultless pictures above the threshold, 0 to 1, lower is better",
    "kl": "nats that this dimension of the latent vector tells of a picture, at least 0; near 0 it is not used",
}
"""Figures of a group; what is a count, too, stands in ``COUNTS``."""

COUNTS: dict[str, str] = {
    "videos": "videos",
    "videos_in_macro": "videos that have both kinds of frames",
    "videos_left_out_of_macro": "videos that have one kind only",
    "frames": "frames that have a label",
    "anomalous_frames": "anomalous ones among them",
    "regions": "anomalous regions: boxes that people drew, else what is connected in the masks of a test, or nearly",
    "tracks": "regions that go on from frame to frame, each once",
    "unlabelled_frames": "frames without a label, which take no part in any metric",
    "pictures": "pictures",
    "defective_pictures": "pictures with a defect",
    "faultless_pictures": "pictures without one; what is neither is unknown, and not judged",
    "tiles": "tiles of all pictures",
    "defective_tiles": "tiles on which the mask marks a pixel",
    "faultless_tiles": "tiles of faultless pictures",
    "clean_tiles_beside_defects": "tiles without a defect in pictures that also have one with it",
    "samples": "pictures that were invented, as many as there are real ones",
    "latent_dim": "dimensions of the latent vector",
    "clips": "clips",
    "pieces": "pieces that they were cut into",
}

_HEAD = """# Metrics

What every figure in `results.json` means, which values it can have, which way is better, and what it is easily mistaken
for. At a validation the same names are logged as `val/<name>`, at a test as `test/<name>`. `results.json` itself says
the same below `meanings`, but for the traps; [results_format.md](results_format.md) documents its form.

*This page is written by `make docs`; change the tables in `callbacks/<room>/meanings.py` instead.*
"""


def page() -> str:
    """Return the text of the page."""
    parts = [_HEAD, *(_section(title, *section) for title, section in SECTIONS.items())]
    parts.append(
        _list("Figures of groups", "Below `groups`, of each video, group, kind of defect or dimension.", GROUPS)
    )
    parts.append(_list("Counts", "Below `counts`, how much was judged.", COUNTS))
    return "\n".join(parts)


def _section(title: str, words: str, meanings: Sequence[Meaning]) -> str:
    lines = [f"## {title}", "", words, "", "| metric | what it is | range | better |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {_means(one)} | {_range(one)} | {one.better or 'neither'} |" for one in meanings]
    lines += ["", "What to beware of:", ""]
    traps: dict[str, list[str]] = {}
    for one in meanings:
        if one.trap:
            traps.setdefault(one.trap, []).append(f"`{one.name}`")
    lines += [f"- {', '.join(names)}: {trap}" for trap, names in traps.items()]
    return "\n".join([*lines, ""])


def _means(meaning: Meaning) -> str:
    means = meaning.means.replace("<part>", "`<part>`")  # else a browser would take it for markup
    return f"beside `{meaning.beside}`: {means}" if meaning.beside else means


def _range(meaning: Meaning) -> str:
    match (meaning.lowest, meaning.highest):
        case (None, None):
            return "any"
        case (low, None):
            return f"at least {low:g}"
        case (None, high):
            return f"at most {high:g}"
        case (low, high):
            return f"{low:g} to {high:g}"


def _list(title: str, words: str, figures: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | {means} |" for name, means in figures.items()]
    return "\n".join([f"## {title}", "", words, "", "| name | what it is |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    write_text(PAGE, page())
