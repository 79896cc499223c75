"""Stages of a pipeline: a thread that works ahead of its caller, and one that works behind it; both in order.

They pay where the work lets other threads run, as decoders, encoders, OpenCV and networks do.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

ItemT = TypeVar("ItemT")


def ahead(stream: Iterable[ItemT], room: int) -> Generator[ItemT]:
    """Yield the items of a stream, of which a thread makes up to ``room`` before they are asked for.

    What making one raises is raised here, behind the items before it. Where the caller stops, so does the thread, with
    the item at hand.

    Args:
        stream: is gone through in the thread alone.
        room: of items that wait.
    """
    items, end = iter(stream), object()
    with ThreadPoolExecutor(1, "ahead") as pool:
        made: deque[Future[Any]] = deque(pool.submit(next, items, end) for _ in range(room))
        try:
            while (item := made.popleft().result()) is not end:
                made.append(pool.submit(next, items, end))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


class Behind:
    """Does one work after the other in a thread, while its caller goes on.

    Args:
        room: works that may wait; who hands over more waits, too.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._pool = ThreadPoolExecutor(1, "behind")
        self._begun: deque[Future[None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """Let a work be done when those before it are.

        Raises:
            Exception: what an earlier one has raised, as soon as that is known; nothing is done after it.
        """
        before = self._begun[-1] if self._begun else None
        self._begun.append(self._pool.submit(_after, before, work))
        while len(self._begun) > self._room or (len(self._begun) > 1 and self._begun[0].done()):
            self._begun.popleft().result()

    def finish(self) -> None:
        """Wait until all is done; it takes no more.

        Raises:
            Exception: what a work has raised.
        """
        self._pool.shutdown()
        while self._begun:
            self._begun.popleft().result()

    def finish_after_error(self) -> None:
        """Wait until all is done, where something else has gone wrong already: of errors, the first is told."""
        with suppress(Exception):
            self.finish()


def _after(before: Future[None] | None, work: Callable[[], None]) -> None:
    if before is not None:
        before.result()  # its error is that of all behind it
    work()
