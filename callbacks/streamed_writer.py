"""The base of writers that turn every recording of a prediction into a folder of its own."""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules.errors import InputError
from datamodules.protocols import HasPredictSources


class OpenFiles(Protocol):
    """The files of one recording, open until all of it is written."""

    source: Any

    def finish(self, whole: bool) -> None:
        """Write the rest; ``whole`` if the recording was not cut short."""

    def abandon(self, error: BaseException) -> None:
        """Close the files of a prediction that an error ended."""


FilesT = TypeVar("FilesT", bound=OpenFiles)


class StreamedWriter(Callback, Generic[FilesT]):
    """Opens the files of a recording with its first part and completes them with its last.

    Attributes:
        recording: what a source is called, e.g. ``"video"``.
        part: what a batch holds of it, e.g. ``"window"``.
    """

    recording: ClassVar[str]
    part: ClassVar[str]

    def __init__(self) -> None:
        self._waiting: dict[str, Any] = {}
        self._current: FilesT | None = None
        self._whole = True

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the recordings that are to come.

        Raises:
            InputError: if several processes share the work; a recording is one stream.
        """
        kind = type(self).__name__
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        if not isinstance(data, HasPredictSources):
            raise TypeError(f"{type(data).__name__} has no predict_sources; {kind} cannot find the {self.recording}s")
        if trainer.world_size > 1:
            raise InputError(f"{kind} needs trainer.devices: 1, found {trainer.world_size} processes.")
        self._waiting = {source.name: source for source in data.predict_sources}
        limit = trainer.limit_predict_batches  # a number of batches where it is an int
        self._whole = isinstance(limit, float) and limit == 1.0

    def files_of(self, name: str, open_files: Callable[[Any], FilesT]) -> FilesT:
        """Return the files of a recording; with its first part the previous ones are completed and these opened.

        Raises:
            RuntimeError: if the parts of a recording do not come in one piece.
        """
        if self._current is None or self._current.source.name != name:
            self._finish()
            if name not in self._waiting:
                raise RuntimeError(f"{self.part}s of {name!r} come twice, or belong to no source")
            self._current = open_files(self._waiting.pop(name))
        return self._current

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Complete the last recording.

        Raises:
            RuntimeError: if a recording never came.
        """
        self._finish()
        if self._waiting and self._whole:
            raise RuntimeError(f"no {self.part} came of {', '.join(self._waiting)}")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the files of the recording at hand."""
        if self._current is not None:
            current, self._current = self._current, None
            current.abandon(exception)

    def _finish(self) -> None:
        if self._current is not None:
            current, self._current = self._current, None
            current.finish(self._whole)
