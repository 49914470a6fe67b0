"""Functions over arrays that numba compiles where it is installed, and that run as they are where it is not."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["COMPILED", "compiled", "uncounted"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

COMPILED = importlib.util.find_spec("numba") is not None and os.environ.get("STAFFCAST_COMPILE", "1") != "0"
"""Whether the event loop is compiled; ``STAFFCAST_COMPILE=0`` in the environment turns it off."""


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function at its first call and keep the machine code for later processes.

    What it computes is the same to the last bit either way: no fast-math, no reordering.
    """
    if not COMPILED:
        return function
    import numba

    return cast(Callable[Arguments, Result], numba.njit(cache=True, nogil=True, error_model="numpy")(function))


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
