"""Who is next: a tree over times that knows the earliest, and in which the time of one may change.

The times lie behind one another as in a knock-out tournament: those of the players in the second half of an array, and
in each place before it the earlier of the two places behind. A change costs the height of the tree: to stop where the
winner stays would save steps, but whether it does cannot be foreseen, and that costs more.
"""

from __future__ import annotations

from typing import Any

from staffcast.simulation.compiled import inlined

__all__ = ["earliest", "put", "room"]


def room(players: int) -> int:
    """Length of the array, at first filled with infinity: twice the next power of 2."""
    size = 1
    while size < players:
        size *= 2
    return 2 * size


@inlined
def put(keys: Any, player: int, time: float) -> None:
    """Set the time of one."""
    at = (len(keys) >> 1) + player
    keys[at] = time
    while at > 1:
        other = keys[at ^ 1]
        if other < time:
            time = other
        at >>= 1
        keys[at] = time


@inlined
def earliest(keys: Any) -> int:
    """Whose time, ``keys[1]``, is the earliest; the first of several."""
    at, size = 1, len(keys) >> 1
    while at < size:
        at = 2 * at + (keys[2 * at + 1] < keys[2 * at])
    return at - size
