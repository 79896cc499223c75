"""What models, data modules and callbacks offer each other. Read this first when you add one of them.

Nothing here is inherited. A class offers what it has: an attribute or a method of the name, shape and range below is
enough, and whoever needs it asks by ``isinstance``, which checks the names alone. All of it is optional: a callback
that cannot work without something says so, and one that merely shows more with it shows less.

A model's steps return one of the typed answers of :mod:`datamodules.batches`, and by that alone the callbacks of its
room work. The rest, by who asks:

- before anything is decoded: :class:`SharesArguments`;
- every logger and file name: :class:`CountsBatches`;
- where a run may be broken off: :class:`AccumulatesGradients`;
- pictures and clips at a validation: :class:`HasVisuals`, :class:`HasVisualScales`, :class:`Encodes`,
  :class:`Decodes`, :class:`DrawsLatents`, :class:`GeneratesVideo`, :class:`HasAttention`;
- scores: :class:`HasThreshold`, :class:`HasPartThresholds`;
- the course of adversarial training: :class:`HasHealth`;
- the folder of a prediction: :class:`HasSource`, :class:`HasPredictSources`;
- ``lightning watch``: :class:`WatchesVideo`;
- ``lightning predict --scale``: :class:`Enlarges`;
- what to do after a training: :class:`KnowsTest`;
- where anomalies are and how they go on: :class:`HasTestBoxes`; of which kind they are: :class:`HasValidationKinds`;
- what data a run has seen: :class:`HasFingerprints`; what samples may be copies of: :class:`HasTrainingPictures`;
- the choice of ``best.ckpt``: :class:`HasHeadline`, :class:`DeclaresUndefined`;
- use outside of this project: :class:`Deploys`, :class:`SaysPreparation`;
- progress: :class:`NamesValidations`;
- the check of monitors before a training: :class:`DeclaresLossTerms`, :class:`DeclaresAlternatives`,
  :class:`DeclaresLogged`;
- the layout of a page on Weights & Biases: these, and :class:`DeclaresMedia`;
- what stands in ``results.json``: :class:`AddsToResults`, :class:`KnowsCommand`; where it lies:
  :class:`HasResultsFolder`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

from datamodules.deep_pictures import BitRange

# --- what a model offers ------------------------------------------------------------------------------------------


@runtime_checkable
class CountsBatches(Protocol):
    """A model that knows how many batches its weights have seen, from its checkpoint too.

    Attributes:
        batches_seen: training batches since the start of the run, at least 0.
    """

    batches_seen: int


@runtime_checkable
class NamesOptimizers(Protocol):
    """A model whose optimizers are made by arguments of it, named in the order of the optimizers."""

    @property
    def optimizer_arguments(self) -> Sequence[str]:
        """Return the names."""
        ...


@runtime_checkable
class AccumulatesGradients(Protocol):
    """A model that adds up the gradients of several batches for one step.

    Attributes:
        window_is_open: whether gradients wait for further batches; no checkpoint holds them.
    """

    window_is_open: bool


@runtime_checkable
class SharesArguments(Protocol):
    """A model some of whose arguments must be those of its data module.

    Attributes:
        shared_with_data: argument of the data module by argument of the model; read from the class, before it is built.
    """

    shared_with_data: Mapping[str, str]


@runtime_checkable
class HasVisuals(Protocol):
    """A model that can show its work on a batch; without it callbacks show inputs with heat or reconstructions."""

    def visuals(self, batch: Any) -> Mapping[str, Tensor]:
        """Return named pictures in [0, 1], one a row of the batch, all of one size.

        Args:
            batch: as the data module makes it; the callback calls in evaluation mode and without gradients.

        Returns:
            By name ``(B, C, H, W)`` for pictures and ``(B, T, C, H, W)`` for clips. C is 3 (RGB), or 1 for a map, such
            as an error, which is drawn in colours. A part's visuals include ``heat``.
        """
        ...


@runtime_checkable
class HasVisualScales(Protocol):
    """A model that says what the colours of its maps mean; without it the bars below them run from 0 to 1.

    Attributes:
        visual_scales: by the name of a visual what its values 0, 0.5 and 1 stand for, in a few words each.
    """

    visual_scales: Mapping[str, tuple[str, str, str]]


@runtime_checkable
class Encodes(Protocol):
    """A model that finds the latent vectors of pictures."""

    def encode(self, images: Tensor) -> Tensor:
        """Return the posterior's mean, float ``(B, D)``, of uint8 pictures ``(B, C, H, W)``."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """A model that makes pictures of latent vectors.

    Attributes:
        latent_dim: D, at least 1.
    """

    latent_dim: int

    def decode(self, z: Tensor) -> Tensor:
        """Turn latent vectors ``(B, D)``, standard normal under the prior, into pictures ``(B, C, H, W)`` in [0, 1]."""
        ...


@runtime_checkable
class DrawsLatents(Protocol):
    """A model whose samples may be drawn from elsewhere than the prior; without it they are of the noise itself.

    Attributes:
        sampler: what they are drawn from where nobody says.
        samplers: all that they can be drawn from.
    """

    sampler: Any
    samplers: Sequence[Any]

    def latents(self, noise: Tensor, sampler: Any = None) -> Tensor:
        """Turn standard normal noise ``(B, D)`` into latent vectors ``(B, D)``, each a function of its own row."""
        ...

    def can_draw(self, sampler: Any) -> bool:
        """Tell whether the training has left enough behind for a sampler."""
        ...


@runtime_checkable
class GeneratesVideo(Protocol):
    """A model that makes clips of latent vectors."""

    def generate_video(self, z: Tensor) -> Tensor:
        """Turn latent vectors ``(B, D)`` into clips ``(B, T, C, H, W)`` in [0, 1]."""
        ...


@runtime_checkable
class HasAttention(Protocol):
    """A model whose frames attend to a sequence, such as sound."""

    def attention(self, batch: Any) -> Tensor:
        """Return weights ``(B, layers, T, T)`` from frame to moment, each row with the sum 1; layers may be 0."""
        ...


@runtime_checkable
class HasThreshold(Protocol):
    """A model that calls a frame, a picture or a part of it anomalous by a calibrated threshold.

    Attributes:
        threshold: 0-dim buffer; what scores strictly above it is anomalous. NaN until it was calibrated.
    """

    threshold: Tensor


@runtime_checkable
class HasPartThresholds(HasThreshold, Protocol):
    """A model that inspects parts, with a threshold for tiles and pictures and one for pixels.

    Attributes:
        pixel_threshold: 0-dim buffer, as ``threshold``, for a pixel of the heat.
    """

    pixel_threshold: Tensor


@runtime_checkable
class DeclaresLossTerms(Protocol):
    """A model that says what it logs while it is trained; it logs nothing else.

    Counts for the class that has it, not for those derived from it, which may log more.

    Attributes:
        loss_terms: names of the terms by phase, those included that are computed in some configurations only; logged as
            ``train/<phase>/<term>`` beside ``train/<phase>/total`` and ``train/<phase>/learning_rate``.
    """

    loss_terms: Mapping[str, Sequence[str]]


@runtime_checkable
class DeclaresAlternatives(Protocol):
    """A model that says which alternatives its scores have.

    Attributes:
        alternative_scores: names of the ``alternatives`` in its answers.
    """

    alternative_scores: Sequence[str]


@runtime_checkable
class HasHealth(Protocol):
    """A model that leaves behind, after each training batch, what its discriminator makes of it.

    Attributes:
        health: means over the batch, detached and 0-dim; empty where there is no discriminator, or it rests. ``real``:
            what it gives to real data, a probability in [0, 1] or a critic's score; the same for every kind of
            generated data, under that kind's name (``reconstruction``, ``sample``, ``pseudo``). ``accuracy`` in [0, 1],
            half of it for real data. ``objective``, at least 0, without weights and penalties, where it ends at 0 (a
            Wasserstein critic's does not).
    """

    health: Mapping[str, Tensor]


@runtime_checkable
class Deploys(Protocol):
    """A model that can be exported, and used without this project."""

    def deployed(self) -> Any:
        """Return its networks from bytes to answers, a :class:`lightning_models.deployment.Deployment`."""
        ...


@runtime_checkable
class NamesValidations(Protocol):
    """A model whose validation shows it several sets of data, each for a purpose of its own.

    Attributes:
        validation_names: what each loader is for, as it is shown beside the progress.
    """

    validation_names: Sequence[str]


# --- what a data module offers --------------------------------------------------------------------------------------


@runtime_checkable
class HasSource(Protocol):
    """A data module that knows where its data come from.

    Attributes:
        source: a folder or a file; None for the generated data.
    """

    source: str | None


@runtime_checkable
class KnowsTest(Protocol):
    """A data module that knows whether it could test.

    Attributes:
        can_test: whether its source has anything to be tested on.
    """

    @property
    def can_test(self) -> bool:
        """Whether its source has anything to be tested on."""
        ...


class PredictSource(Protocol):
    """A recording to predict on; immutable."""

    @property
    def name(self) -> str:
        """As in the batches, unique among the recordings; names the folder of its files."""

    @property
    def path(self) -> Path:
        """Its file, or its folder of frames."""

    @property
    def fps(self) -> float:
        """Frames per second, above 0."""


class VideoSource(PredictSource, Protocol):
    """A video whose frames are scored."""

    @property
    def bit_range(self) -> BitRange | None:
        """Values of black and white in frames of more than 8 bits; None: all that their depth allows."""


class SoundSource(PredictSource, Protocol):
    """A sound to draw pictures to."""

    @property
    def frames(self) -> int:
        """Number of pictures to draw, at least 1."""


@runtime_checkable
class HasPredictSources(Protocol):
    """A data module that predicts on recordings, one after another.

    Attributes:
        predict_sources: the recordings (:class:`PredictSource`), in the order of the batches.
    """

    predict_sources: Sequence[Any]


@runtime_checkable
class WatchesVideo(HasSource, Protocol):
    """A data module whose prediction can be of live video, or of normal video alone.

    Attributes:
        letterbox: brings frames to the model's size (:class:`~datamodules.letterbox.Letterbox`).
        num_frames: T, frames of a window.
        frame_step: distance of its frames.
        frames_until_final: how many further frames have come, at most, when the score of a frame is final.
    """

    num_frames: int
    frame_step: int

    @property
    def frames_until_final(self) -> int:
        """How many further frames have come, at most, when the score of a frame is final."""
        ...

    @property
    def letterbox(self) -> Any:
        """What brings frames to the model's size."""
        ...

    def watch(self, stream: Any, watcher: Any) -> None:
        """Let the next prediction be of a stream, whose frames a watcher is told of."""
        ...

    def predict_normal(self, paths: Sequence[Path]) -> list[Any]:
        """Let the next prediction be of normal videos, by default those held out; return what they are."""
        ...


@runtime_checkable
class HasSplitManifest(Protocol):
    """A data module that tells what is in which split."""

    def split_manifest(self) -> Mapping[str, Any]:
        """Return the names of every split below ``splits``: ``{"splits": {"train": [...], "validation": [...]}}``."""
        ...


@runtime_checkable
class CountsData(Protocol):
    """A data module that tells how much is in a split."""

    def counts(self, split: str) -> Mapping[str, int]:
        """Return numbers by what is counted, such as clips and frames, of a split that is open; see ``setup``."""
        ...


@runtime_checkable
class HasTestBoxes(Protocol):
    """A data module of videos that knows boxes around what is anomalous in its test, where somebody drew them."""

    def test_boxes(self) -> Mapping[str, Any]:
        """Return by the name of each video float64 ``(N, 6)``; nothing at all where the source has no boxes.

        Of each box: number of the frame, number of its track, top, left, bottom and right in pixels of the letterbox.
        """
        ...


@runtime_checkable
class HasValidationKinds(Protocol):
    """A data module of videos that knows which kind of pseudo-anomaly each frame of its validation shows."""

    def validation_kinds(self) -> Mapping[str, Any]:
        """Return by the name of a video that has any str ``(length,)``: a kind of each frame, empty on normal ones.

        Kinds are those of :data:`datamodules.clips.pseudo_anomalies.KINDS`.
        """
        ...


@runtime_checkable
class HasTrainingPictures(Protocol):
    """A data module that hands out what a model has learned from, so that samples are held against it."""

    def training_pictures(self) -> Iterable[Any]:
        """Return them in batches (``ImageBatch``), in order and unchanged, also mirrored where a training does that.

        None where they are not at hand, as in a test on a source of other pictures.
        """
        ...


@runtime_checkable
class HasFingerprints(Protocol):
    """A data module that knows its data by their content."""

    def fingerprints(self) -> Mapping[str, str]:
        """Return by split what is the same for the same content, whatever names, folders and order; see ``setup``."""
        ...


@runtime_checkable
class SaysPreparation(Protocol):
    """A data module that says how it brings a recording into the form in which it enters a model."""

    def preparation(self) -> Mapping[str, Any]:
        """Return what another program has to do likewise, made of JSON's types: sizes, rates, distances, fitting."""
        ...


@runtime_checkable
class HasRates(Protocol):
    """A data module of sound with pictures.

    Attributes:
        sample_rate: samples of sound per second.
        fps: pictures per second.
    """

    sample_rate: int
    fps: float


@runtime_checkable
class HasPictureSize(Protocol):
    """A data module of pictures that need not be squares.

    Attributes:
        image_size: height and width in pixels.
    """

    image_size: tuple[int, int]


@runtime_checkable
class HasTrainingSize(Protocol):
    """A data module that may train on parts of its pictures.

    Attributes:
        training_size: height and width in pixels of what is trained on; that of the pictures where they stay whole.
    """

    training_size: tuple[int, int]


@runtime_checkable
class HasPieceLength(Protocol):
    """A data module that cuts sound into pieces of one length.

    Attributes:
        num_samples: samples of a piece.
    """

    num_samples: int


@runtime_checkable
class HasMeanPicture(Protocol):
    """A data module that knows the mean of the pictures it trains on."""

    def mean_picture(self) -> Tensor:
        """Return float32 ``(3, H, W)`` in [0, 1]."""
        ...


@runtime_checkable
class HasDeviation(Protocol):
    """A data module that knows how much each pixel moves in the pictures it trains on."""

    def deviation(self) -> Tensor:
        """Return the standard deviation of a pixel from its piece's mean, float32 ``(H, W)``, at least 0."""
        ...


@runtime_checkable
class HasComponents(Protocol):
    """A data module that knows in which ways the pictures it trains on move."""

    def components(self, most: int) -> Tensor:
        """Return at most so many principal components of the change from a piece's mean, float32 ``(K, 3, H, W)``."""
        ...


class SoundRule(Protocol):
    """A rule, not a network, that tells from sound how pictures change."""

    def changes(self, audio: Tensor, shape: Sequence[int]) -> Tensor:
        """Return how pictures to sound ``(B, 1, N)`` differ from their mean, ``(B, T, 3, H, W)`` as ``shape`` says."""
        ...


@runtime_checkable
class HasSoundRule(Protocol):
    """A data module that fits a rule to its training clips, which a network has to be better than."""

    def sound_rule(self) -> SoundRule:
        """Return the rule; it takes some seconds."""
        ...


# --- what a callback offers -----------------------------------------------------------------------------------------


@runtime_checkable
class DeclaresUndefined(Protocol):
    """A callback that says which metrics had no value in the last validation, and why.

    Attributes:
        undefined: reason by logged name, e.g. ``{"val/frame_ap": "0 anomalous and 9 normal: both are needed"}``.
    """

    undefined: Mapping[str, str]


@runtime_checkable
class AddsToResults(Protocol):
    """A callback, or a model, that has more to say of a test than its metrics."""

    def results(self) -> Mapping[str, Any]:
        """Return entries of ``results.json``, made of JSON's types; called on rank 0 at the end of a test."""
        ...


@runtime_checkable
class KnowsCommand(Protocol):
    """A callback that knows by which command the run was started.

    Attributes:
        command: its words, as they were typed.
    """

    command: Sequence[str]


@runtime_checkable
class Enlarges(Protocol):
    """A callback that writes pictures which a model has drawn, enlarged too where that is wanted.

    Attributes:
        scale: how many times as high and wide; 1: only as they are.
    """

    scale: int


@runtime_checkable
class HasResultsFolder(Protocol):
    """A callback that writes what a test has come to.

    Attributes:
        results_folder: of the last test; None where nothing was written.
    """

    results_folder: Path | None


@runtime_checkable
class HasHeadline(Protocol):
    """A callback that judges validations, and knows the metric by which one is better than another.

    Attributes:
        headline: name of the metric, without the stage.
        headline_mode: whether more (``max``) or less (``min``) of it is better.
    """

    headline: str
    headline_mode: Literal["max", "min"]


@runtime_checkable
class DeclaresMedia(Protocol):
    """A callback that says which pictures, videos and tables it sends to Weights & Biases."""

    def media_names(self, model: Any) -> Sequence[str]:
        """Return logged names, ``val/panel`` for example, for a model that has not run yet, or its class."""
        ...


@runtime_checkable
class DeclaresLogged(Protocol):
    """A callback that says what it logs in a training; it logs nothing else.

    Counts for the class that has it, not for those derived from it, which may log more.
    """

    def logged(self, model: Any) -> Sequence[str]:
        """Return logged names, ``val/frame_ap`` for example, for a model that has not run yet."""
        ...
