"""The door of the room: check the arguments, play the replications, collect what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from staffcast.contracts import InputError, Target, bad_value
from staffcast.simulation.checks import FloatArray
from staffcast.simulation.customers import Bot, Redial, Reopening, Repeats
from staffcast.simulation.floor import ROUTINGS
from staffcast.simulation.groups import Group, handle_times, require_groups, staff_of_all
from staffcast.simulation.inputs import Arrivals, Staffing, require_same_grid
from staffcast.simulation.kernel import DROP_RULES
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.runs import play_all
from staffcast.simulation.sampling import Case
from staffcast.simulation.stratified import STRATA

__all__ = ["case_of", "simulate"]


def simulate(
    arrivals: Arrivals,
    staffing: Staffing | Sequence[Group],
    service: Service | Sequence[Service] | None,
    *,
    patience: Patience | Sequence[Patience] | None = None,
    priorities: Sequence[float] | None = None,
    backlog: int | npt.ArrayLike | None = None,
    on_staff_drop: Literal["finish", "finish_count", "preempt", "handover"] = "finish",
    handover_s: float = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: Sequence[float] | None = None,
    routing: Literal["longest_idle", "priority"] = "longest_idle",
    ageing_s: float | None = None,
    opened: npt.ArrayLike | None = None,
    redial: Redial | None = None,
    reopening: Reopening | None = None,
    repeats: Repeats | None = None,
    bot: Bot | None = None,
    first_reply_s: float = 0.0,
    first_reply_share: float = 0.0,
    window_s: float | None = None,
    replications: int = 100,
    seed: int = 0,
    target: Target | str | None = None,
    stratified: bool = False,
    class_targets: Sequence[Target | str | None] | None = None,
    half_width: float | None = None,
    most: int = 10_000,
    resume: str | Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Play a staffing plan against demand, ticket by ticket; semantics in :mod:`staffcast.simulation.kernel`.

    Parameters
    ----------
    arrivals : Arrivals
        Demand: rates, sample paths of rates, or a recorded log.
    staffing : Staffing or sequence of Group
        The plan, on the grid of the demand: of agents who all serve everything, or of groups with skills, whose agents
        are followed one by one (semantics in :mod:`staffcast.simulation.floor`).
    service : Service, sequence of Service, or None
        Handle times, of all or of each class. None only where a trace has its own and there is no backlog.
    patience : Patience or sequence of Patience, optional
        When customers who wait give up, all or each class; None: never.
    priorities : sequence of float, optional
        Share of the tickets in each class, the most urgent first; they sum to 1. None: one class, first come first
        served.
    backlog : int or array_like (tickets,), optional
        Tickets that wait at the start: how many, or their ages in seconds, ≥ 0. A ticket of age a came at −a before
        the first edge and its wait counts from then; of age 0 where only the number is given. The class is drawn;
        within it the oldest goes first.
    on_staff_drop : {"finish", "finish_count", "preempt", "handover"}
        What happens when staff leave with tickets in hand.
    handover_s : float
        With ``handover``: seconds to read a ticket that somebody else began.
    concurrency : int
        Conversations that an agent holds at once, ≥ 1.
    aht_by_concurrency_s : sequence of float, optional
        aht_1, …, aht_k, > 0 and not falling: how long a conversation lasts while its agent holds 1, …, k. Only
        aht_j ÷ aht_1 counts: how long one lasts alone is drawn from ``service``. None: no slower beside others.
    routing : {"longest_idle", "priority"}
        Which of several agents with as few conversations in hand gets a ticket: who has been so for longest, or who is
        of the group that prefers its class most.
    ageing_s : float, optional
        A waiting ticket counts one class more urgent for every so many seconds; None: never.
    opened : array_like (classes, n) of bool, optional
        Whether tickets of a class are taken in an interval: the business hours of its queue. None: always.
    redial, reopening, repeats : Redial, Reopening, Repeats, optional
        Who calls again, what comes back, who asks where the answer is. What they bring about counts as offered.
    bot : Bot, optional
        In front: ``arrivals`` are then conversations with it.
    first_reply_s : float
        From taking a ticket to the first reply, in seconds ≥ 0.
    first_reply_share : float
        In [0, 1]: the first reply comes inside the handling, after this share of the ticket's own handle time. FRT =
        wait + first_reply_s + first_reply_share × handle time. Of a handling with n turns alike it is 1 ÷ n.
    window_s : float, optional
        A ticket that waits longer has ``expired``: WhatsApp's free reply within 24 hours is ``86_400``.
    replications : int
        How often the span is played, ≥ 1.
    seed : int
        ≥ 0. The same seed gives the same bytes, whatever ``processes``; and a plan changed gets the same tickets.
    target : Target or str, optional
        Sets the time of the service level, and what ``met_share`` judges.
    stratified : bool
        Spread the replications evenly over how many tickets come in all: the same law on average, with less chance
        (:mod:`staffcast.simulation.stratified`; ``Outcome.stratification`` says what it gained). ``replications`` is
        then a multiple of 20, at least 40.
    class_targets : sequence of Target, str or None, optional
        What classes must reach, one per class, the most urgent first; judged apart, in ``Outcome.by_class``.
    half_width : float, optional
        Play on beyond ``replications`` until the 95 % interval of what the target is about (a share, or seconds) is no
        wider than twice this; at most ``most`` replications in all.
    most : int
        ≥ ``replications``.
    resume : path, optional
        Folder that keeps what is done, so that an interrupted simulation goes on from there.
    processes : int
        At most this many processes at work.
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of replications.

    Returns
    -------
    Outcome
        An unstable plan is played as any other: ``summary.load`` is then above 1 and ``queue_end`` grows.

    Raises
    ------
    InputError
        A plan that does not cover the demand or has another grid, shares that do not sum to 1, negative ages, no
        replications, an unknown rule.

    Examples
    --------
    Four tickets of 15 minutes come in a closed hour; then two agents answer, and one stays for the last hour.

    >>> edges = [0, 3600, 7200, 10800]
    >>> outcome = simulate(Arrivals.trace([600, 1800, 2400, 3000]), Staffing.steps(edges, [0, 2, 1]),
    ...                    Service.deterministic(900), replications=1, target="80% in 15m")
    >>> outcome.by_interval[["start_s", "agents", "arrivals", "queue_mean", "queue_end", "busy_mean"]]
       start_s  agents  arrivals  queue_mean  queue_end  busy_mean
    0      0.0       0       4.0    1.833333        4.0        0.0
    1   3600.0       2       0.0    0.500000        0.0        1.0
    2   7200.0       1       0.0    0.000000        0.0        0.0
    >>> outcome.tickets(0)["wait_s"].tolist(), outcome.summary.service_level
    ([3000.0, 1800.0, 2100.0, 1500.0], 0.0)
    """
    case = case_of(
        arrivals, staffing, service, patience=patience, priorities=priorities, backlog=backlog,
        on_staff_drop=on_staff_drop, handover_s=handover_s, concurrency=concurrency,
        aht_by_concurrency_s=aht_by_concurrency_s, routing=routing, ageing_s=ageing_s, opened=opened,
        redial=redial, reopening=reopening, repeats=repeats, bot=bot, first_reply_s=first_reply_s,
        first_reply_share=first_reply_share, window_s=window_s, seed=seed, target=target,
        class_targets=class_targets, stratified=stratified,
    )  # fmt: skip
    runs = _whole("replications", replications, 1, "100 gives bands, 1 a single course of events")
    most = max(_whole("most", most, 1), runs)
    if stratified:
        _require_strata(arrivals, runs)
        most -= most % STRATA
    if half_width is not None:
        half_width = _seconds("half_width", half_width, above=True, legal="a number > 0: a share, or seconds")
    return play_all(
        case, runs, half_width=half_width, most=most, resume=resume, processes=processes,
        progress=progress,
    )  # fmt: skip


