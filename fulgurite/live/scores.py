"""Every frame that is watched, with its score as soon as no window can change it."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.clips.window_merger import Merged, WindowMerger
from datamodules.batches import FrameScores, VideoBatch
from datamodules.clips.live_stream import Shot
from datamodules.errors import InputError

Scored = tuple[Shot, Merged]


class LiveScores(Callback):
    """Waits for the windows of frames, and hands these on, in order, with their mean scores.

    It is the ``Watcher`` of :class:`~datamodules.clips.live_windows.LiveWindows`.

    Args:
        name: of the source, for messages.
        handle: gets what has become final, after every batch, and whether a piece without a gap has ended with it.

    Attributes:
        scored: how many frames were handed on.
        unscored: how many were in pieces shorter than a window.
        place: height and width of the letterboxed frames.
    """

    def __init__(self, name: str, handle: Callable[[Sequence[Scored], bool], None]) -> None:
        self.scored = self.unscored = 0
        self.place = (0, 0)
        self._name, self._handle = name, handle
        self._waiting: deque[Shot] = deque()
        self._merger = WindowMerger(name)

    def begin(self, first: Shot) -> None:
        """Begin a piece without a gap."""
        self._merger = WindowMerger(self._name)

    def take(self, shot: Shot) -> None:
        """Keep a frame until its score is there."""
        self._waiting.append(shot)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hand on the frames that no later window can change.

        Raises:
            InputError: if the model scores no frames.
        """
        refuse_other_answers(outputs, pl_module)
        assert isinstance(batch, VideoBatch)
        self.place = batch.frames.shape[-2], batch.frames.shape[-1]
        frames, scores = outputs.frame.cpu().numpy(), outputs.score.double().cpu().numpy()
        heats = outputs.heat.float().cpu().numpy()
        rows = range(len(frames))
        final = (merged for row in rows for merged in self._merger.add(frames[row], scores[row], heats[row]))
        self._hand_on(final, is_end=False)

    def end(self) -> None:
        """Hand on the last frames of a piece."""
        self._hand_on(self._merger.rest(), is_end=True)
        self.unscored += len(self._waiting)
        self._waiting.clear()

    def _hand_on(self, final: Iterable[Merged], is_end: bool) -> None:
        frames = [(self._waiting.popleft(), merged) for merged in final]
        self.scored += len(frames)
        self._handle(frames, is_end)


def refuse_other_answers(outputs: object, model: object) -> None:
    """Refuse a model that scores no frames.

    Raises:
        InputError: by the answer of its prediction.
    """
    if not isinstance(outputs, FrameScores):
        raise InputError(
            f"model: {type(model).__name__} scores no frames of a video; VTAGAN does, as every model whose "
            "predict_step returns FrameScores"
        )
