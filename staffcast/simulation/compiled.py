"""Functions over arrays that numba compiles where it is installed, and that run as they are where it is not."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

__all__ = ["COMPILED", "compiled"]

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