def case_of(
    arrivals: Arrivals,
    staffing: Staffing | Sequence[Group],
    service: Service | Sequence[Service] | None,
    *,
    patience: Patience | Sequence[Patience] | None = None,
    priorities: Sequence[float] | None = None,
    backlog: int | npt.ArrayLike | None = None,
    on_staff_drop: str = "finish",
    handover_s: float = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: Sequence[float] | None = None,
    routing: str = "longest_idle",
    ageing_s: float | None = None,
    opened: npt.ArrayLike | None = None,
    redial: Redial | None = None,
    reopening: Reopening | None = None,
    repeats: Repeats | None = None,
    bot: Bot | None = None,
    first_reply_s: float = 0.0,
    first_reply_share: float = 0.0,
    window_s: float | None = None,
    seed: int = 0,
    target: Target | str | None = None,
    class_targets: Sequence[Target | str | None] | None = None,
    stratified: bool = False,
) -> Case:
    """Check what is to be played; parameters and errors as of :func:`simulate`."""
    if not isinstance(arrivals, Arrivals):
        raise bad_value("arrivals", arrivals, "Arrivals", "build them with Arrivals.piecewise or Arrivals.trace")
    if not isinstance(staffing, (Staffing, list, tuple)):
        legal = "a Staffing or a list of Groups"
        raise bad_value("staffing", staffing, legal, "build it with Staffing.steps(edges_s, agents)")
    shares = _shares(priorities)
    services = _each("service", service, Service, len(shares), "build it with Service.exponential(mean_s), for example")
    patiences = _each("patience", patience, Patience, len(shares), "build it with Patience.exponential(mean_s)")
    if on_staff_drop not in DROP_RULES:
        raise bad_value("on_staff_drop", on_staff_drop, f"one of {', '.join(DROP_RULES)}")
    if routing not in ROUTINGS:
        raise bad_value("routing", routing, f"one of {', '.join(ROUTINGS)}")
    groups: tuple[Group, ...] = ()
    if not isinstance(staffing, Staffing) or len(handle_times(concurrency, aht_by_concurrency_s)) > 1:
        groups = require_groups(
            (Group(name="all", staffing=staffing),) if isinstance(staffing, Staffing) else staffing, len(shares),
            arrivals, services, on_staff_drop=on_staff_drop, concurrency=concurrency,
            aht_by_concurrency_s=aht_by_concurrency_s,
        )  # fmt: skip
        staffing = staff_of_all(groups)
    require_same_grid(staffing, arrivals, services)
    ages = _ages(backlog)
    if not services and (arrivals.service_s is None or len(ages)):
        raise InputError("`service` is needed: only a trace with service_s and without a backlog has its own")
    for name, customers, kind in (
        ("redial", redial, Redial), ("reopening", reopening, Reopening), ("repeats", repeats, Repeats),
        ("bot", bot, Bot),
    ):  # fmt: skip
        if customers is not None and not isinstance(customers, kind):
            raise bad_value(name, customers, f"a {kind.__name__}", f"import {kind.__name__} from staffcast.simulation")
    handover_s = _seconds("handover_s", handover_s)
    if not services and any(each is not None and each.share > 0 for each in (reopening, repeats)):
        raise InputError(
            "`service` is needed for what comes back: the trace's handle times are those of its own tickets"
        )
    if redial is not None and redial.share > 0 and not patiences:
        raise InputError("`redial` needs `patience`: nobody gives up without")
    if bot is not None:
        bot.shares(len(shares))
    rules = {each.on_staff_drop for each in groups} or {on_staff_drop}
    return Case(
        arrivals=arrivals,
        staffing=staffing,
        services=services,
        patiences=patiences,
        shares=shares,
        backlog_s=ages,
        on_staff_drop=on_staff_drop,
        handover_s=handover_s if "handover" in rules else 0.0,
        ageing_s=math.inf if ageing_s is None else _seconds("ageing_s", ageing_s, above=True),
        opened=_opened(opened, len(shares), len(staffing.agents)),
        redial=redial,
        reopening=reopening,
        repeats=repeats,
        bot=bot,
        first_reply_s=_seconds("first_reply_s", first_reply_s),
        first_reply_share=_first_share(first_reply_share),
        window_s=math.inf if window_s is None else _seconds("window_s", window_s, above=True),
        seed=_whole("seed", seed, 0),
        target=None if target is None else Target.parse(target),
        class_targets=_class_targets(class_targets, len(shares)),
        groups=groups,
        routing=routing,
        stratified=stratified,
    )


