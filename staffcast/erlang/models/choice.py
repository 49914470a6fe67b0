"""Which model fits what is given, and the handle times of an agent with several conversations in hand."""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero

__all__ = ["Model", "chosen_model", "handle_times"]

Model = Literal["erlang_b", "erlang_c", "erlang_a", "mmck", "erlang_x", "chat", "chat_lls"]


def handle_times(concurrency: object, given: npt.ArrayLike | None) -> tuple[int, FloatArray | None]:
    """Conversations per agent, and the handle time by how many are in hand where that is given."""
    if isinstance(concurrency, bool) or not isinstance(concurrency, (int, np.integer)) or concurrency < 1:
        raise bad_value(
            "concurrency", concurrency, "a whole number of at least 1", "1 is one ticket at a time, as on the phone"
        )
    if given is None:
        return int(concurrency), None
    levels = np.atleast_1d(above_zero("aht_by_concurrency_s", given, " s"))
    most = levels.shape[-1]
    if concurrency not in (1, most):
        raise bad_value(
            "aht_by_concurrency_s", f"{most} handle times", f"one for each of the {concurrency} conversations in hand",
            "the first for one conversation, the last for as many as concurrency allows",
        )  # fmt: skip
    falls = np.diff(levels, axis=-1) < 0
    if falls.any():
        first = levels.reshape(-1, most)[np.flatnonzero(falls.reshape(-1, most - 1).any(axis=-1))[0]]
        raise bad_value(
            "aht_by_concurrency_s", [float(each) for each in first], "non-decreasing",
            "a conversation is not done sooner because its agent has more of them; sort or measure it again",
        )  # fmt: skip
    return most, levels


def chosen_model(given: str | None, *, patient: bool, redials: bool, chats: bool, limited: bool) -> Model:
    """The model asked for, if it knows all that is given, or the one that follows from what is given."""
    if redials and not patient:
        raise bad_value(
            "redial", "some", "0 without patience_s", "nobody tries again who never gave up: say patience_s too"
        )
    facts = {"patience_s": patient, "redial": redials, "concurrency": chats, "capacity": limited}
    known: dict[str, tuple[set[str], set[str]]] = {  # what it must be given, what it may be given besides
        "erlang_b": (set(), set()),
        "erlang_c": (set(), set()),
        "erlang_a": ({"patience_s"}, set()),
        "mmck": ({"capacity"}, {"patience_s"}),
        "erlang_x": ({"patience_s"}, {"redial", "concurrency", "capacity"}),
        "chat": (set(), {"patience_s", "concurrency", "capacity"}),
        "chat_lls": (set(), {"patience_s", "concurrency", "capacity"}),
    }
    if given is None:
        if redials:
            return "erlang_x"
        if chats:
            return "chat"
        return "mmck" if limited else "erlang_a" if patient else "erlang_c"
    if given not in get_args(Model):
        raise bad_value("model", given, f"one of {', '.join(known)}", "leave it out to have it follow from the rest")
    needs, may = known[given]
    for name, there in facts.items():
        if name in needs and not there:
            raise bad_value("model", given, f"given together with {name}", f"say {name}, or leave model out")
        if there and name not in needs | may:
            raise bad_value(
                "model",
                given,
                f"a model that knows {name}",
                f"leave out {name}, or leave model out to have one that does",
            )
    return cast(Model, given)
