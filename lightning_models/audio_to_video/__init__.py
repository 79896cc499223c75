"""Sound to pictures, frame by frame."""

from lightning_models.audio_to_video.legacy import AudioToVideoNetLegacy
from lightning_models.audio_to_video.module import AudioToVideo
from lightning_models.audio_to_video.network import AudioToVideoNet
from lightning_models.audio_to_video.still_net import AudioToVideoNetStill

__all__ = ["AudioToVideo", "AudioToVideoNet", "AudioToVideoNetLegacy", "AudioToVideoNetStill"]