def _require_strata(arrivals: Arrivals, runs: int) -> None:
    if arrivals.rates_per_hour is None:
        raise InputError("`stratified` spreads replications over how many tickets come; a trace has always as many")
    if runs < 2 * STRATA or runs % STRATA:
        fix = f"{max(runs + -runs % STRATA, 2 * STRATA)} will do"
        raise bad_value("replications", runs, f"with `stratified` a multiple of {STRATA}, at least {2 * STRATA}", fix)


def _whole(parameter: str, value: object, low: int, fix: str | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise bad_value(parameter, value, f"a whole number ≥ {low}", fix)
    return int(value)


def _seconds(parameter: str, value: float, *, above: bool = False, legal: str = "") -> float:
    legal = legal or ("a number of seconds > 0" if above else "a number of seconds ≥ 0")
    good = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    if not good or not (value > 0 or (value == 0 and not above)):
        raise bad_value(parameter, value, legal)
    return float(value)


def _first_share(value: float) -> float:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 <= value <= 1):
        raise bad_value("first_reply_share", value, "a share in [0, 1]", "write 30 % as 0.3")
    return float(value)


def _class_targets(given: Sequence[Target | str | None] | None, classes: int) -> tuple[Target | None, ...]:
    if given is None:
        return ()
    legal = f"{classes} of them, one per class of `priorities`, None for a class without"
    if isinstance(given, (str, Target)) or not isinstance(given, Sequence) or len(given) != classes:
        raise bad_value("class_targets", given, legal)
    return tuple(None if each is None else Target.parse(each) for each in given)


