"""What is watched, kept and shown while a model is learned."""

from callbacks.adversarial_health import AdversarialHealth
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.clips.media import MediaLogger
from callbacks.clips.metrics import AnomalyMetrics
from callbacks.clips.predictions import PredictionWriter
from callbacks.images.media import ImageSheets
from callbacks.images.metrics import GenerationMetrics
from callbacks.images.predictions import ReconstructionWriter
from callbacks.parts.media import PartMedia
from callbacks.parts.metrics import DefectMetrics
from callbacks.parts.predictions import DefectWriter
from callbacks.sound.media import SideBySide
from callbacks.sound.metrics import AudioVideoMetrics
from callbacks.sound.predictions import VideoTrackWriter
from callbacks.wandb_run import WandbRun

__all__ = [
    "AdversarialHealth",
    "AnomalyMetrics",
    "AtomicCheckpointIO",
    "AudioVideoMetrics",
    "Checkpoints",
    "DefectMetrics",
    "DefectWriter",
    "GenerationMetrics",
    "ImageSheets",
    "MediaLogger",
    "PartMedia",
    "PredictionWriter",
    "ReconstructionWriter",
    "SideBySide",
    "VideoTrackWriter",
    "WandbRun",
    "resolve_checkpoint",
]
