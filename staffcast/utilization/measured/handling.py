"""Handle times by the hour and their spread, and the time from taking a ticket to its first reply."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from staffcast.utilization.estimate import mean, quantile
from staffcast.utilization.measured.figures import Figure, day_codes, of_estimate, of_ratio, spread_squared

__all__ = ["alike", "first_reply_figures", "handle_figures"]

Floats = npt.NDArray[np.float64]


def handle_figures(rows: pd.DataFrame, queue: str) -> list[Figure]:
    """Mean handle time and its CV², over all and by the local hour in which the ticket sought a person.

    Parameters
    ----------
    rows : DataFrame
        One queue's tickets that sought a person, with ``offered_at`` and ``handle_s``.
    queue : str

    Returns
    -------
    list of Figure
        ``aht`` [s], ``handle_cv2`` [ratio]; by hour with ``at`` = ``"09"``.
    """
    known = rows[rows["handle_s"] > 0]
    if known.empty:
        return [Figure(measure="aht", queue=queue, unit="s", note="needs handle_s above 0 on tickets of the span")]
    seconds, days = known["handle_s"].to_numpy(dtype=float), day_codes(known["offered_at"])
    hour = known["offered_at"].dt.hour.to_numpy()
    out = [
        of_estimate("aht", of_ratio(seconds, np.ones(len(seconds)), days), "s", queue=queue, note=alike(seconds, hour)),
        of_estimate("handle_cv2", spread_squared(seconds, days), "ratio", queue=queue),
    ]
    for each in np.unique(hour):
        here = hour == each
        one = of_ratio(seconds[here], np.ones(int(here.sum())), days[here])
        out.append(of_estimate("aht", one, "s", queue=queue, at=f"{each:02d}"))
        out.append(
            of_estimate("handle_cv2", spread_squared(seconds[here], days[here]), "ratio", queue=queue, at=f"{each:02d}")
        )
    return out


def alike(seconds: Floats, hour: npt.NDArray[np.int32]) -> str:
    """Whether the hours differ by more than chance, in words.

    References
    ----------
    .. [1] B. L. Welch, "On the comparison of several mean values: an alternative approach", Biometrika 38 (1951)
       330–336. doi:10.1093/biomet/38.3-4.330.
    """
    groups = [seconds[hour == each] for each in np.unique(hour)]
    groups = [g for g in groups if len(g) >= 10 and g.std() > 0]
    if len(groups) < 2:
        return "too few hours to compare"
    w = np.array([len(g) / g.var(ddof=1) for g in groups])
    means, n, k = np.array([g.mean() for g in groups]), np.array([len(g) for g in groups]), len(groups)
    centre = float(w @ means) / float(w.sum())
    spare = float(((1 - w / w.sum()) ** 2 / (n - 1)).sum())
    f = float(w @ (means - centre) ** 2) / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * spare)
    p = float(stats.f.sf(f, k - 1, (k**2 - 1) / (3 * spare)))
    return "hours differ" if p < 0.01 else "hours alike, as far as can be told"


def first_reply_figures(rows: pd.DataFrame, queue: str) -> list[Figure]:
    """Time from an agent's taking a ticket to its first reply: mean and median, where ``assigned_at`` tells.

    Parameters
    ----------
    rows : DataFrame
        One queue's tickets that sought a person.
    queue : str
    """
    if not {"assigned_at", "first_response_at"} <= set(rows):
        return [Figure(
            measure="first_reply", queue=queue, unit="s", note="needs assigned_at (given to an agent)"
        )]  # fmt: skip
    taken = (rows["first_response_at"] - rows["assigned_at"]).dt.total_seconds()
    use = taken >= 0
    seconds, days = np.asarray(taken[use], dtype=np.float64), day_codes(rows.loc[use, "offered_at"])
    order = np.argsort(seconds, kind="stable")
    return [
        of_estimate("first_reply", mean(seconds, days), "s", queue=queue),
        of_estimate("first_reply", quantile(seconds[order], 0.5, days[order]), "s", queue=queue, at="median"),
    ]
