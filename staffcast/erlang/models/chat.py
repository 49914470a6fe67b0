"""Chat: agents who hold several conversations at once and are slower at each the more they hold.

Each of ``n`` agents holds at most ``k`` chats. An agent with ``j`` chats finishes them at the total rate j ÷ aht_j,
where (aht_1, …, aht_k) is ``aht_by_concurrency_s``: the mean time one chat lasts while its agent holds ``j`` of them.
With S = n·k slots taken, customers queue, and the crew finishes n·k ÷ aht_k chats per second.

The chain of the number of chats is cut at S. Its *head*, the states with a free slot, is what this module adds up; it
enters everything else through one number, ``gate`` = p_S ÷ (p_0 + … + p_{S−1}). Here chats are spread evenly, as
if they moved to whoever has fewest; ``leastloaded`` has the crew whose chats stay where they began.

References
----------
.. [1] J. Luo, J. Zhang, "Staffing and control of instant messaging contact centers", Operations Research 61(2), 2013,
   pp. 328–343, doi:10.1287/opre.1120.1151; agents who slow down with every further chat.
.. [2] M. Reiser, S. S. Lavenberg, "Mean-value analysis of closed multichain queuing networks", Journal of the ACM
   27(2), 1980, pp. 313–322, doi:10.1145/322186.322195.
.. [3] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008,
   chapter 2, doi:10.1002/9781118625651; birth–death chains, finite-source queues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, whole

__all__ = ["ChatHead", "aht_from_turns", "even_gate", "even_head"]

_ELEMENTS, _CELLS = 512, 40_000  # worked on at a time: few enough to stay in the processor's cache
_BLOCK = 8  # rows of a running product taken in one go
NO_RATE = 1e-290  # arrivals per second that count as none: durations in seconds reach no further in doubles
_REST = 1e-20  # what is left out of a sum, relative to it


@dataclass(frozen=True, kw_only=True, eq=False)
class ChatHead:
    """The states with a free slot, added up; every field is a float array with one value per element.

    Attributes
    ----------
    gate : array
        p_S ÷ Σ_{m<S} p_m, S all slots: inf without slots, 0 without arrivals. For one slot per agent it is
        B ÷ (1 − B), B Erlang's loss formula. Underflows to 0 below 1e-308.
    mean_chats : array
        Mean number of chats held, given that a slot is free; 0 without slots.
    mean_busy : array
        Mean number of agents who hold at least one chat, given that a slot is free.
    drain : array
        Chats finished per second while all slots are taken: agents · k ÷ aht_k.
    """

    gate: FloatArray
    mean_chats: FloatArray
    mean_busy: FloatArray
    drain: FloatArray


def even_head(rate: FloatArray, agents: FloatArray, ahts: FloatArray) -> ChatHead:
    """Head of the chat queue when chats are spread evenly over the agents at all times.

    With m chats, q = m // n and r = m % n, r agents hold q + 1 and n − r hold q. Chats are finished at
    d_m = r·(q + 1) ÷ aht_{q+1} + (n − r)·q ÷ aht_q per second, and p_m·rate = p_{m+1}·d_{m+1}.

    Parameters
    ----------
    rate : array of shape (elements,)
        Chats that arrive per second, ≥ 0.
    agents : array of shape (elements,)
        Whole numbers ≥ 0.
    ahts : array of shape (k,) or (elements, k)
        aht_1, …, aht_k, above 0 and not falling; checked by ``choice.handle_times``. The same
        number k times over means that chats do not slow each other. [s]

    Returns
    -------
    ChatHead
        Arrays of shape (elements,).

    Notes
    -----
    Every figure is a sum of positive terms, taken outwards from the likeliest state so that none overflows. Relative
    error below 1e-14·max(1, cond), cond = S − ``mean_chats`` being how many per cent the gate moves with 1 % more
    arrivals; measured against 50 digits up to 2,000 agents of 5 slots. The time per element grows with the number of
    slots, the memory does not.

    Where j ÷ aht_j falls with j (a further chat makes an agent finish *fewer*) elements are summed one by one, which is
    slower. There more slots can mean a longer queue.

    References
    ----------
    [3]_ chapter 2, birth–death chains.

    Examples
    --------
    >>> import numpy as np
    >>> head = even_head(np.array([0.08]), np.array([10.0]), np.array([240.0, 260.0, 330.0]))
    >>> head.gate.round(4), head.mean_chats.round(2), head.drain.round(4)
    (array([0.0418]), array([21.43]), array([0.0909]))
    """
    slots = ahts.shape[-1]
    finish = np.arange(1, slots + 1) / ahts  # by an agent who holds 1, 2, …, k chats [per s]
    weights = _weights(rate, agents, finish, moments=True)
    # Where the head weighs nothing beside S (overload beyond what doubles hold) it is its last state.
    gone = weights.head == 0
    head = np.where(gone, 1.0, weights.head)
    mean_chats = np.where(gone, np.maximum(agents * slots - 1, 0), weights.chats / head)
    mean_busy = np.where(gone, agents if slots > 1 else mean_chats, weights.busy / head)
    return ChatHead(gate=weights.gate(), mean_chats=mean_chats, mean_busy=mean_busy, drain=agents * finish[..., -1])


def even_gate(rate: FloatArray, agents: FloatArray, ahts: FloatArray) -> FloatArray:
    """``even_head(…).gate`` alone, for those who search the number of agents: a third quicker."""
    return _weights(rate, agents, np.arange(1, ahts.shape[-1] + 1) / ahts, moments=False).gate()


@dataclass(kw_only=True, eq=False)
class _Weights:
    """Unnormalised sums over the head, and the weight of S on the same scale."""

    head: FloatArray
    top: FloatArray
    chats: FloatArray
    busy: FloatArray

    def gate(self) -> FloatArray:
        with np.errstate(over="ignore", divide="ignore"):
            return np.asarray(self.top / self.head)


def _weights(rate: FloatArray, agents: FloatArray, finish: FloatArray, *, moments: bool) -> _Weights:
    gain = np.broadcast_to(np.diff(finish, axis=-1, prepend=0.0), (rate.size, finish.shape[-1]))
    sums = _Weights(
        head=np.ones(rate.size), top=np.zeros(rate.size), chats=np.zeros(rate.size), busy=np.zeros(rate.size)
    )
    sums.top[agents == 0] = np.inf
    some = (rate > NO_RATE) & (agents > 0)
    slowed = some & (gain < 0).any(axis=1)
    for place in np.flatnonzero(slowed):
        _one_by_one(sums, place, rate, agents, finish[place] if finish.ndim > 1 else finish)
    usual = np.flatnonzero(some & ~slowed)
    if usual.size:
        _outwards(sums, usual, rate[usual], agents[usual], gain[usual].T, moments=moments)
    return sums


def _outwards(
    sums: _Weights, places: npt.NDArray[np.intp], rate: FloatArray, agents: FloatArray, gain: FloatArray,
    *, moments: bool,
) -> None:  # fmt: skip
    """Fill in ``sums`` at ``places``, relative to the likeliest state; ``gain`` (k, elements) has no value below 0."""
    slots = gain.shape[0]
    level = np.arange(slots)[:, None]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        rise = gain / rate  # of d_m ÷ rate with each chat, on each level
        reached = agents * (np.cumsum(rise, axis=0) - rise)  # d ÷ rate at q·n chats
        ramp = np.floor((1 - reached) / rise)
        bend = np.maximum(reached - level * agents * rise, 0.0)
    ramp[np.isnan(ramp)] = 0.0  # 0 ÷ 0 or inf − inf: a start that is not quite the likeliest does no harm
    start = np.minimum(np.maximum(ramp, 0.0), agents).sum(axis=0)
    # As long as each chat adds no more than the one before, d_m is the lowest of the k lines through its pieces.
    lines = bool((rise[1:] <= rise[:-1] * (1 + 1e-15)).all())
    inside = (start < agents * slots).astype(np.float64)
    head, chats, busy, top = inside.copy(), inside * start, inside * np.minimum(start, agents), np.ones_like(rate)
    for up in (True, False):
        steps = agents * slots - start if up else start
        order = np.argsort(steps, kind="stable")
        for low in range(0, order.size, _ELEMENTS):
            these = order[low : low + _ELEMENTS]
            longest = int(steps[these[-1]])
            if longest == 0:
                continue
            many, rises, bends = agents[these], rise[:, these], bend[:, these] if lines else None
            at, left, carry = start[these], steps[these], (steps[these] > 0).astype(np.float64)
            stride = max(_CELLS // these.size, 1)
            for first in range(0, longest, stride):
                rows = np.arange(first, min(first + stride, longest), dtype=np.float64)[:, None]
                # A step up divides by the d of the state reached, a step down multiplies by the d of the state left.
                state = at + (rows + 1) if up else at - rows
                weight = _drained(state, many, rises, bends)
                if up:
                    np.divide(1.0, weight, out=weight)
                    ending = np.flatnonzero((left > first) & (left <= first + len(rows)))
                    row = (left[ending] - first - 1).astype(np.intp)
                    final = weight[row, ending]
                    weight[row, ending] = 0.0  # S is not in the head, and nothing is above it
                else:
                    state -= 1
                weight[0] *= carry
                _running_product(weight)
                if up:
                    top[these[ending]] = final * np.where(row > 0, weight[row - 1, ending], carry[ending])
                head[these] += weight.sum(axis=0)
                if moments:
                    chats[these] += np.einsum("ij,ij->j", weight, state)
                    busy[these] += np.einsum("ij,ij->j", weight, np.minimum(state, many, out=state))
                carry = weight[-1].copy()
                if up and not carry.any():
                    top[these[left > first + len(rows)]] = 0.0
                    break
                if not up and (carry * left <= _REST * head[these]).all():
                    break  # the weights only fall from here: what is left out is below carry × states
    sums.head[places], sums.top[places], sums.chats[places], sums.busy[places] = head, top, chats, busy


def _drained(state: FloatArray, agents: FloatArray, rise: FloatArray, bend: FloatArray | None) -> FloatArray:
    """d_m ÷ rate for states (rows, elements); 0 for those below 0."""
    result = np.maximum(state, 0.0)
    if bend is None:
        np.minimum(result, agents, out=result)
    result *= rise[0]
    part = np.empty_like(result)
    for level in range(1, len(rise)):
        if bend is None:
            np.subtract(state, level * agents, out=part)
            np.maximum(part, 0.0, out=part)
            np.minimum(part, agents, out=part)
            part *= rise[level]
            result += part
        else:
            np.multiply(state, rise[level], out=part)
            part += bend[level]
            np.minimum(result, part, out=result)
    return result


def _running_product(factors: FloatArray) -> None:
    """``np.cumprod(factors, axis=0, out=factors)``, several times quicker: within blocks of rows, then between them."""
    rows, elements = factors.shape
    if elements < 8:
        np.multiply.accumulate(factors, axis=0, out=factors)
        return
    whole_rows = rows // _BLOCK * _BLOCK
    blocks = factors[:whole_rows].reshape(-1, _BLOCK, elements)
    for row in range(1, _BLOCK):
        blocks[:, row] *= blocks[:, row - 1]
    for block in range(1, len(blocks)):
        blocks[block] *= blocks[block - 1, -1]
    for row in range(max(whole_rows, 1), rows):
        factors[row] *= factors[row - 1]


def _one_by_one(sums: _Weights, place: np.intp, rate: FloatArray, agents: FloatArray, finish: FloatArray) -> None:
    """Fill in ``sums`` at ``place``, whose agents slow down so much that d_m does not always rise."""
    people = int(agents[place])
    state = np.arange(people * finish.size + 1)
    drained = np.interp(state, people * np.arange(finish.size + 1), people * np.append(0.0, finish))
    weight = relative_weights(float(rate[place]), drained)
    head, held = weight[:-1], state[:-1]
    sums.head[place], sums.top[place] = head.sum(), weight[-1]
    sums.chats[place], sums.busy[place] = head @ held, head @ np.minimum(held, people)


def relative_weights(rate: float, drained: FloatArray) -> FloatArray:
    """Stationary weights of the states m = 0 … S that are left downwards at ``drained[m]``, the largest being 1."""
    step = rate / drained[1:]
    logs = np.concatenate(([0.0], np.cumsum(np.log(step))))
    mode = int(np.argmax(logs))
    # Logarithms find the likeliest state, from where products are the more exact, until they have come near 0.
    weights = np.exp(logs - logs[mode])
    for part, factors in ((weights[mode + 1 :], step[mode:]), (weights[:mode][::-1], 1 / step[:mode][::-1])):
        products = np.cumprod(factors)
        np.copyto(part, products, where=np.minimum.accumulate(products) > 1e-290)
    return np.asarray(weights)


def aht_from_turns(*, turns: float, active_s: float, gap_s: float, concurrency: int) -> tuple[float, ...]:
    """Handle times by chats held, from the turns that a conversation consists of.

    A conversation has ``turns`` turns of the agent, each of ``active_s`` seconds of work on average, with ``gap_s``
    seconds of the customer's silence between them. An agent with j conversations works on one turn at a time, first
    come first served, so that turns wait for each other: little while customers are mostly silent, more as the agent
    fills up. Going from one conversation to another costs nothing here: add it to ``active_s``.

    Parameters
    ----------
    turns : float
        Mean turns of the agent in a conversation, ≥ 1.
    active_s : float
        Mean work on a turn: reading, looking up, writing, > 0. [s]
    gap_s : float
        Mean time from the agent's message to the customer's next, ≥ 0. [s]
    concurrency : int
        Largest number of conversations per agent, k ≥ 1.

    Returns
    -------
    tuple of k floats
        aht_1, …, aht_k, not falling: ``aht_by_concurrency_s`` for everything else. aht_1 is
        turns·active_s + (turns − 1)·gap_s; j ÷ aht_j rises towards 1 ÷ (turns·active_s), an agent without a pause. [s]

    Raises
    ------
    InputError
        An argument outside its range.

    Notes
    -----
    While the agent holds j conversations, a new one taking the place of each that ends, turns circulate between the
    agent (one server) and the customers' silence (no queue): the finite-source queue M/M/1//j, [3]_. A turn is followed
    by a silence unless it was the last, which makes the mean silence gap_s·(turns − 1) ÷ turns per turn. By mean
    value analysis [2]_ a turn takes R_j = active_s·(1 + Q_{j−1}) at the agent, turns pass at the rate
    X_j = j ÷ (R_j + silence), Q_j = X_j·R_j of them are at the agent; by Little's law a conversation lasts
    turns·j ÷ X_j. Exact for exponential work per turn and any distribution of the silence and of the number of turns
    (the network has product form). It takes j as constant while a conversation lasts, as this module does throughout.

    References
    ----------
    [2]_, mean value analysis; [3]_ chapter 2, finite-source queues.

    Examples
    --------
    >>> [round(each) for each in aht_from_turns(turns=6, active_s=40, gap_s=90, concurrency=4)]
    [690, 773, 891, 1046]
    """
    visits = _one("turns", at_least_zero("turns", turns))
    if visits < 1:
        raise bad_value("turns", visits, "at least 1", "a conversation has at least one reply")
    work = _one("active_s", above_zero("active_s", active_s, " s"))
    silence = _one("gap_s", at_least_zero("gap_s", gap_s, " s")) * (visits - 1) / visits
    most = _one("concurrency", whole("concurrency", concurrency))
    if most < 1:
        raise bad_value("concurrency", most, "at least 1", "1 is one conversation at a time, as on the phone")
    ahts = []
    queue = 0.0
    for held in range(1, int(most) + 1):
        answer = work * (1 + queue)
        ahts.append(visits * (answer + silence))
        queue = held * answer / (answer + silence)
    return tuple(ahts)


def _one(parameter: str, number: FloatArray) -> float:
    if number.ndim:
        raise bad_value(parameter, number.tolist(), "one number", "call this once for each kind of conversation")
    return float(number)
