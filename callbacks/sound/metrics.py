"""Metrics of video generated from sound, at validation and at test: its quality, and whether it follows the sound."""

from collections.abc import Iterable, Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from callbacks.evaluation import Evaluation, EvaluationCallback
from callbacks.sound.cases import SoundCases
from callbacks.sound.meanings import SOUND_MEANINGS
from callbacks.sound.measures import MOVING_SHARE
from callbacks.sound.shown_pieces import rates_of
from callbacks.sound.table import METRICS, PieceTable
from datamodules.batches import AudioVideoBatch, GeneratedClips
from datamodules.protocols import HasSoundRule


class SoundMetrics(EvaluationCallback[PieceTable, PieceTable]):
    """Judges the ``GeneratedClips`` that a module's validation and test steps return.

    Each is computed once per run over the pieces of all processes and logged as ``val/<name>`` or
    ``test/<name>``; padding does not count. ``docs/audio_video.md`` explains each of them.

    - Likeness: ``l1`` and ``psnr`` (of the mean squared error of all frames), ``ssim``, ``temporal_difference``
      (mean absolute error of the change from frame to frame). Beside them what a still picture would reach:
      ``psnr_own_mean_picture`` (each piece's own mean picture, which nobody who only hears can know) and
      ``temporal_difference_still``.
    - Following: ``av_align`` (peaks of movement that are peaks of sound) and ``change_loudness_correlation``,
      each with ``_target`` for the real pictures; ``av_align_other_sound`` is what chance gives.
    - ``shuffle_l1_increase``: how much larger the error is to the sound of another clip, mean over clips with a
      95 % interval (``_low``, ``_high``), and ``..._relative`` to the clip's error. Above 0 the pictures follow
      the sound. ``silence_l1_increase`` is the same to silence; ``silence_frame_change`` what still moves then.

    - ``l1_moving`` and ``shuffle_moving`` are ``l1`` and the relative increase in the 3 % of a piece's pixels that move
      most in its real pictures. At test ``shuffle_baseline`` and ``shuffle_baseline_moving`` stand beside them: what
      ridge regression reaches, fitted by the data module to its training clips and given each piece's mean picture.
    - ``fast_change`` and ``fast_correlation``: whether the 3 % of a piece's pixels that change fastest from picture to
      picture, such as lips, are drawn as lively as they are and at the same time; ``..._other_sound`` is what chance
      gives.

    A test also writes ``results.json``, ``scores.csv`` (a row per clip) and pieces of the clips that were generated
    worst and best, ``cases/``, into ``results/<source>/`` and prints a table.

    Args:
        cases: write videos of the pieces that were generated worst and best, at test.

    Attributes:
        undefined: reason by logged name of what had no value in the last validation or test.
    """

    judged, headline, headline_mode = GeneratedClips, "l1", "min"
    meanings = SOUND_MEANINGS
    matter = ("shuffle_l1_increase_relative", "shuffle_moving", "l1", "psnr", "av_align")

    def __init__(self, cases: bool = True) -> None:
        super().__init__()
        self.cases = cases

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged at a validation."""
        return [f"val/{name}" for name in METRICS]

    def new_table(self, trainer: Trainer) -> PieceTable:
        """Return an empty table of pieces; at test with the rule that the data module offers."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        return PieceTable(rule=data.sound_rule() if trainer.testing and isinstance(data, HasSoundRule) else None)

    def collect(self, table: PieceTable, outputs: Any, batch: Any, trainer: Trainer) -> None:
        """Measure what was generated to a batch."""
        assert isinstance(batch, AudioVideoBatch)
        data = rates_of(trainer)
        table.add(outputs, batch, data.sample_rate, data.fps)

    def gather(self, table: PieceTable) -> PieceTable:
        """Return the table of all processes together."""
        return table.gather()

    def evaluate(self, rows: PieceTable, stage: str, trainer: Trainer, pl_module: LightningModule) -> Evaluation:
        """Return the means over all frames, pieces and clips; nothing of nothing."""
        if not rows:
            return Evaluation()
        metrics, undefined = rows.evaluation()
        counts = {"clips": len(rows.clips()), "pieces": len(rows)}
        return Evaluation(metrics=metrics, undefined=undefined, references=rows.references(), counts=counts)

    def scores(self, rows: PieceTable) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return one row per clip, with its figures."""
        clips = rows.clips()
        header = ["name", *next(iter(clips.values()))]
        return header, ([clip, *figures.values()] for clip, figures in clips.items())

    def verdict(self, evaluation: Evaluation) -> str:
        """Say whether the picture follows the sound."""
        name, metrics = "shuffle_l1_increase_relative", evaluation.metrics
        low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
        if low is None or high is None:
            why = evaluation.undefined.get(f"{name}_low") or evaluation.undefined.get(name, "nothing was compared")
            return f"Whether the picture follows the sound cannot be told: {why}."
        moves = "shuffle_moving_low" in metrics
        follows = "does not follow the sound, as far as can be told"
        if low > 0:
            follows = "follows the sound"
        elif moves and metrics["shuffle_moving_low"] > 0:
            follows = "follows the sound where it moves; as a whole that may be chance"
        change = metrics[name]
        said = (
            f"The picture {follows}: to the sound of another clip its error is {abs(change):.2%} "
            f"{'larger' if change >= 0 else 'smaller'} (95 % interval {low:.2%} to {high:.2%})."
        )
        if moves:
            moving, low, high = (metrics[f"shuffle_moving{part}"] for part in ("", "_low", "_high"))
            said += f" In the {MOVING_SHARE:.0%} of the pixels that move most: {moving:.2%} ({low:.2%} to {high:.2%})."
        whole, there = (evaluation.references.get(f"shuffle_baseline{part}") for part in ("", "_moving"))
        if whole is None or there is None:
            return said
        return f"{said} Of ridge regression, which is given the mean picture: {whole:.2%}, and {there:.2%} there."

    def new_cases(self, trainer: Trainer) -> SoundCases | None:
        """Return what keeps the pieces that were generated worst and best."""
        return SoundCases(rates_of(trainer)) if self.cases else None
