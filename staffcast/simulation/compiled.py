"""Functions over arrays that numba compiles where it is installed, and that run as they are where it is not."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["COMPILED", "compiled", "inlined", "kept", "uncounted"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

COMPILED = importlib.util.find_spec("numba") is not None and os.environ.get("STAFFCAST_COMPILE", "1") != "0"
"""Whether the event loop is compiled; ``STAFFCAST_COMPILE=0`` in the environment turns it off."""


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function at its first call, to be called by one that is :func:`kept`.

    What it computes is the same to the last bit either way: no fast-math, no reordering.
    """
    return _compile(function)


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As :func:`compiled`, and put into whoever calls it: for what is called for every ticket.

    A call hands over seven words per array; without it a change of the heap takes half the time.
    """
    return _compile(function, keep=False, inline=True)


def kept(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function and all that it calls, and keep the machine code for later processes.

    Only for functions that are always called with arguments of the same types: of a function with several sets of them
    numba numbers the files in the order in which they are made, and two processes that do so at once, each in an order
    of its own, would leave one's machine code under the other's name.
    """
    return _compile(function, keep=True)


def _compile(
    function: Callable[Arguments, Result], *, keep: bool = False, inline: bool = False
) -> Callable[Arguments, Result]:
    if not COMPILED:
        return function
    import numba

    compile_it = numba.njit(cache=keep, nogil=True, error_model="numpy", forceinline=inline)
    return cast(Callable[Arguments, Result], compile_it(function))


def _same(array: Any) -> Any:
    return array


def _uncounted(typing: Any, array: Any) -> Any:
    """What numba is to make of :data:`uncounted`: the same array, with nobody to count its holders."""
    cgutils: Any = importlib.import_module("numba.core.cgutils")
    arrays: Any = importlib.import_module("numba.np.arrayobj")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bare = arrays.make_array(signature.args[0])(context, builder, arguments[0])
        bare.meminfo = cgutils.get_null_value(bare.meminfo.type)
        return bare._getvalue()

    return array(array), build


uncounted: Callable[[Any], Any] = _same
"""An array as it is, within a function that its caller lends it to.

Numba counts who holds an array, at each call that one is handed to, by atomic operations that take longer than what a
step of an event loop does; of these it does not.
"""
if COMPILED:
    uncounted = importlib.import_module("numba.extending").intrinsic(_uncounted)
