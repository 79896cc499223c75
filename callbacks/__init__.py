"""What is watched, kept and shown while a model is learned."""

from callbacks.anomaly_metrics import AnomalyMetrics
from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.checkpoints import Checkpoints, resolve_checkpoint
from callbacks.defect_metrics import DefectMetrics
from callbacks.generation_metrics import GenerationMetrics
from callbacks.media_logger import MediaLogger
from callbacks.prediction_writer import PredictionWriter
from callbacks.wandb_run import WandbRun

__all__ = [
    "AnomalyMetrics",
    "AtomicCheckpointIO",
    "Checkpoints",
    "DefectMetrics",
    "GenerationMetrics",
    "MediaLogger",
    "PredictionWriter",
    "WandbRun",
    "resolve_checkpoint",
]
