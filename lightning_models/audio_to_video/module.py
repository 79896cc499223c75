"""AudioToVideo: ``lightning fit --config experiments/audio_to_video.yaml``.

One network generates the frames that belong to three seconds of sound. It is evaluated by whether the picture
follows the sound: generated for another clip's sound, or for silence, a clip has to come out worse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.errors import InputError
from datamodules.protocols import HasDeviation, HasMeanPicture, HasPieceLength
from lightning_models.audio_to_video import video_losses
from lightning_models.audio_to_video.deployed import DeployedAudioToVideo
from lightning_models.audio_to_video.mean_picture import odds_of, shift
from lightning_models.audio_to_video.network import AudioToFrames, AudioToVideoNet
from lightning_models.class_path import as_factory
from lightning_models.effective import effective
from lightning_models.training.schedules import Weight
from lightning_models.training.single_phase import SinglePhaseModule
from lightning_models.training.weights import LossWeights

MISMATCH_STEP = 4
"""For another clip's sound only every fourth frame is generated: enough to compare, for a quarter of the cost."""


NetworkCallable = Callable[[float, int, int], AudioToFrames]
"""Makes a net from frames a second, samples a second and edge of a frame in pixels."""


class Generated(NamedTuple):
    """Clips generated for a batch in training.

    Attributes:
        frames: ``(B, T, 3, H, W)``, for the own sound.
        mismatched: ``(B, T / 4, 3, H, W)``, for another clip's sound, every fourth frame; None where nobody asks.
        silent: ``(1, T / 4, 3, H, W)``, for silence, on the first clip's still picture; None where nobody asks.
    """

    frames: Tensor
    mismatched: Tensor | None = None
    silent: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class AudioToVideoWeights(LossWeights):
    """Weights of the losses: means over the real frames' pixels in [0, 1]. What has weight 0 is not computed.

    Args:
        l2: squared difference, the published loss.
        l1: absolute difference.
        change: error in the change from frame to frame.
        structure: 1 - SSIM.
        mismatch: hinge that makes another clip's sound give a worse picture; it costs the sound of the batch twice and
            a quarter more frames.
        silence: squared difference of what silence draws from the still picture, for a net that draws on one.
    """

    l2: Weight = 0.0
    l1: Weight = 1.0
    change: Weight = 1.0
    structure: Weight = 0.1
    mismatch: Weight = 1.0
    silence: Weight = 0.0


