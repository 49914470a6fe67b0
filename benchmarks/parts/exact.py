"""The truth of the accuracy part: Erlang B and C in whole numbers, the other models as chains, at 50 digits or more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import mpmath

__all__ = ["Exact", "Figures", "attempts", "chain", "erlang_bc"]

BITS = 320


class Exact(NamedTuple):
    """B and C, and |d ln f ÷ d ln load| of both: what one relative error in the load would do to them."""

    b: mpmath.mpf
    c: mpmath.mpf
    condition_b: float
    condition_c: float


def erlang_bc(load: float, agents: float) -> Exact:
    """Erlang B and C for load > 0 and real agents > 0."""
    inverse = _inverse_b(load, agents)
    with mpmath.workprec(BITS):
        a, n = mpmath.mpf(load), mpmath.mpf(agents)
        b = 1 / inverse
        free = n - a + a * b
        if load >= agents:
            return Exact(b, mpmath.mpf(1), float(abs(free)), 0.0)
        condition_c = free - (a * b - a + a * b * free) / free
        return Exact(b, n * b / free, float(abs(free)), float(abs(condition_c)))


def _inverse_b(load: float, agents: float) -> mpmath.mpf:
    one = 1 << BITS
    with mpmath.workprec(BITS + 64):
        a, n = mpmath.mpf(load), mpmath.mpf(agents)
        offered, left = int(mpmath.floor(a * one)), int(mpmath.floor(n * one))
        term = total = one
        if load <= agents or (load - agents) ** 2 < 120 * agents + 400:
            # 1/B = 1/p − load/(n + 1) − load²/((n + 1)(n + 2)) − …, with the Poisson probability p of n.
            while term > total >> 230 or left < offered:
                left += one
                term = term * offered // left
                total += term
            poisson = mpmath.exp(n * mpmath.log(a) - a - mpmath.loggamma(n + 1))
            return 1 / poisson - mpmath.mpf(total - one) / one
        # Far in overload 1/B = 1 + n/load + n(n − 1)/load² + …, down to the part of an agent that is left.
        while left >= one and term > total >> 230:
            term = term * left // offered
            total += term
            left -= one
        if left < one:
            rest = mpmath.mpf(left) / one
            total += term * (mpmath.exp(a) * a ** (-rest) * mpmath.gammainc(rest + 1, a) - 1)
        return mpmath.mpf(total) / one


class Figures(NamedTuple):
    """What tickets and agents meet: the fields of ``performance`` of the same names."""

    p_wait: mpmath.mpf
    abandon_prob: mpmath.mpf
    miss_prob: mpmath.mpf
    asa_s: mpmath.mpf
    p_block: mpmath.mpf
    occupancy: mpmath.mpf


def chain(
    rate: mpmath.mpf, agents: int, ahts: Sequence[float], theta: mpmath.mpf, places: int | None, within: float
) -> Figures:
    """Any of the models with whole agents as the birth–death chain it is, state by state, at the working precision.

    ``ahts`` are the handle times with 1, 2, … conversations in hand, these spread evenly; ``theta`` is 0 where nobody
    gives up, ``places`` the most in the system. All sums are of positive terms, from the last slot outwards.
    """
    finish = [(j + 1) / mpmath.mpf(aht) for j, aht in enumerate(ahts)]
    slots, drain, least = agents * len(ahts), agents * finish[-1], mpmath.mpf(10) ** (5 - mpmath.mp.dps)
    # Downwards from the state with all slots taken, whose weight is 1.
    head, in_hand, weight = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(1)
    for m in range(slots, 0, -1):
        full, more = divmod(m, agents)
        pace = more * finish[full] if more else mpmath.mpf(0)
        pace += (agents - more) * finish[full - 1] if full else 0
        weight *= pace / rate
        head += weight
        in_hand += (m - 1) * weight
        if pace < rate and weight * m < least * head:
            break
    # Upwards: a ticket that finds i others waiting is answered after i + 1 steps of rates drain + i·theta, …, drain,
    # so that exp(−theta × wait) is Beta(c, i + 1) with c = drain ÷ theta, and in time with
    # c/(c + i + 1) × P(Beta(c + 1, i + 1) ≥ exp(−theta × within)). Without patience the wait is Erlang distributed.
    room = 10**9 if places is None else places - slots
    tail = missed = waited = given_up = mpmath.mpf(0)
    weight, steps, i = mpmath.mpf(1), mpmath.mpf(0), 0
    if theta > 0:
        c = drain / theta
        z = mpmath.exp(-theta * within)
        term = late = z ** (c + 1)
    else:
        term = late = mpmath.exp(-drain * within)
    while i < room:
        tail += weight
        if theta > 0:
            answered = c / (c + i + 1)
            steps += 1 / (c + 1 + i)
            missed += weight * ((i + 1) / (c + i + 1) + answered * late)
            waited += weight * answered * steps / theta
            given_up += weight * (i + 1) / (c + i + 1)
            term *= (1 - z) * (c + 1 + i) / (i + 1)
        else:
            missed += weight * late
            waited += weight * (i + 1) / drain
            term *= drain * within / (i + 1)
        late += term
        i += 1
        step = rate / (drain + i * theta)
        weight *= step
        if places is None and step < 1 and weight * (i + 1) < least * (1 - step) ** 2 * min(missed, waited * drain):
            break
    blocked = weight if places is not None and i == room else mpmath.mpf(0)
    total = head + tail + blocked
    inside = head + tail
    return Figures(
        p_wait=tail / total, abandon_prob=given_up / inside, miss_prob=(missed + blocked) / total,
        asa_s=waited / (inside - given_up), p_block=blocked / total,
        occupancy=(in_hand + slots * (tail + blocked)) / (slots * total),
    )  # fmt: skip


def attempts(rate: mpmath.mpf, redial: float, gives_up: Callable[[mpmath.mpf], mpmath.mpf]) -> mpmath.mpf:
    """The rate of attempts if a share ``redial`` < 1 of those who give up tries again: attempts fed back to balance."""

    def surplus(each: mpmath.mpf) -> mpmath.mpf:
        return each - rate - redial * each * gives_up(each)

    # The root lies below rate ÷ (1 − redial). Secant steps, from two guesses near the fixed point.
    guess = rate
    for _ in range(12):
        guess = rate + redial * guess * gives_up(guess)
    return mpmath.findroot(surplus, (guess, guess * (1 + mpmath.mpf(10) ** -8)), tol=mpmath.mpf(10) ** -90, maxsteps=40)
