"""One process or many behind one map: the same results, in the same order, whatever the number."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import TypeVar

from staffcast.contracts import bad_value

__all__ = ["map_chunks"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_chunks(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
    take: Callable[[Item, Result], None] | None = None,
) -> list[Result]:
    """Apply ``function`` to every item and return the results in the order of the items.

    Parameters
    ----------
    function : callable
        Of one item (a chunk of work worth at least some milliseconds). With more than one process it must be
        picklable, that is a function of a module or a ``functools.partial`` of one; so must items and results.
        It must draw no randomness but what its item fixes: then the results do not depend on ``processes``.
    items : iterable
        The chunks.
    processes : int
        1 runs in this process; more start that many at most.
    progress : callable, optional
        Called in this process as ``progress(done, total)`` after each chunk that is done.
    take : callable, optional
        Called in this process with each item and its result once it is there, in any order. No result is kept then:
        large ones need not all lie in memory.

    Returns
    -------
    list
        ``[function(item) for item in items]``; empty with ``take``.

    Raises
    ------
    InputError
        ``processes`` is not a whole number of at least 1.
    Exception
        What ``function`` raised first; chunks that had not begun are dropped. So they are at Ctrl-C, after which
        only the chunks at work are waited for.

    Examples
    --------
    >>> map_chunks(abs, [-3, 2, -1], progress=lambda done, total: print(f"{done} of {total}"))
    1 of 3
    2 of 3
    3 of 3
    [3, 2, 1]
    """
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
        raise bad_value("processes", processes, "a whole number ≥ 1", "1 runs everything in this process")
    chunks = list(items)
    processes = min(processes, len(chunks))
    if processes <= 1:
        results = []
        for done, chunk in enumerate(chunks, start=1):
            result = function(chunk)
            if take is None:
                results.append(result)
            else:
                take(chunk, result)
            if progress is not None:
                progress(done, len(chunks))
        return results
    pool = ProcessPoolExecutor(processes, initializer=_leave_interrupt_to_parent)
    try:
        futures: dict[Future[Result], int] = {pool.submit(function, chunk): place for place, chunk in enumerate(chunks)}
        found: dict[int, Result] = {}
        for done, future in enumerate(as_completed(tuple(futures)), start=1):
            place = futures.pop(future)
            result = future.result()  # raises here what a worker raised, at once and not after the last chunk
            if take is None:
                found[place] = result
            else:
                take(chunks[place], result)
            if progress is not None:
                progress(done, len(chunks))
        return [found[place] for place in sorted(found)]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupt_to_parent() -> None:
    # Ctrl-C reaches the whole process group; one traceback, the parent's, is enough.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