class AudioToVideo(SinglePhaseModule):
    """Generates the video for a piece of sound.

    Args:
        network: makes the net from frames a second, samples a second and edge of a frame, such as
            :class:`AudioToVideoNet` or its predecessor :class:`AudioToVideoNetLegacy`.
        fps: frames a second, as in the data.
        sample_rate: samples a second, as in the data.
        image_size: edge of a frame in pixels, as in the data; 8 times a power of two (the predecessor: any).
        start_from_mean: whether an untrained net generates the mean picture of the training clips instead of
            grey (``mean_picture.py``): for a fixed camera, where most of a picture never changes.
        weigh_moving: whether a pixel counts in ``l2``, ``l1``, ``change`` and ``mismatch`` by how much it moves in the
            training clips: its standard deviation, over the mean of all. Else all count the same.
        weights: weights of the losses.
        mismatch_margin: how much worse is enough for the hinge, as mean absolute difference of pixels in [0, 1];
            None: 0.05.
        schedule: whether the scheduler steps once an ``epoch`` or after every ``step``.
        training: the other arguments of :class:`SinglePhaseModule`.
    """

    phases: ClassVar[tuple[str, ...]] = ("generator",)
    phase_modules: ClassVar[dict[str, tuple[str, ...]]] = {"generator": ("network",)}
    shared_with_data: ClassVar[Mapping[str, str]] = {name: name for name in ("fps", "sample_rate", "image_size")}
    published_optimizers: ClassVar = {"generator": partial(torch.optim.Adam, lr=1e-3)}
    free_after_training: ClassVar[tuple[str, ...]] = ("mismatch_margin", "network.strength")
    default_weights: ClassVar = AudioToVideoWeights()
    loss_terms: ClassVar[Mapping[str, Sequence[str]]] = {"generator": tuple(default_weights.by_name())}
    mean_odds: Tensor | None
    moving: Tensor | None

    def __init__(
        self,
        network: NetworkCallable = AudioToVideoNet,
        fps: float = 30.0,
        sample_rate: int = 16000,
        image_size: int = 128,
        start_from_mean: bool = False,
        weigh_moving: bool = False,
        weights: AudioToVideoWeights | None = None,
        mismatch_margin: float | None = None,
        schedule: Literal["epoch", "step"] = "step",
        **training: Any,
    ) -> None:
        super().__init__(weights=weights, schedule=schedule, **training)
        hinged = self.weights.count("mismatch")
        self.margin = effective("mismatch_margin", mismatch_margin, 0.05, hinged, "weights.mismatch above 0")
        if not 0 <= self.margin <= 1:
            raise InputError(f"model.mismatch_margin: is {self.margin}; pixels differ by 0 to 1, give a part of that")
        if not any(map(self.weights.count, ("l2", "l1", "change", "structure"))):
            raise InputError("model.weights: no loss pulls the picture to the real one; set model.weights.l1 above 0")
        self.network: AudioToFrames = as_factory(network, AudioToFrames)(fps, sample_rate, image_size)
        if self.network.takes_still and start_from_mean:
            raise InputError(
                f"model.start_from_mean is true, but changes nothing: {type(self.network).__name__} starts from a "
                "still picture; set it to false"
            )
        if self.weights.count("silence") and not self.network.takes_still:
            raise InputError(
                f"model.weights.silence: {type(self.network).__name__} draws on no still picture that silence could "
                "leave as it is; set it to 0"
            )
        self.register_buffer("moving", torch.ones(image_size, image_size) if weigh_moving else None)
        self.register_buffer("mean_odds", torch.ones(3, image_size, image_size) if start_from_mean else None)

    def forward(self, audio: Tensor, still: Tensor | None = None) -> Tensor:
        """Map sound ``(B, 1, N)`` in [-1, 1] to frames ``(B, T, 3, H, W)`` in [0, 1].

        Args:
            audio: the sound.
            still: pictures ``(B, 3, H, W)`` in [0, 1] that a net which takes them draws on; None: the mean picture of
                the training clips.
        """
        return self._from_mean(self.network(audio, still))

    def _from_mean(self, frames: Tensor) -> Tensor:
        return frames if self.mean_odds is None else shift(frames, self.mean_odds)

    def _still(self, batch: AudioVideoBatch) -> Tensor | None:
        return batch.still.float() / 255 if self.network.takes_still and batch.still is not None else None

    def on_fit_start(self) -> None:
        """Take over what is needed of the training pictures, unless training goes on from a checkpoint that has it.

        Raises:
            InputError: the data module does not know it.
        """
        super().on_fit_start()
        if self.batches_seen:
            return
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        self.network.begin(data)
        if self.mean_odds is not None:
            if not isinstance(data, HasMeanPicture):
                raise InputError(f"model.start_from_mean: {type(data).__name__} has no mean picture; set it to false")
            self.mean_odds.copy_(odds_of(data.mean_picture()))
        if self.moving is not None:
            if not isinstance(data, HasDeviation):
                raise InputError(f"model.weigh_moving: {type(data).__name__} has no deviation; set it to false")
            deviation = data.deviation()
            if deviation.any():  # else nothing moves, and all pixels count the same
                self.moving.copy_(deviation / deviation.mean())

    def check_data(self, data: object) -> None:
        """Refuse other rates and sizes, and pieces that are too short or too long.

        Shapes alone do not tell: twice the pictures of twice the samples are as many for a piece half as long.
        """
        super().check_data(data)
        if isinstance(data, HasPieceLength):
            self.network.num_frames(data.num_samples)
        still = getattr(data, "still", None)
        if still is not None and not self.network.takes_still:
            shown = still if isinstance(still, str) else "a picture"
            raise InputError(
                f"data.still is {shown}, but {type(self.network).__name__} draws on no picture; leave it out"
            )

    # --- training -----------------------------------------------------------------------------------------------

    def prepare(self, batch: AudioVideoBatch) -> tuple[Generated, AudioVideoBatch]:
        """Generate clips for a batch's own sound and, as far as losses need them, for another clip's and for silence.

        All in one pass: BatchNorm then sees all sound as one batch, and counts it once.
        """
        self._check(batch)
        still, heard = self._still(batch), {"frames": batch.audio}
        if self.weights.count("mismatch"):
            heard["mismatched"] = batch.other
        if self.weights.count("silence"):
            heard["silent"] = torch.zeros_like(batch.audio[:1])
        features = self.network.features(torch.cat([*heard.values()])).split([len(sound) for sound in heard.values()])
        # (B, T, D), and of what is but compared (B or 1, T / step, D)
        called = [one[:, :: MISMATCH_STEP if number else 1] for number, one in enumerate(features)]
        drawn = self._from_mean(self.network.decode(torch.cat([one.flatten(0, 1) for one in called])))
        finished = (
            self.network.finish(one.unflatten(0, of.shape[:2]), None if still is None else still[: len(of)])
            for one, of in zip(drawn.split([one.shape[0] * one.shape[1] for one in called]), called, strict=True)
        )
        return Generated(**dict(zip(heard, finished, strict=True))), batch

    def generator_loss(self, prepared: tuple[Generated, AudioVideoBatch]) -> dict[str, Tensor]:
        """Distances to the real frames where there are any, the hinge on the mismatched ones, and that of silence."""
        generated, batch = prepared
        real, valid = batch.frames.float() / 255, batch.valid
        terms: dict[str, Tensor] = {}
        if self.weights.count("l2"):
            terms["l2"] = video_losses.over_valid(self._distance("l2", generated.frames, real), valid)
        if self.weights.count("l1"):
            terms["l1"] = video_losses.over_valid(self._distance("l1", generated.frames, real), valid)
        if self.weights.count("change"):
            pairs = valid[:, 1:] & valid[:, :-1]
            change = video_losses.change_distance(generated.frames, real, self.moving)
            terms["change"] = video_losses.over_valid(change, pairs)
        if self.weights.count("structure"):
            terms["structure"] = video_losses.over_valid(video_losses.structure_distance(generated.frames, real), valid)
        if generated.mismatched is not None:
            real, counted = real[:, ::MISMATCH_STEP], valid[:, ::MISMATCH_STEP]
            own, other = (
                (self._distance("l1", clips, real) * counted).sum(1) / counted.sum(1).clamp(min=1)
                for clips in (generated.frames[:, ::MISMATCH_STEP], generated.mismatched)
            )
            terms["mismatch"] = video_losses.mismatch_hinge(own, other, self.margin, counted.any(1))
        if generated.silent is not None:
            still = self._still(batch)
            unmoved = self.network.finish(torch.zeros_like(generated.silent), None if still is None else still[:1])
            terms["silence"] = self._distance("l2", generated.silent, unmoved).mean()
        return terms

    def _distance(self, kind: Literal["l1", "l2"], generated: Tensor, real: Tensor) -> Tensor:
        return video_losses.distance(kind, generated, real, self.moving)

    # --- evaluation ---------------------------------------------------------------------------------------------

    # Lightning types a step's outputs as tensors, but hands anything on to the callbacks
    def validation_step(self, batch: AudioVideoBatch, batch_idx: int) -> GeneratedClips:  # type: ignore[override]
        """Generate clips for a batch's own sound, for another clip's, and for silence."""
        self._check(batch)
        still = self._still(batch)
        heard = (batch.audio, batch.other, torch.zeros_like(batch.audio))
        return GeneratedClips(*(self(sound, still) for sound in heard))

    test_step = validation_step  # type: ignore[assignment]

    def predict_step(self, batch: AudioVideoBatch, batch_idx: int) -> GeneratedClips:
        """Generate clips for a batch's sound."""
        self._check(batch)
        return GeneratedClips(self(batch.audio, self._still(batch)))

    @torch.no_grad()
    def attention(self, batch: AudioVideoBatch) -> Tensor:
        """Return how much each frame attends to each, ``(B, layers, T, T)``; no layer for the predecessor."""
        return self.network.attention(batch.audio)

    def deployed(self) -> DeployedAudioToVideo:
        """Return what draws pictures to sound outside of this project."""
        return DeployedAudioToVideo(self.network, self.mean_odds)

    def _check(self, batch: AudioVideoBatch) -> None:
        """Refuse data of another length or size than the model generates, wherever they come from."""
        wanted = (self.network.num_frames(batch.audio.shape[-1]), 3, self.network.image_size, self.network.image_size)
        given = tuple(batch.frames.shape[1:])
        if given != wanted:
            raise InputError(
                f"the clips are {given} (frames, channels, height, width), but to {batch.audio.shape[-1]} samples the "
                f"model generates {wanted}: set fps, sample_rate and image_size to the same under data and under model"
            )
