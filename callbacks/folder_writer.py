"""The base of writers that turn one source into one folder of predictions."""

import os
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.file_names import fitting
from callbacks.results import ABOUT, PREDICTIONS, about_run, write_record, write_rows
from callbacks.source_folder import source_folder, source_label
from callbacks.text import printable
from datamodules.atomic_file import atomic_folder
from datamodules.errors import refuse_several

FILES = "files.csv"
_SUFFIX = len(".json")  # the longest


class FolderWriter(Callback):
    """Writes ``predictions/<source>/`` at predict, whole, in place of an older one of the same source.

    ``about.json`` in it says of what it is, and by which weights. A prediction that ``limit_predict_batches`` has cut
    lies in ``<source>.partial/``. Names too long for a file are cut, and ``files.csv`` tells whose is which.

    After an error the older one is as it was, and what was written until then lies in ``<source>.unfinished/``. The
    folder of the generated data is called ``generated``. Writers of recordings, each with a folder of its own, are
    :class:`~callbacks.streamed_writer.StreamedWriter`.

    Attributes:
        folder: where to write until the end of the prediction.
        shown: name of the file that people look at first.
    """

    shown: ClassVar[str]

    def __init__(self) -> None:
        self.folder = self._target = Path()
        self._about: dict[str, Any] = {}
        self._cut: dict[str, str] = {}  # file by name
        self._files = ExitStack()  # closing it puts the folder in its place

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the folder.

        Raises:
            InputError: if several processes share the work.
        """
        refuse_several(trainer.world_size, f"{type(self).__name__} works")
        self._about = about = about_run(trainer, pl_module)
        name = source_label(trainer.datamodule)  # type: ignore[attr-defined]  # set without a type
        folder = source_folder(Path(trainer.default_root_dir) / PREDICTIONS, name, about, ABOUT)
        self._cut = {}
        self._files, self._target = ExitStack(), folder
        self.folder = self._files.enter_context(atomic_folder(folder))

    def path(self, kind: str, name: str, suffix: str) -> Path:
        """Return the path ``<kind>/<name><suffix>`` in the folder; ``<name>`` is the same for every kind."""
        file = fitting(name, suffix, room=_SUFFIX - len(suffix))
        if str(file) != f"{PurePosixPath(name)}{suffix}":
            self._cut[name] = str(file.with_name(file.name.removesuffix(suffix)))
        return self.folder / kind / file

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the folder in its place; a subclass completes it first."""
        write_record(self.folder / ABOUT, self._about)
        if self._cut:
            write_rows(self.folder / FILES, ["name", "file"], self._cut.items())
            rank_zero_warn(f"{len(self._cut)} names are too long for files; {FILES} tells what theirs are called")
        self._files.close()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what was found, and where it lies."""
        print(f"{self.found()}; {printable(os.path.relpath(self._target / self.shown))}", flush=True)

    def found(self) -> str:
        """Return what was found, in a few words, once all is written."""
        raise NotImplementedError

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave what was written in the unfinished folder."""
        self._files.__exit__(type(exception), exception, exception.__traceback__)
