"""The base of writers that turn every recording of a prediction into a folder of its own."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from threadpoolctl import threadpool_limits

from callbacks.results import ABOUT, PREDICTIONS, about_run, write_record
from callbacks.source_folder import source_folder
from callbacks.text import printable
from datamodules.atomic_file import atomic_folder
from datamodules.errors import refuse_several
from datamodules.pipeline import Behind
from datamodules.protocols import HasPredictSources


class OpenFiles(Protocol):
    """The files of one recording, open until all of it is written."""

    source: Any

    def finish(self, whole: bool) -> None:
        """Write the rest; ``whole`` if the recording was not cut short."""

    def found(self) -> str:
        """Return what was found, in a few words, once it is finished."""
        ...

    @property
    def shown(self) -> str:
        """Name of the file that people look at first."""
        ...

    def abandon(self, error: BaseException) -> None:
        """Close the files of a prediction that an error ended."""


_ROOM = 2  # batches whose answers wait to be written
FilesT = TypeVar("FilesT", bound=OpenFiles)


class StreamedWriter(Callback, Generic[FilesT]):
    """Opens the folder of a recording with its first part and completes it with its last.

    A thread does that, so that the network need not wait; a subclass hands it what a batch asks for, by ``later``. The
    network, and NumPy's products, have one processor less meanwhile: threads that wait for each other beside those of a
    pipeline took more than half of the speed on two cores.

    Each lies in ``predictions/<recording>/``, whole, in place of an older one of the same recording; ``about.json``
    says of what it is, and by which weights. Where ``limit_predict_batches`` cuts the prediction, they lie in
    ``<recording>.partial/``. After an error the files of the one at hand are in ``<recording>.unfinished/``.

    Attributes:
        recording: what a source is called, e.g. ``"video"``.
        part: what a batch holds of it, e.g. ``"window"``.
    """

    recording: ClassVar[str]
    part: ClassVar[str]

    def __init__(self) -> None:
        self._waiting: dict[str, Any] = {}
        self._current: FilesT | None = None
        self._folder = ExitStack()  # closing it puts the folder of the current one in its place
        self._parent = self._draft = self._target = Path()
        self._told: list[str] = []
        self._about: dict[str, Any] = {}
        self._thread: Behind | None = None
        self._limits: threadpool_limits | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the recordings that are to come.

        Raises:
            InputError: if several processes share the work; a recording is one stream.
        """
        kind = type(self).__name__
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        if not isinstance(data, HasPredictSources):
            raise TypeError(f"{type(data).__name__} has no predict_sources; {kind} cannot find the {self.recording}s")
        refuse_several(trainer.world_size, f"{kind} works")
        self._waiting = {source.name: source for source in data.predict_sources}
        self._parent = Path(trainer.default_root_dir) / PREDICTIONS
        self._about, self._told = about_run(trainer, pl_module), []
        self._thread = Behind(_ROOM)
        self._limits = threadpool_limits(max(1, torch.get_num_threads() - 1))

    def later(self, write: Callable[[], None]) -> None:
        """Let the thread write what belongs to a batch, when it is done with those before.

        Raises:
            Exception: what writing an earlier one has raised.
        """
        assert self._thread is not None  # a prediction has begun
        self._thread.do(write)

    def files_of(self, name: str, open_files: Callable[[Any, Path], FilesT]) -> FilesT:
        """Return the files of a recording; with its first part the previous ones are completed and these opened.

        Args:
            name: of the recording.
            open_files: makes its files from its source and an empty folder.

        Raises:
            RuntimeError: if the parts of a recording do not come in one piece.
        """
        if self._current is None or self._current.source.name != name:
            self._finish()
            if name not in self._waiting:
                raise RuntimeError(f"{self.part}s of {name!r} come twice, or belong to no source")
            source = self._waiting.pop(name)
            folder = source_folder(self._parent, name, self._about_of(source), ABOUT)
            self._target = folder
            with ExitStack() as opened:
                self._draft = opened.enter_context(atomic_folder(folder))
                self._current = open_files(source, self._draft)
                self._folder = opened.pop_all()
        return self._current

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Complete the last recording.

        Raises:
            Exception: what writing has raised; RuntimeError if a recording never came.
        """
        assert self._thread is not None
        self._thread.do(self._finish)
        self._thread.finish()
        if self._waiting and self._about["complete"]:
            raise RuntimeError(f"no {self.part} came of {', '.join(self._waiting)}")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what was found, and where it lies."""
        self._give_back()
        print(*self._told, sep="\n", flush=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write what was scored before, and close the files of the recording at hand."""
        self._give_back()
        if self._thread is not None:
            self._thread.finish_after_error()
        if self._current is not None:
            current, self._current = self._current, None
            try:
                current.abandon(exception)
            finally:
                self._folder.__exit__(type(exception), exception, exception.__traceback__)

    def _give_back(self) -> None:
        if self._limits is not None:
            self._limits.restore_original_limits()
            self._limits = None

    def _finish(self) -> None:
        if self._current is not None:
            current, self._current = self._current, None
            with self._folder:
                current.finish(self._about["complete"])
                write_record(self._draft / ABOUT, self._about_of(current.source))
            place = printable(os.path.relpath(self._target / current.shown))
            self._told.append(f"{printable(current.source.name)}: {current.found()}; {place}")

    def _about_of(self, source: Any) -> dict[str, Any]:
        return self._about | {"source": str(source.path.absolute())}
