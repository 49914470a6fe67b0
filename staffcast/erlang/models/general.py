"""Waits in GI/G/m: what irregular arrivals and handle times that are not exponential change in M/M/m.

All of this is approximation by two moments: the squared coefficients of variation (CV² = variance ÷ mean²) of the times
between arrivals and of the handle times. M/M/m itself is reproduced exactly, and so is the mean wait of M/G/1.

References
----------
.. [1] W. Whitt, "Approximations for the GI/G/m queue", Production and Operations Management 2(2), 1993, pp. 114–161,
   doi:10.1111/j.1937-5956.1993.tb00094.x; equations (2.16)–(2.25) mean, (3.8)–(3.11) P(wait), (4.2)–(4.3) its CV².
.. [2] T. Kimura, "Approximations for multi-server queues: system interpolations", Queueing Systems 17, 1994,
   pp. 347–382, doi:10.1007/BF01158699.
.. [3] A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd ed., 1990; the Allen–Cunneen formula.
.. [4] G. P. Cosmetatos, "Some approximate equilibrium results for the multi-server queue (M/G/r)", Operational
   Research Quarterly 27(3), 1976, pp. 615–620, doi:10.1057/jors.1976.120.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, share, together
from staffcast.erlang.models.formulas import mean_from, waiting

__all__ = ["GeneralWait", "HandleVariation", "cv2_of", "general_wait", "wait_factor"]

Method = Literal["combined", "kimura", "whitt", "allen_cunneen"]
_METHODS = ("combined", "kimura", "whitt", "allen_cunneen")


def wait_factor(
    *,
    load_erl: npt.ArrayLike,
    agents: npt.ArrayLike,
    arrival_cv2: npt.ArrayLike = 1.0,
    handle_cv2: npt.ArrayLike = 1.0,
    method: Method = "combined",
) -> FloatArray:
    """What the mean wait of M/M/m is multiplied with for other arrivals and handle times.

    Parameters
    ----------
    load_erl : float or array
        Arrivals per second times mean handle time in seconds, ≥ 0. [erlang]
    agents : float or array
        Agents answering, shrinkage already taken off, ≥ 0.
    arrival_cv2 : float or array
        CV² of the times between arrivals, ≥ 0: 1 for tickets at random (Poisson), 0 for a metronome.
    handle_cv2 : float or array
        CV² of the handle times, ≥ 0: 1 when exponential, 0 when constant; :func:`cv2_of` measures it.
    method : {"combined", "kimura", "whitt", "allen_cunneen"}
        ``kimura``: interpolation between M/D/m and M/M/m [2]_, for ``arrival_cv2`` 1 only. ``whitt``: [1]_ (2.24).
        ``allen_cunneen``: half the sum of the two CV² [3]_. ``combined``: Kimura's factor times the ratio of Whitt's
        for the given arrivals to Whitt's for random ones.

    Returns
    -------
    array of the broadcast shape
        ≥ 0; 1 for M/M/m. In overload the factor at load = agents.

    Raises
    ------
    InputError
        An argument outside its range, shapes that do not fit, or ``kimura`` for arrivals that are not random.

    Notes
    -----
    Exact with any method but Whitt's for M/M/m and M/G/1; Whitt's is exact for M/M/m. Largest relative error of the
    mean wait against exact solutions (Crommelin's M/D/m, solved phase-type chains; 1 to 50 agents, loads of 50 % to
    95 % of the agents, mean waits above 0.1 % of the AHT), followed by the mean error:

    =====================  ===============  ===============  ===============
    queue                  combined         whitt            allen_cunneen
    =====================  ===============  ===============  ===============
    M/D/m                  5.6 %   0.6 %    5.6 %   0.6 %    24 %    6 %
    M/E2/m                 1.6 %   0.4 %    5.7 %   1.5 %    9 %     2 %
    M/H2/m, CV² 2          4.5 %   1.0 %    8.1 %   1.9 %    25 %    7 %
    M/H2/m, CV² 4          4.3 %   1.3 %    16 %    5 %      64 %    16 %
    E2/M/m                 64 %    7 %      64 %    7 %      147 %   26 %
    H2/M/m, CV² 2          31 %    7 %      31 %    7 %      42 %    11 %
    H2/M/m, CV² 4          56 %    15 %     56 %    15 %     64 %    19 %
    E2/E2/m                74 %    6 %      81 %    7 %      187 %   29 %
    =====================  ===============  ===============  ===============

    Hence the default. For tickets that arrive at random it is as good as the data; for other arrivals two moments do
    not say enough, and where few wait (half the agents idle) it is an order of magnitude only.

    Examples
    --------
    >>> wait_factor(load_erl=9.0, agents=10, handle_cv2=[0.0, 0.5, 1.0, 2.0]).round(3)
    array([0.517, 0.762, 1.   , 1.453])
    >>> wait_factor(load_erl=0.9, agents=1, handle_cv2=4.0)  # M/G/1: half of 1 + 4
    array(2.5)
    """
    load, people, ca2, cs2 = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents),
        arrival_cv2=at_least_zero("arrival_cv2", arrival_cv2), handle_cv2=at_least_zero("handle_cv2", handle_cv2),
    )  # fmt: skip
    _check(method, ca2)
    return factor(load.ravel(), people.ravel(), ca2.ravel(), cs2.ravel(), method).reshape(load.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneralWait:
    """What :func:`general_wait` found; every field is a float array of the broadcast shape of its arguments.

    Attributes
    ----------
    factor : array
        What M/M/m's mean wait was multiplied with.
    asa_s : array
        Mean wait over all tickets, those who need not wait included. [s]
    p_wait : array
        Share of the tickets that wait at all.
    service_level : array
        Share of the tickets that wait at most ``target_s``.
    delay_mean_s, delay_cv2 : array
        Mean [s] and CV² of the wait of those who wait; 0 where nobody waits.
    """

    factor: FloatArray
    asa_s: FloatArray
    p_wait: FloatArray
    service_level: FloatArray
    delay_mean_s: FloatArray
    delay_cv2: FloatArray

    def wait_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest time within which a share ``q`` of the tickets gets an agent.

        Parameters
        ----------
        q : float or array that broadcasts with the fields
            Share in [0, 1), 0.95 for p95.

        Returns
        -------
        array
            Seconds: 0 where enough tickets need not wait, inf in overload.

        Raises
        ------
        InputError
            ``q`` outside [0, 1).

        Examples
        --------
        >>> general_wait(load_erl=9.0, agents=10, aht_s=300, handle_cv2=2.0).wait_quantile_s([0.2, 0.9]).round(0)
        array([  0., 827.])
        """
        level, p_wait, mean, cv2 = together(
            q=share("q", q), p_wait=self.p_wait, mean=self.delay_mean_s, cv2=self.delay_cv2
        )
        beyond = (1 - level) / np.maximum(p_wait, 1e-300)
        found = np.where(np.isinf(mean), np.inf, 0.0)
        waits = (beyond < 1) & np.isfinite(mean)
        found[waits] = mean[waits] * _delay_quantile(beyond[waits], cv2[waits])
        return found


