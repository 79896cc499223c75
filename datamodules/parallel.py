"""Work on many files at once, with a bar that shows how far it has come."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

AHEAD = 256
"""Items that are begun before the first result is taken, so that memory does not grow with their number."""


def in_parallel(
    work: Callable[[ItemT], ResultT], items: Sequence[ItemT], description: str = "decoding into the cache"
) -> Iterator[ResultT]:
    """Yield ``work(item)`` of every item, in order; threads do several at a time.

    If an item raises, or the caller stops, items that are not begun yet are dropped.

    Args:
        work: what to do; spends its time in code that lets other threads run, as decoders and hashes do.
        items: of which.
        description: beside the bar, which is on the standard error and only where that is a terminal.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar as progress, ThreadPoolExecutor(max(1, min(len(items), os.cpu_count() or 1))) as pool:
        task = progress.add_task(description, total=len(items))
        rest = iter(items)
        begun: deque[Future[ResultT]] = deque(pool.submit(work, item) for item in islice(rest, AHEAD))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(pool.submit(work, item) for item in islice(rest, 1))
                progress.advance(task)
                yield result
        finally:
            pool.shutdown(cancel_futures=True)
