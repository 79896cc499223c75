"""What is watched, kept and shown while a model is learned."""

from callbacks.adversarial_health import AdversarialHealth
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.clips.media import ClipMedia
from callbacks.clips.metrics import ClipMetrics
from callbacks.clips.predictions import ClipPredictions
from callbacks.images.media import ImageMedia
from callbacks.images.metrics import ImageMetrics
from callbacks.images.predictions import ImagePredictions
from callbacks.parts.media import PartMedia
from callbacks.parts.metrics import PartMetrics
from callbacks.parts.predictions import PartPredictions
from callbacks.sound.media import SoundMedia
from callbacks.sound.metrics import SoundMetrics
from callbacks.sound.predictions import SoundPredictions
from callbacks.wandb_run import WandbRun

__all__ = [
    "AdversarialHealth",
    "AtomicCheckpointIO",
    "Checkpoints",
    "ClipMedia",
    "ClipMetrics",
    "ClipPredictions",
    "ImageMedia",
    "ImageMetrics",
    "ImagePredictions",
    "PartMedia",
    "PartMetrics",
    "PartPredictions",
    "SoundMedia",
    "SoundMetrics",
    "SoundPredictions",
    "WandbRun",
    "resolve_checkpoint",
]