def general_wait(
    *,
    load_erl: npt.ArrayLike,
    agents: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    target_s: npt.ArrayLike = 60.0,
    arrival_cv2: npt.ArrayLike = 1.0,
    handle_cv2: npt.ArrayLike = 1.0,
    method: Method = "combined",
) -> GeneralWait:
    """Mean, probability, distribution of the wait in GI/G/m, first come first served, nobody giving up.

    Parameters
    ----------
    load_erl, agents, arrival_cv2, handle_cv2, method
        As in :func:`wait_factor`.
    aht_s : float or array
        Mean handle time, > 0. [s]
    target_s : float or array
        Wait that ``service_level`` counts against, ≥ 0. [s]

    Returns
    -------
    GeneralWait
        Arrays of the broadcast shape. Overload: ``p_wait`` 1, ``service_level`` 0, waits inf. No load: nobody waits.

    Raises
    ------
    InputError
        As in :func:`wait_factor`.

    Notes
    -----
    P(wait) is Whitt's (3.10), which is Erlang C for random arrivals. The wait of those who wait has the mean that
    follows and the CV² of (4.2), exact for M/G/1; it is fitted by a gamma distribution below 1, the exponential at 1
    and a hyperexponential with balanced means above. Largest error of the service level for random arrivals, against
    solved chains at 1 to 25 agents and loads of 70 % to 95 %, limits from 0.05 to 3 times the mean delay: 0.000 for
    CV² 1, 0.006 for CV² 0.5, 0.024 for CV² 2 and 0.055 for CV² 4 (the last two at one agent); an exponential with the
    same mean is off by 0.014, 0.034 and 0.071. Arrivals of CV² 0.5 or 2: 0.033.

    Examples
    --------
    >>> found = general_wait(load_erl=48.0, agents=55, aht_s=240, target_s=15, handle_cv2=[1.0, 2.0])
    >>> found.service_level.round(3), found.asa_s.round(1)
    (array([0.846, 0.83 ]), array([ 8.2, 11. ]))
    """
    load, people, aht, target, ca2, cs2 = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents),
        aht_s=above_zero("aht_s", aht_s, " s"), target_s=at_least_zero("target_s", target_s, " s"),
        arrival_cv2=at_least_zero("arrival_cv2", arrival_cv2), handle_cv2=at_least_zero("handle_cv2", handle_cv2),
    )  # fmt: skip
    _check(method, ca2)
    shape = load.shape
    load, people, aht, target, ca2, cs2 = (each.ravel() for each in (load, people, aht, target, ca2, cs2))
    times = factor(load, people, ca2, cs2, method)
    plain = waiting(load, people)
    full = (load > 0) & (load >= people)
    asa = np.where(full, np.inf, np.where(full, 0.0, mean_from(plain, load, people, aht)) * times)
    p_wait = np.where(full, 1.0, _p_wait(plain, load, people, ca2, cs2))
    p_wait = np.where(asa > 0, p_wait, 0.0)
    delay = np.divide(asa, p_wait, out=np.zeros_like(asa), where=p_wait > 0)
    cv2 = np.where(delay > 0, _delay_cv2(load, people, cs2), 0.0)
    late = np.where(np.isinf(asa), 1.0, 0.0)
    some = (delay > 0) & np.isfinite(delay)
    with np.errstate(over="ignore"):  # a wait of 1e-310 s is over long before the target
        late[some] = p_wait[some] * _delay_tail(target[some] / delay[some], cv2[some])
    return GeneralWait(
        factor=times.reshape(shape), asa_s=asa.reshape(shape), p_wait=p_wait.reshape(shape),
        service_level=(1 - late).reshape(shape), delay_mean_s=delay.reshape(shape), delay_cv2=cv2.reshape(shape),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HandleVariation:
    """What :func:`cv2_of` found.

    Attributes
    ----------
    cv2 : float
        Squared coefficient of variation.
    standard_error : float
        Of ``cv2``, by the delta method from the first four sample moments; too small under heavy tails.
    mean_s : float
        Mean. [s]
    n : int
        Number of times.
    """

    cv2: float
    standard_error: float
    mean_s: float
    n: int


def cv2_of(seconds: npt.ArrayLike) -> HandleVariation:
    """CV² of measured handle times (or of the times between arrivals) and how sure it is.

    Parameters
    ----------
    seconds : array
        At least 30 times, each ≥ 0 and not all 0. [s]

    Returns
    -------
    HandleVariation

    Raises
    ------
    InputError
        Fewer than 30 times, one of them negative or not finite, or all 0.

    Examples
    --------
    >>> cv2_of([60, 120, 180] * 20).cv2
    0.1694915254237288
    """
    times = at_least_zero("seconds", seconds, " s").ravel()
    if len(times) < 30:
        raise bad_value("seconds", f"{len(times)} of them", "at least 30 times", "measure a longer period")
    mean = float(times.mean())
    if mean == 0:
        raise bad_value("seconds", 0.0, "not all 0", "leave out tickets that nobody handled")
    n = len(times)
    unit = times / mean
    cv2 = float(unit.var(ddof=1))
    # CV² = m2/m1² − 1: its influence function at mean 1 is (x² − m2) − 2·m2·(x − 1).
    second = float(np.mean(unit * unit))
    influence = unit * unit - second - 2 * second * (unit - 1)
    return HandleVariation(cv2=cv2, standard_error=float(influence.std(ddof=1)) / n**0.5, mean_s=mean, n=n)


# From here on checked flat arrays of one length.


def factor(load: FloatArray, agents: FloatArray, ca2: FloatArray, cs2: FloatArray, method: Method) -> FloatArray:
    """The factor over checked arrays of one shape."""
    if method == "allen_cunneen":
        return (ca2 + cs2) / 2
    spare, gamma = _cosmetatos(load, agents)
    if method == "whitt":
        return _whitt(spare, gamma, ca2, cs2)
    kimura = (1 + cs2) / (2 * (1 - cs2) / (1 + gamma) + 2 * cs2)
    if method == "kimura":
        return kimura
    other = ca2 != 1
    if other.any():
        spare, gamma, cs2 = spare[other], gamma[other], cs2[other]
        kimura[other] *= _whitt(spare, gamma, ca2[other], cs2) / _whitt(spare, gamma, np.ones_like(cs2), cs2)
    return kimura


def _cosmetatos(load: FloatArray, agents: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(1 − ρ)/ρ and Cosmetatos' correction [4] as bounded by Whitt, [1] (2.17): M/D/m is (1 + gamma)/2 of M/M/m."""
    rho = np.clip(load / np.maximum(agents, 1e-300), 1e-100, 1.0)
    many = np.maximum(agents, 1.0)
    spare = (1 - rho) / rho
    return spare, np.minimum(0.24, spare * (many - 1) * (np.sqrt(4 + 5 * many) - 2) / (16 * many))


def _whitt(spare: FloatArray, gamma: FloatArray, ca2: FloatArray, cs2: FloatArray) -> FloatArray:
    """Whitt's (2.24) with (2.25), as a factor on M/M/m."""
    phi1 = 1 + gamma
    phi3 = (1 - 4 * gamma) * np.exp(-2 / 3 * spare)
    half = (ca2 + cs2) / 2
    psi = np.minimum(1.0, (phi1 + phi3) / 2) ** (2 * (1 - np.minimum(half, 1.0)))
    both = np.maximum(half, 1e-300)
    regular = ((cs2 - ca2) * phi3 + (cs2 + 3 * ca2) * psi) / (4 * both)
    irregular = (4 * (ca2 - cs2) * phi1 + cs2 * psi) / np.maximum(4 * ca2 - 3 * cs2, 1e-300)
    phi = np.where(ca2 == cs2, psi, np.where(ca2 > cs2, irregular, regular))
    result: FloatArray = phi * half
    return result


def _p_wait(erlang_c: FloatArray, load: FloatArray, agents: FloatArray, ca2: FloatArray, cs2: FloatArray) -> FloatArray:
    """Whitt's (3.8)–(3.11): P(wait), from Erlang C and normal tails."""
    rho = np.minimum(load / np.maximum(agents, 1e-300), 1.0)
    z = np.maximum((ca2 + cs2) / (1 + cs2), 1e-12)
    at = (1 - rho) * np.sqrt(agents)
    base = special.log_ndtr(-at)
    heavy = np.minimum(1.0, erlang_c * np.exp(special.log_ndtr(-at / z) - base))
    light = np.minimum(1.0, erlang_c * np.exp(special.log_ndtr(-2 * at / (1 + ca2)) - base))
    pi1 = rho**2 * heavy + (1 - rho**2) * light
    gamma = (agents - load - 0.5) / np.sqrt(np.maximum(load * z, 1e-300))
    pi2 = ca2 * pi1 + (1 - ca2) * special.ndtr(-gamma)
    weight = np.clip(2 * (1 - ca2) * (gamma - 0.5), 0.0, 1.0)
    pi3 = weight * pi2 + (1 - weight) * pi1
    few = (agents < 7) | (gamma <= 0.5) | (ca2 >= 1)
    result: FloatArray = np.clip(np.select([few, gamma >= 1], [pi1, pi2], pi3), 0.0, 1.0)
    return result


def _delay_cv2(load: FloatArray, agents: FloatArray, cs2: FloatArray) -> FloatArray:
    """CV² of the wait of those who wait: (4.2), with E[V³] of a hyperexponential or an Erlang (4.3)."""
    rho = np.minimum(load / np.maximum(agents, 1e-300), 1.0)
    third = np.where(cs2 >= 1, 3 * cs2, 2 * cs2 + 1)
    return 2 * rho - 1 + 4 * (1 - rho) * third / (3 * (cs2 + 1))


def _delay_tail(x: FloatArray, cv2: FloatArray) -> FloatArray:
    """P(D > x) of a delay with mean 1: gamma below 1, else hyperexponential with balanced means."""
    shape = 1 / np.minimum(np.maximum(cv2, 1e-6), 1.0)
    p = 0.5 * (1 + np.sqrt(np.maximum(cv2 - 1, 0.0) / (cv2 + 1)))
    mixed = p * np.exp(-2 * p * x) + (1 - p) * np.exp(-2 * (1 - p) * x)
    return np.where(cv2 < 1, special.gammaincc(shape, shape * x), mixed)


def _delay_quantile(beyond: FloatArray, cv2: FloatArray) -> FloatArray:
    """The x with P(D > x) = beyond, for beyond in (0, 1)."""
    shape = 1 / np.minimum(np.maximum(cv2, 1e-6), 1.0)
    smooth = special.gammainccinv(shape, beyond) / shape
    p = 0.5 * (1 + np.sqrt(np.maximum(cv2 - 1, 0.0) / (cv2 + 1)))
    # The log of a mixture of exponentials is convex and falls: Newton from the left never passes the root.
    x = np.zeros_like(beyond)
    for _ in range(100):
        fast, slow = p * np.exp(-2 * p * x), (1 - p) * np.exp(-2 * (1 - p) * x)
        tail, density = fast + slow, 2 * p * fast + 2 * (1 - p) * slow
        step = np.log(tail / beyond) * tail / density
        x = x + step
        if np.all(np.abs(step) <= 1e-13 * x):
            break
    return np.where(cv2 < 1, smooth, x)


def _check(method: object, ca2: FloatArray) -> None:
    if method not in _METHODS:
        raise bad_value("method", method, f"one of {', '.join(_METHODS)}")
    if method == "kimura" and np.any(ca2 != 1):
        raise bad_value("arrival_cv2", float(ca2[ca2 != 1][0]), "1 for method kimura", "take combined for others")
