"""What is watched, kept and shown while a model is learned."""

from callbacks.adversarial_health import AdversarialHealth
from callbacks.anomaly_metrics import AnomalyMetrics
from callbacks.audio_video_metrics import AudioVideoMetrics
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.defect_metrics import DefectMetrics
from callbacks.defect_writer import DefectWriter
from callbacks.generation_metrics import GenerationMetrics
from callbacks.image_sheets import ImageSheets
from callbacks.media_logger import MediaLogger
from callbacks.part_media import PartMedia
from callbacks.prediction_writer import PredictionWriter
from callbacks.reconstruction_writer import ReconstructionWriter
from callbacks.side_by_side import SideBySide
from callbacks.video_track_writer import VideoTrackWriter
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
