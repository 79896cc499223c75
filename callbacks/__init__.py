"""What is watched, kept and shown while a model is learned."""

from callbacks.adversarial_health import AdversarialHealth
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.clips.anomaly_metrics import AnomalyMetrics
from callbacks.clips.media_logger import MediaLogger
from callbacks.clips.prediction_writer import PredictionWriter
from callbacks.images.generation_metrics import GenerationMetrics
from callbacks.images.image_sheets import ImageSheets
from callbacks.images.reconstruction_writer import ReconstructionWriter
from callbacks.parts.defect_metrics import DefectMetrics
from callbacks.parts.defect_writer import DefectWriter
from callbacks.parts.part_media import PartMedia
from callbacks.sound.audio_video_metrics import AudioVideoMetrics
from callbacks.sound.side_by_side import SideBySide
from callbacks.sound.video_track_writer import VideoTrackWriter
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
