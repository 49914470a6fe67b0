"""Everything the event loop can do, ticket by ticket, as a dumb simulator has it that shares no line with it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_dumb import play_dumbly
from simulation_exact import play_tickets

EDGES = [0.0, 30.0, 60.0, 75.0, 120.0, 150.0]
KEY = 0x1234_5678_9ABC_DEF0


@st.composite
def tickets_of_a_day(draw):
    """Up to 20 tickets on whole seconds, so that many things happen at one instant."""
    count = draw(st.integers(0, 20))

    def of(values):
        return draw(st.lists(values, min_size=count, max_size=count))

    come = sorted(zip(of(st.integers(-20, 149)), of(st.integers(0, 2)), strict=True))
    service = of(st.integers(1, 40))
    patience = of(st.one_of(st.just(math.inf), st.integers(0, 60)))
    bits = of(st.integers(0, 2**64 - 1))
    return [
        (float(a), float(s), max(a, 0) + float(p), kind, b)
        for (a, kind), s, p, b in zip(come, service, patience, bits, strict=True)
    ]


def share(*rest):
    return st.one_of(
        st.just((0.0, *[1.0] * len(rest))), st.tuples(st.sampled_from([0.3, 0.8]), *map(st.sampled_from, rest))
    )


options_of_a_day = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(["finish", "finish_count", "preempt", "handover"]),
        "redial": share([5.0, 40.0]),
        "reopen": share([5.0, 40.0], [0.5, 1.0]),
        # No whole number: what is asked at the very instant at which something else happens has no order in S3.
        "repeat": share([4.37, 20.61], [0.5, 1.0]),
        "ageing": st.sampled_from([math.inf, 0.001, 7.3, 31.7]),
        "mean_service": st.sampled_from([3.0, 25.0]),
        "mean_patience": st.sampled_from([math.inf, 10.0]),
    }
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(
    tickets_of_a_day(),
    st.lists(st.integers(0, 5), min_size=5, max_size=5),
    options_of_a_day,
    st.one_of(st.none(), st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=3, max_size=3)),
    st.sampled_from([0.0, 4.0]),
)
def test_every_ticket_as_the_dumb_simulator(tickets, agents, options, opened, handover):
    """With every rule and whatever customers do, tickets come, begin and end as a look at all of them says."""
    if options["mean_patience"] == math.inf and options["redial"][0]:
        options["redial"] = (0.0, 1.0)
    options |= {"opened": opened, "handover": handover if options["rule"] == "handover" else 0.0}
    played = play_tickets(tickets, EDGES, agents, options, KEY)
    expected, over = play_dumbly(tickets, EDGES, agents, leaver_key=KEY, **options)
    assert len(played.arrival_s) == len(expected)
    for name in ("arrival", "service", "begin"):
        np.testing.assert_array_equal(
            getattr(played, f"{name}_s"), [getattr(one, name) for one in expected], err_msg=name
        )
    np.testing.assert_array_equal(played.kind, [one.kind for one in expected])
    np.testing.assert_array_equal(played.origin, [one.origin for one in expected])
    begun = [one for one in expected if one.begin == one.begin]
    np.testing.assert_array_equal(
        played.end_s[played.answered], [math.inf if one.end != one.end else one.end for one in begun]
    )
    lost = [one.begin != one.begin and one.leave < EDGES[-1] for one in expected]
    np.testing.assert_array_equal(played.abandoned, lost)
    np.testing.assert_array_equal(
        played.left_queue_s[played.abandoned], [one.leave for one, gone in zip(expected, lost, strict=True) if gone]
    )
    spent = np.minimum(played.overtime_to_s, EDGES[-1]).sum() - played.overtime_from_s.sum()
    assert spent == pytest.approx(over, abs=1e-6)
    assert len(played.break_from_s) == sum(len(one.interrupted) for one in expected)
