"""Old names of keys and classes, and how the user learns the new ones."""

import yaml

from fulgurite.given import Given, Written

_WEIGHTS = (
    *("adversarial", "reconstruction", "feature", "consistency", "smoothness", "flow_consistency", "photometric"),
    *("flow_smoothness", "r1", "penalty", "l2", "l1", "change", "structure", "mismatch"),
)

RENAMED: dict[str, str] = {
    "AudioToVideo.architecture": "model.network",
    "AudioToVideo.architecture=transformer": "model.network: AudioToVideoNet",
    "AudioToVideo.architecture=legacy": "model.network: AudioToVideoNetLegacy",
    **{
        f"AudioToVideo.{name}": f"model.network.{name}, of AudioToVideoNet alone: leave it out for the legacy network"
        for name in ("layers", "heads", "feedforward", "dropout", "cross_attention", "chunk", "max_frames")
    },
    "AudioToVideo.width": "model.network.width",
    "AudioToVideo.pretrained_encoder": "model.network.encoder.name, of the encoder PretrainedEncoder",
    **{f"model.{name}_weight": f"model.weights.{name}" for name in _WEIGHTS},
    "model.beta": "model.weights.kl",
    "model.losses": "model.weights, in which a loss that is not named keeps its weight and 0 leaves one out",
    "ConstantBeta": "a plain number",
    "WarmUpBeta": "lightning_models.training.schedules.WarmUp",
    "WarmUp.beta": "WarmUp.weight",
    "HoldThenLinearBeta": "lightning_models.training.schedules.HoldThenLinear",
    "CyclicalBeta": "lightning_models.training.schedules.Cyclical",
    "Cyclical.beta": "Cyclical.weight",
    "WarmUpCosine": "lightning_models.training.learning_rate.WarmUpCosine",
    "AnomalyMetrics": "callbacks.ClipMetrics",
    "MediaLogger": "callbacks.ClipMedia",
    "PredictionWriter": "callbacks.ClipPredictions",
    "GenerationMetrics": "callbacks.ImageMetrics",
    "ImageSheets": "callbacks.ImageMedia",
    "ReconstructionWriter": "callbacks.ImagePredictions",
    "DefectMetrics": "callbacks.PartMetrics",
    "DefectWriter": "callbacks.PartPredictions",
    "AudioVideoMetrics": "callbacks.SoundMetrics",
    "SideBySide": "callbacks.SoundMedia",
    "VideoTrackWriter": "callbacks.SoundPredictions",
}
"""Old name -> new name, of these kinds:

- a dotted key without ``init_args``: ``"model.reconstruction_weight": "model.weights.reconstruction"``
- an argument of one class: ``"Cyclical.beta": "Cyclical.weight"``
- one value of an argument: ``"AudioToVideo.architecture=legacy": "model.network: AudioToVideoNetLegacy"``
- a class: ``"WarmUpBeta": "lightning_models.training.schedules.WarmUp"``

What follows a comma in the new name is said about it. A name is looked up only where it is not known, so that an old
name may come to mean something else.
"""


def is_old(key: str, owner: str = "") -> bool:
    """Return whether a dotted key, or one that it lies in, or an argument of the class ``owner`` has a new name."""
    return any(prefix in RENAMED for prefix in _prefixes(key)) or f"{owner}.{key.rpartition('.')[2]}" in RENAMED


def tell_new_names(given: Given) -> str:
    """Return one sentence with every old name that the user wrote, its new name, and how to write it."""
    return "; ".join(filter(None, map(_tell, given.written)))


def _tell(written: Written) -> str:
    old, inner = written.key, ""
    if written.config is None:  # an option may name a key within the old one; a file has shown the old one itself
        old = next((prefix for prefix in _prefixes(old) if prefix in RENAMED), old)
        inner = written.key.removeprefix(old)
    stem, argument = str(written.value).rpartition(".")[2], f"{written.owner}.{old.rpartition('.')[2]}"
    if whole := RENAMED.get(f"{argument}={written.value}"):
        return f"{written.key}{written}: write {whole}"
    value = RENAMED.get(stem, written.value) if stem[:1].isupper() else written.value
    new = RENAMED.get(old) or RENAMED.get(argument)
    if new is None:
        return f"{written.key}{written}: this class is now called {value}" if value != written.value else ""
    name, comma, more = new.partition(",")
    if written.config is None:
        return f"--{written.key} {written.value}: now called {name}{inner}{comma}{more}; write --{name}{inner} {value}"
    shown = yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()
    return f"{written.key}{written}: now called {new}; write {name}: {shown}"


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
