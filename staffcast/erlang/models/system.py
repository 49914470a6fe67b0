"""What a queue is, whatever its agents: arguments checked once, the model chosen, and the queue with a given crew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, patience, share_of_all, together, whole
from staffcast.erlang.models.chat import even_gate, even_head
from staffcast.erlang.models.choice import Model, chosen_model, handle_times
from staffcast.erlang.models.gamma import Rates, over_rates
from staffcast.erlang.models.kernels import free_odds
from staffcast.erlang.models.leastloaded import least_loaded_head
from staffcast.erlang.models.measures import MEAN_COVERS, ErlangCQueue, occupied
from staffcast.erlang.models.mixture import MixedQueue
from staffcast.erlang.models.queues import OpenQueue, Patchwork, Queue, queue_of
from staffcast.erlang.models.redial import attempts

__all__ = ["Station", "System"]

Busy = Callable[[], tuple[FloatArray, FloatArray]]
_CHATS = ("chat", "chat_lls")
"""Gives occupancy and busy agents when they are asked for: the search for a crew mostly does not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Station:
    """A queue with its crew; flat arrays of one length.

    Attributes
    ----------
    queue : Queue
        What those offered meet.
    attempts : array
        Tickets offered, redials included. [1/s]
    busy : callable
        Gives ``occupancy`` and ``agent_busy``.
    loss : callable
        Gives ``lost``.
    """

    queue: Queue
    attempts: FloatArray
    busy: Busy
    loss: Callable[[], FloatArray]

    @cached_property
    def _both(self) -> tuple[FloatArray, FloatArray]:
        return self.busy()

    @property
    def occupancy(self) -> FloatArray:
        """Busy slots ÷ slots, over time."""
        return self._both[0]

    @property
    def agent_busy(self) -> FloatArray:
        """Share of the agents that handle at least one ticket, over time."""
        return self._both[1]

    @cached_property
    def lost(self) -> FloatArray:
        """Share of the tickets (of the customers, with redials) that are never answered."""
        return self.loss()


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """Demand and rules of queues side by side; every array is flat and of one length.

    Attributes
    ----------
    model : str
        Which one; see :func:`staffcast.erlang.performance`.
    shape : tuple
        Of the arguments as broadcast, to give results back in.
    rate, aht, theta, redial, cv, reply : array, shape (n,)
        Fresh arrivals [1/s], mean handle time [s], rate of giving up of each who waits [1/s], share of those who give
        up that try again, relative standard deviation of the rate, seconds to the first reply.
    places : array, shape (n,), or None
        Most tickets in the system, those in hand included; None: no limit.
    concurrency : int
        Conversations per agent.
    levels : array, shape (n, concurrency), or None
        Handle time by the number of conversations in hand; None: one ticket at a time. [s]
    """

    model: Model
    shape: tuple[int, ...]
    rate: FloatArray
    aht: FloatArray
    theta: FloatArray
    redial: FloatArray
    cv: FloatArray
    reply: FloatArray
    places: FloatArray | None
    concurrency: int
    levels: FloatArray | None

    @classmethod
    def of(
        cls,
        *,
        arrivals_per_hour: npt.ArrayLike,
        aht_s: npt.ArrayLike,
        patience_s: npt.ArrayLike | None = None,
        redial: npt.ArrayLike = 0.0,
        concurrency: int = 1,
        aht_by_concurrency_s: npt.ArrayLike | None = None,
        capacity: npt.ArrayLike | None = None,
        model: str | None = None,
        first_reply_s: npt.ArrayLike = 0.0,
        rate_cv: npt.ArrayLike = 0.0,
        agents: npt.ArrayLike | None = None,
        **others: FloatArray,
    ) -> tuple[System, list[FloatArray]]:
        """Check the arguments, choose the model, broadcast ``agents`` and ``others`` with them; these come back flat.

        Raises
        ------
        InputError
            An argument outside its range, shapes that do not fit, or arguments that the model does not know.
        """
        per_agent, levels = handle_times(concurrency, aht_by_concurrency_s)
        given: dict[str, FloatArray] = {
            "arrivals_per_hour": at_least_zero(
                "arrivals_per_hour", arrivals_per_hour, " per hour", "give 0 where nothing comes"
            ),
            "aht_s": above_zero("aht_s", aht_s, " s"),
            "redial": share_of_all("redial", redial),
            "first_reply_s": at_least_zero("first_reply_s", first_reply_s, " s"),
            "rate_cv": at_least_zero("rate_cv", rate_cv),
            "patience_s": np.asarray(np.inf) if patience_s is None else patience("patience_s", patience_s),
            "capacity": np.asarray(0.0) if capacity is None else whole("capacity", capacity),
            "aht_by_concurrency_s": np.zeros(()) if levels is None else np.zeros(levels.shape[:-1]),
        }
        chosen = chosen_model(
            model,
            patient=patience_s is not None,
            redials=bool(np.any(given["redial"] > 0)),
            chats=per_agent > 1 or levels is not None,
            limited=capacity is not None,
        )
        side_by_side = chosen in _CHATS or per_agent > 1 or levels is not None
        if agents is not None:
            check = whole if side_by_side or capacity is not None else at_least_zero
            others = {"agents": check("agents", agents), **others}
        given |= others
        arrays = dict(zip(given, together(**given), strict=True))
        shape = arrays["aht_s"].shape
        flat = {name: array.ravel() for name, array in arrays.items()}
        size = flat["aht_s"].size
        if side_by_side:
            if levels is None:
                by_level = np.repeat(flat["aht_s"][:, None], per_agent, axis=1)
            else:
                by_level = np.broadcast_to(levels, (*shape, per_agent)).reshape(size, per_agent)
        else:
            by_level = None
        with np.errstate(divide="ignore", over="ignore"):  # no patience at all: everybody leaves at an infinite rate
            theta = 1 / flat["patience_s"]
        system = cls(
            model=chosen, shape=shape, rate=flat["arrivals_per_hour"] / 3600, aht=flat["aht_s"], theta=theta,
            redial=flat["redial"], cv=flat["rate_cv"], reply=flat["first_reply_s"],
            places=None if capacity is None else flat["capacity"], concurrency=per_agent, levels=by_level,
        )  # fmt: skip
        return system, [flat[name] for name in others]

    @property
    def load(self) -> FloatArray:
        """Mean offered load in erlang."""
        return np.asarray(self.rate * self.aht)

    @property
    def whole_agents(self) -> bool:
        """Whether the model knows whole agents only."""
        return self.model in ("mmck", *_CHATS)

    @property
    def most_per_agent(self) -> FloatArray:
        """Completions of one agent who always has as much in hand as allowed, per second."""
        return 1 / self.aht if self.levels is None else self.concurrency / self.levels[:, -1]

    def take(self, at: npt.NDArray[Any], **changed: FloatArray) -> System:
        """Only the elements ``at``, in that order, with some of the arrays changed after that."""
        picked: dict[str, Any] = {
            name: getattr(self, name)[at] for name in ("rate", "aht", "theta", "redial", "cv", "reply")
        }
        picked["places"] = None if self.places is None else self.places[at]
        picked["levels"] = None if self.levels is None else self.levels[at]
        return replace(self, shape=(len(picked["rate"]),), **{**picked, **changed})

    def station(self, agents: FloatArray) -> Station:
        """Put ``agents`` on the queues.

        Raises
        ------
        InputError
            The capacity is less than the conversations that the agents hold.
        """
        if self.model == "erlang_c":
            return Station(
                queue=ErlangCQueue(self.load, agents, self.aht, self.cv),
                attempts=self.rate,
                busy=lambda: (occupied(self.load, agents, self.cv),) * 2,
                loss=lambda: np.zeros_like(self.rate),
            )
        mixed = (self.cv >= 1e-6) & (self.rate > 0)
        if not mixed.any():
            return self._known(agents)
        return self._mixture(agents, mixed)

    def _known(self, agents: FloatArray) -> Station:
        """The station when the rate is known."""
        attempted = self.rate
        if self.model == "erlang_x":
            # Where places are few, those turned away are lost for good and attempts never grow without end.
            drain = agents * self.most_per_agent if self.places is None else np.full_like(agents, np.inf)

            def gives_up(rate: FloatArray) -> FloatArray:
                return self._one_attempt(rate, agents)[0].abandon

            attempted = attempts(self.rate, self.redial, gives_up, drain)
        if self.model != "erlang_x":
            queue, busy = self._one_attempt(attempted, agents)
            return Station(
                queue=queue, attempts=attempted, busy=busy, loss=lambda: np.minimum(queue.block + queue.abandon, 1.0)
            )
        flooded = ~np.isfinite(attempted)  # everybody tries for ever and more come than can be served
        calm = np.flatnonzero(~flooded)
        inside, inside_busy = self.take(calm)._one_attempt(attempted[calm], agents[calm])

        def both() -> tuple[FloatArray, FloatArray]:
            results = np.ones_like(self.rate), np.ones_like(self.rate)
            for result, known in zip(results, inside_busy(), strict=True):
                result[calm] = known
            return results

        def lost() -> FloatArray:
            result = np.zeros_like(self.rate)
            np.subtract(1, agents * self.most_per_agent / np.maximum(self.rate, 1e-300), out=result, where=flooded)
            repeats = np.divide(attempted[calm], self.rate[calm], out=np.ones(len(calm)), where=self.rate[calm] > 0)
            result[calm] = np.minimum(repeats * (inside.block + inside.abandon * (1 - self.redial[calm])), 1.0)
            return np.clip(result, 0.0, 1.0)

        whole_queue: Queue = inside
        if flooded.any():
            many = np.ones(int(flooded.sum()))
            swamp = OpenQueue(many * np.inf, many, many * 0)
            swamp.abandon = many
            whole_queue = Patchwork(len(self.rate), [(~flooded, inside), (flooded, swamp)])
        return Station(queue=whole_queue, attempts=attempted, busy=both, loss=lost)

    def _one_attempt(self, rate: FloatArray, agents: FloatArray) -> tuple[Queue, Busy]:
        """Queue, occupancy and busy agents with ``rate`` attempts per second, none of them again."""
        if self.levels is not None:
            return self._chats(rate, agents, self.levels)
        slots = agents if self.places is None else np.minimum(agents, self.places)
        load = rate * self.aht
        gate = np.where((load > 0) & (slots <= 0), np.inf, 0.0)
        some = (load > 0) & (slots > 0)
        with np.errstate(divide="ignore"):  # so crowded that nobody is ever free
            gate[some] = 1 / free_odds(load[some], slots[some])
        places = np.zeros_like(slots) if self.model == "erlang_b" else self._waiting_places(slots)
        queue = queue_of(gate, rate, slots / self.aht, self.theta, places)

        def busy() -> tuple[FloatArray, FloatArray]:
            handled = load * (1 - np.minimum(queue.block + queue.abandon, 1.0))
            occupancy = np.where(rate > 0, 1.0, 0.0)
            np.divide(handled, agents, out=occupancy, where=agents > 0)
            occupancy = np.clip(occupancy, 0, 1)
            return occupancy, occupancy

        return queue, busy

    def _chats(self, rate: FloatArray, agents: FloatArray, levels: FloatArray) -> tuple[Queue, Busy]:
        """The same with conversations side by side."""
        slots = agents * self.concurrency
        spread = self.model != "chat_lls"
        head = None if spread else least_loaded_head(rate, agents, levels)
        gate = even_gate(rate, agents, levels) if head is None else head.gate
        queue = queue_of(gate, rate, agents * self.most_per_agent, self.theta, self._waiting_places(slots))

        def busy() -> tuple[FloatArray, FloatArray]:
            below = even_head(rate, agents, levels) if head is None else head
            full = queue.all_busy
            chats = (1 - full) * below.mean_chats + full * slots
            people = (1 - full) * below.mean_busy + full * agents
            idle = np.where(rate > 0, 1.0, 0.0)  # nobody there: as busy as can be, where anything comes
            there = agents > 0
            return (
                np.where(there, np.clip(chats / np.maximum(slots, 1.0), 0, 1), idle),
                np.where(there, np.clip(people / np.maximum(agents, 1.0), 0, 1), idle),
            )

        return queue, busy

    def _waiting_places(self, slots: FloatArray) -> FloatArray | None:
        if self.places is None:
            return None
        short = self.places < slots
        if short.any():
            raise bad_value(
                "capacity", float(self.places[short][0]),
                f"at least the {slots[short][0]:g} conversations that the agents hold at once",
                "raise it, or lower concurrency",
            )  # fmt: skip
        return self.places - slots

    def _mixture(self, agents: FloatArray, mixed: npt.NDArray[np.bool_]) -> Station:
        """Average over the rates of each element whose rate is uncertain; the others have one rate, their own."""
        at = np.flatnonzero(mixed)
        sub, crew = self.take(at), agents[at]
        plain = self.take(np.arange(len(mixed)), cv=np.zeros(len(mixed)))._known(agents)
        drain = crew * sub.most_per_agent
        if sub.model == "erlang_x":
            endless = (sub.redial >= 1) & (sub.places is None)
        else:
            endless = (sub.theta == 0) & (sub.places is None) & (sub.model != "erlang_b")
        limit = np.where(endless, drain, np.inf)

        def at_nodes(rates: Rates, of: npt.NDArray[np.intp]) -> Station:
            nodes, copies = rates.rate.ravel(), len(rates.rate)
            return sub.take(np.tile(of, copies), rate=nodes, cv=np.zeros(len(nodes)))._known(np.tile(crew[of], copies))

        everywhere = np.arange(len(at))
        rates = over_rates(sub.rate, limit, sub.cv, crew, knee=None if endless.all() else drain)
        inner = at_nodes(rates, everywhere)

        def capped() -> tuple[Queue, Rates, npt.NDArray[np.bool_]]:
            shape = 1 / sub.cv**2
            highest = special.gammaincinv(shape + 1, MEAN_COVERS) / shape
            bounded = limit > sub.rate * highest
            held = np.where(bounded, limit, np.inf)
            lower = over_rates(sub.rate, held, sub.cv, crew, highest)
            return at_nodes(lower, everywhere).queue, lower, bounded

        queue = MixedQueue(
            plain.queue, at, inner.queue, rates, inner.attempts, sub.rate, capped if endless.any() else None
        )
        swamped = special.gammaincc(1 / sub.cv**2, limit / sub.rate / sub.cv**2)

        def over_time(known: FloatArray, nodes: FloatArray, overloaded: float) -> FloatArray:
            return queue.over_time(known, nodes, overloaded=overloaded, overloaded_time=swamped)

        def busy() -> tuple[FloatArray, FloatArray]:
            return (
                np.minimum(over_time(plain.occupancy, inner.occupancy, 1.0), 1.0),
                np.minimum(over_time(plain.agent_busy, inner.agent_busy, 1.0), 1.0),
            )

        return Station(
            queue=queue,
            attempts=over_time(plain.attempts, inner.attempts, np.inf) if self.model == "erlang_x" else self.rate,
            busy=busy,
            loss=lambda: queue.over_tickets(plain.lost, inner.lost, overloaded=0.0),
        )
