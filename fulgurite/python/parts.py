"""A loaded model on pictures of inspected parts: scores, heat and boxes as ``predict`` has them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from callbacks.images.predictions import decibels
from callbacks.parts.judged import judge
from callbacks.thresholds import pixel_threshold_of, threshold_of
from datamodules import AitexDataModule
from datamodules.batches import PartBatch, PartScores
from datamodules.errors import InputError
from datamodules.protocols import HasVisuals
from fulgurite.python.answers import PartScore, ReconstructedPictures
from fulgurite.python.inputs import Given, is_path, path_of, pictures_of
from fulgurite.python.rooms import Room, check_answer, the_only
from fulgurite.python.runner import Runner


class PartRoom(Room):
    """Scores and reconstructs pictures of parts.

    Args:
        runner: The model; it answers a picture with scores of its tiles and pixels.
        data: Of its training.
    """

    def __init__(self, runner: Runner, data: AitexDataModule) -> None:
        super().__init__(runner)
        self._data = data

    def offered(self) -> list[str]:
        """Return what this model answers."""
        return ["score", "score_each", *(["reconstruct"] if isinstance(self.runner.module, HasVisuals) else [])]

    def score(self, given: Given, heat: bool, fps: float | None, group: str | None) -> PartScore:
        """Score the one picture that is given."""
        return next(self._scored([self._one(given, fps, group)]))

    def score_each(self, given: Given, heat: bool, fps: float | None, group: str | None) -> Iterator[PartScore]:
        """Score one picture after another."""
        return self._scored(self._batches(given, fps, group))

    def reconstruct(self, given: Given, fps: float | None) -> ReconstructedPictures:
        """Return the one picture that is given beside what the model makes of it."""
        batch = self._one(given, fps, None)
        shown = self.runner.call("visuals", batch)
        if missing := {"input", "reconstruction"} - shown.keys():
            raise InputError(f"{type(self.runner.module).__name__} shows no {' and no '.join(sorted(missing))}")
        seen, made = (shown[name].float().cpu() for name in ("input", "reconstruction"))  # (1, 3, H, W - start)
        return ReconstructedPictures(
            name=(batch.name,),
            picture=np.ascontiguousarray(seen.permute(0, 2, 3, 1).numpy()),
            reconstructed=np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy()),
            psnr=decibels(seen, made).numpy(),
        )

    def _one(self, given: Given, fps: float | None, group: str | None) -> PartBatch:
        return the_only([*islice(self._batches(given, fps, group), 2)], lambda part: part.name, "picture", "score_each")

    def _batches(self, given: Given, fps: float | None, group: str | None) -> Iterator[PartBatch]:
        """Yield the pictures that are given."""
        if fps is not None:
            raise InputError(f"fps: is {fps:g}, and a picture has no rate; leave it out")
        if is_path(given):
            yield from self._of_path(path_of(given), group)
            return
        for name, one in pictures_of(given):
            if isinstance(one, Path):
                yield from self._of_path(one, group)
            else:
                yield from self._data.batches_of([(name, one)], group)

    def _of_path(self, path: Path, group: str | None) -> Iterator[PartBatch]:
        if group is not None:
            raise InputError(f"group: is {group}, and of a file its name or its folder tells; leave it out")
        data = self._data.for_source(str(path))
        data.setup("predict")
        yield from data.predict_dataloader()

    def _scored(self, batches: Iterator[PartBatch] | list[PartBatch]) -> Iterator[PartScore]:
        module = self.runner.module
        threshold, pixel_threshold = threshold_of(module), pixel_threshold_of(module)
        for _, answer in self.runner.answers(batches):
            check_answer(module, answer, PartScores)
            if threshold is None or pixel_threshold is None:
                raise InputError(
                    f"{type(module).__name__} has no thresholds: it was never validated, so nothing can be called a "
                    "defect. Load a checkpoint written after a validation, such as best"
                )
            judged = judge(answer, threshold, pixel_threshold)
            yield PartScore(
                name=answer.name,
                group=answer.group,
                score=float(answer.score),
                defective=judged.defective,
                threshold=threshold,
                pixel_threshold=pixel_threshold,
                heat=judged.heat,
                mask=judged.mask,
                boxes=tuple(judged.boxes),
                tile=answer.tile.cpu().numpy(),
                tile_score=judged.tile_score,
                tile_defective=judged.tile_defective,
                start=judged.start,
            )
