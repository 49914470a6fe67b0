"""One map for one process or many."""

import os
import time

import pytest

from staffcast.contracts import InputError
from staffcast.executor import map_chunks


def slower_first(i):
    time.sleep(0.02 if i == 0 else 0.0)
    return i * i, os.getpid()


def fail_on_two(i):
    if i == 2:
        raise ZeroDivisionError("two")
    return i


@pytest.mark.parametrize("processes", [1, 2])
def test_results_keep_the_order_of_the_items(processes):
    """Results stand in the order of the items, whichever was done first, and progress counts all."""
    seen = []
    results = map_chunks(
        slower_first, range(6), processes=processes, progress=lambda done, total: seen.append((done, total))
    )
    assert [square for square, _ in results] == [0, 1, 4, 9, 16, 25]
    assert seen == [(i, 6) for i in range(1, 7)]
    assert ({pid for _, pid in results} == {os.getpid()}) == (processes == 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_the_function_comes_through(processes):
    """What the function raises is raised here, of its own type."""
    with pytest.raises(ZeroDivisionError, match="two"):
        map_chunks(fail_on_two, range(4), processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupt_in_progress_stops_the_work(processes):
    """Ctrl-C while chunks are at work goes up, and the chunks that had not begun are dropped."""

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_chunks(slower_first, range(50), processes=processes, progress=stop)


def test_no_items_no_results():
    """Nothing to do starts no process and gives an empty list."""
    assert map_chunks(slower_first, [], processes=4) == []


@pytest.mark.parametrize("processes", [0, -1, 1.5, True])
def test_a_wrong_number_of_processes_is_refused(processes):
    """The error names the parameter and what is legal."""
    with pytest.raises(InputError, match="`processes` must be a whole number ≥ 1"):
        map_chunks(abs, [1], processes=processes)
