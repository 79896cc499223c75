"""AudioToVideo outside of this project: sound in, pictures out."""

from typing import Any, ClassVar

from torch import Tensor, nn

from datamodules.batches import AudioVideoBatch, GeneratedClips
from lightning_models.audio_to_video.mean_picture import shift
from lightning_models.audio_to_video.network import AudioToFrames
from lightning_models.deployment import Deployment, Graph, Port, Run

AUDIO = Port("audio", ("batch", "channels", "samples"), "float32", "-1 to 1", "pieces of sound, mono")
STILL = Port("still", ("batch", "colours", "height", "width"), "float32", "0 to 1", "RGB pictures to draw on")
FRAMES = Port(
    "frames", ("batch", "frames", "colours", "height", "width"), "float32", "0 to 1", "RGB pictures to the sound"
)


class SoundPictures(nn.Module):
    """Draws the pictures to pieces of sound.

    Args:
        network: from sound to pictures.
        mean_odds: odds ``(3, H, W)`` of the mean picture that its pictures begin with, or None.
    """

    mean_odds: Tensor | None

    def __init__(self, network: AudioToFrames, mean_odds: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean_odds", mean_odds)

    def forward(self, audio: Tensor) -> tuple[Tensor]:
        """Map sound ``(B, 1, N)`` in [-1, 1] to frames ``(B, T, 3, H, W)`` in [0, 1]."""
        frames = self.network(audio)
        return (frames if self.mean_odds is None else shift(frames, self.mean_odds),)


class StillPictures(nn.Module):
    """Draws what pieces of sound move on still pictures.

    Args:
        network: from sound and still pictures to pictures.
    """

    def __init__(self, network: AudioToFrames) -> None:
        super().__init__()
        self.network = network

    def forward(self, audio: Tensor, still: Tensor) -> tuple[Tensor]:
        """Map sound ``(B, 1, N)`` in [-1, 1] and pictures ``(B, 3, H, W)`` to frames ``(B, T, 3, H, W)`` in [0, 1]."""
        return (self.network(audio, still),)


class DeployedAudioToVideo(Deployment[AudioVideoBatch, GeneratedClips]):
    """Draws pictures to sound; see :class:`~lightning_models.deployment.Deployment`.

    Args:
        network: of the system.
        mean_odds: of the system, or None.
    """

    system: ClassVar[str] = "audio_to_video"
    outside = (
        "Cutting a sound into pieces, and fading from one to the next where they overlap: the network answers to a "
        "piece, of the length that it was trained with.",
    )

    def __init__(self, network: AudioToFrames, mean_odds: Tensor | None) -> None:
        self._mean_picture: Tensor | None = None
        if network.takes_still:
            self.graphs = {"": Graph(StillPictures(network), (AUDIO, STILL), (FRAMES,))}
            self._mean_picture = network.get_buffer("mean_picture")
        else:
            self.graphs = {"": Graph(SoundPictures(network, mean_odds), (AUDIO,), (FRAMES,))}
        self.facts: dict[str, Any] = {
            "network": type(network).__name__,
            "sample_rate": network.sample_rate,
            "fps": network.fps,
            "image_size": network.image_size,
            "normalisation": "none: sound in -1 to 1 goes in, pictures in 0 to 1 come out",
        }

    def answer(self, batch: AudioVideoBatch, run: Run) -> GeneratedClips:
        """Draw the pictures to a batch's own sound, on its still pictures or else on the mean one of the training."""
        inputs = {"audio": batch.audio}
        if self._mean_picture is not None:
            mean = self._mean_picture.expand(len(batch), -1, -1, -1)
            inputs["still"] = mean if batch.still is None else batch.still.float() / 255
        return GeneratedClips(run("", inputs)["frames"])
