"""Old names of keys and classes, and how the user learns the new ones."""

import yaml

from fulgurite.given import Given, Written

RENAMED: dict[str, str] = {
    "AudioToVideo.architecture": "model.network",
    "AudioToVideo.architecture=transformer": "model.network: AudioToVideoNet",
    "AudioToVideo.architecture=legacy": "model.network: AudioToVideoNetLegacy",
    "AudioToVideo.width": "model.network.width",
    "AudioToVideo.layers": "model.network.layers",
    "AudioToVideo.heads": "model.network.heads",
    "AudioToVideo.feedforward": "model.network.feedforward",
    "AudioToVideo.dropout": "model.network.dropout",
    "AudioToVideo.cross_attention": "model.network.cross_attention",
    "AudioToVideo.chunk": "model.network.chunk",
    "AudioToVideo.max_frames": "model.network.max_frames",
    "AudioToVideo.pretrained_encoder": "model.network.encoder",
}
"""Old name -> new name, of these kinds:

- a dotted key without ``init_args``: ``"model.reconstruction_weight": "model.weights.reconstruction"``
- an argument of one class: ``"MediaLogger.windows": "ClipSheets.clips"``
- one value of an argument: ``"AudioToVideo.architecture=legacy": "model.network: AudioToVideoNetLegacy"``
- a class: ``"MediaLogger": "ClipSheets"``

It is looked up only where a name is not known, so that an old name may come to mean something else.
"""


def is_old(key: str, owner: str = "") -> bool:
    """Return whether a dotted key, or one that it lies in, or an argument of the class ``owner`` has a new name."""
    parts = key.split(".")
    prefixes = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return bool(prefixes & RENAMED.keys()) or f"{owner}.{parts[-1]}" in RENAMED


def tell_new_names(given: Given) -> str:
    """Return one sentence with every old name that the user wrote, its new name, and how to write it."""
    return "; ".join(filter(None, map(_tell, given.written)))


def _tell(written: Written) -> str:
    stem, argument = str(written.value).rpartition(".")[2], f"{written.owner}.{written.key.rpartition('.')[2]}"
    if value := RENAMED.get(f"{argument}={written.value}"):
        return f"{written.key}{written}: write {value}"
    new = RENAMED.get(written.key) or RENAMED.get(argument)
    if new is None:
        new = RENAMED.get(stem) if stem[:1].isupper() else None
        return f"{written.key}{written}: this class is now called {new}" if new else ""
    if written.config is None:
        return f"--{written.key} {written.value}: now called {new}; write --{new} {written.value}"
    value = yaml.safe_dump(written.value, default_flow_style=True).removesuffix("\n...\n").strip()
    return f"{written.key}{written}: now called {new}; write {new}: {value}"
