"""Work in a process of its own: its peak of memory is known, and nothing that it leaves slows what comes next."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

PRELOADED = ["benchmarks.scaling.systems", "benchmarks.scaling.storage"]
"""What every process has imported when it begins; forked from one that has, it costs nothing."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


def in_own_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``work`` returns; it and its arguments can be pickled.

    Raises:
        RuntimeError: the process has ended without an answer, as one does that the system has killed for its memory.
    """
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_answer, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{work} ended with {process.exitcode} and without an answer") from None
    process.join()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _answer(theirs: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        theirs.send(work(*arguments))
    except Exception as error:
        theirs.send(error)
