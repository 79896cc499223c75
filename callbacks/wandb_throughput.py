"""How fast a training goes, for Weights & Biases alone: ``metrics.csv``, which a resumed run repeats, has no times."""

from lightning.pytorch import Callback, Trainer

from callbacks.training_record import TrainingRecord


class Throughput:
    """Tells the pace since it was last asked, of a run that measures it."""

    def __init__(self) -> None:
        self._told = (0.0, 0.0, 0)

    def latest(self, trainer: Trainer) -> dict[str, float]:
        """Return ``train/samples_per_second`` and ``train/data_wait_share`` in [0, 1]; nothing where none has passed.

        Differences of sums: one that began anew would miss the wait before its first batch.
        """
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without a type
        pace = next((one.recent for one in callbacks if isinstance(one, TrainingRecord)), None)
        if pace is None:
            return {}
        seconds, waited, samples = (
            now - before for now, before in zip((pace.seconds, pace.waited, pace.samples), self._told, strict=True)
        )
        if seconds <= 0:
            return {}
        self._told = pace.seconds, pace.waited, pace.samples
        return {"train/samples_per_second": samples / seconds, "train/data_wait_share": waited / seconds}
