"""What is watched, kept and shown while a model is learned."""

from callbacks.anomaly_metrics import AnomalyMetrics
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.media_logger import MediaLogger
from callbacks.prediction_writer import PredictionWriter
from callbacks.wandb_run import WandbRun

__all__ = [
    "AnomalyMetrics",
    "AtomicCheckpointIO",
    "Checkpoints",
    "MediaLogger",
    "PredictionWriter",
    "WandbRun",
    "resolve_checkpoint",
]