Law = TypeVar("Law", Service, Patience)


def _each(
    parameter: str, given: Law | Sequence[Law] | None, kind: type[Law], classes: int, fix: str
) -> tuple[Law, ...]:
    """One per class."""
    if given is None:
        return ()
    if isinstance(given, kind):
        return (given,) * classes
    if not isinstance(given, Sequence) or not all(isinstance(each, kind) for each in given):
        raise bad_value(parameter, given, f"a {kind.__name__}, or one per class", fix)
    if len(given) != classes:
        raise bad_value(parameter, f"{len(given)} of them", f"one, or {classes}, one per class of `priorities`")
    return tuple(given)


def _opened(opened: npt.ArrayLike | None, classes: int, n: int) -> npt.NDArray[np.bool_]:
    if opened is None:
        return np.ones((classes, n), dtype=np.bool_)
    try:
        found = np.array(opened)
    except ValueError:  # rows of different lengths
        raise bad_value("opened", opened, f"true or false, of shape ({classes}, {n})") from None
    if found.dtype != np.bool_ or found.shape not in ((n,), (classes, n)):
        raise bad_value("opened", f"{found.dtype} of shape {found.shape}", f"true or false, of shape ({classes}, {n})")
    return np.array(np.broadcast_to(found, (classes, n)))


def _shares(priorities: Sequence[float] | None) -> tuple[float, ...]:
    if priorities is None:
        return (1.0,)
    legal = "shares by class, each in [0, 1], that sum to 1"
    try:
        shares = tuple(float(share) for share in priorities)
    except (TypeError, ValueError):
        raise bad_value("priorities", priorities, legal) from None
    total = sum(shares)
    if not shares or not all(0 <= share <= 1 for share in shares) or abs(total - 1) > 1e-9:
        fix = f"they sum to {total:g}; divide each by it" if total > 0 and min(shares) >= 0 else None
        raise bad_value("priorities", priorities, legal, fix)
    return shares


def _ages(backlog: int | npt.ArrayLike | None) -> FloatArray:
    legal = "a whole number of tickets ≥ 0, or their ages in seconds ≥ 0"
    if backlog is None:
        return np.empty(0)
    if isinstance(backlog, (bool, str)):
        raise bad_value("backlog", backlog, legal)
    try:
        ages = np.array(backlog, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_value("backlog", backlog, legal) from None
    if ages.ndim == 0:
        count = float(ages)
        if not (math.isfinite(count) and count >= 0 and count == math.floor(count)):
            raise bad_value("backlog", backlog, legal)
        return np.zeros(int(count))
    if ages.ndim != 1:
        raise bad_value("backlog", f"shape {ages.shape}", legal)
    wrong = ~(np.isfinite(ages) & (ages >= 0))
    if wrong.any():
        worst = float(ages[int(np.argmax(wrong))])
        raise bad_value("backlog", worst, legal, "an age is how long a ticket has waited at the start")
    return np.sort(ages)[::-1]
