"""Targets for KPIs in a file, the benchmarks to begin with, and what became of them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from staffcast.contracts import InputError, bad_value, format_duration, parse_duration_s, parse_share
from staffcast.utilization.ages import AGE_BANDS
from staffcast.utilization.catalogue import MEASURES, full_name, unknown_kpi
from staffcast.utilization.kpi import CUTS, TIME_CUTS

__all__ = ["DEFAULT_TARGETS", "KpiTarget", "judge", "parse_targets", "read_targets", "trends"]

# The figures of the field that a desk may start from; `--write-targets` hands this text out to be edited.
DEFAULT_TARGETS = """\
# Targets for `staffcast kpi LOG --targets FILE`. Look at the results weekly and monthly, adjust them each quarter.
#
# kpi            a name of the table that `staffcast kpi LOG --all` prints
# at_most        the figure must not be above this (durations: "60s", "9m", "8h"; shares: "70%")
# at_least       the figure must not be below this; with both, it must lie between them
# where          only these tickets: a column of the log and a value, or a list of values
# trend          true: no figure to reach, only whether it gets better: "up" or "down" says which way is better

[[target]]
kpi = "frt_human_mean_s"
at_most = "60s"
where = { channel = ["chat", "whatsapp", "live_chat", "messaging"] }
why = "on a chat people answer within a minute"

[[target]]
kpi = "frt_human_p95_s"
at_most = "9m"
where = { channel = ["chat", "whatsapp", "live_chat", "messaging"] }
why = "a modest team's first goal"

[[target]]
kpi = "frt_bot_mean_s"
at_most = "15s"
why = "automated replies take 6 to 15 s; below 10 s for routine questions"

[[target]]
kpi = "art_mean_s"
at_most = "8m30s"
where = { channel = ["chat", "whatsapp", "live_chat", "messaging"] }
why = "average resolution time on a chat"

[[target]]
kpi = "closing_mean_s"
at_most = "1h"
why = "closed within the hour"

[[target]]
kpi = "csat"
at_least = "70%"
why = "above 70 % is good, above 90 % exceptional"

[[target]]
kpi = "fcr_one_reply"
at_least = "70%"
why = "70 to 85 % are solved in the first interaction; as Zendesk counts"

[[target]]
kpi = "fcr_closed_once"
at_least = "70%"
why = "the same as Intercom counts"

[[target]]
kpi = "utilization"
at_least = "85%"
at_most = "90%"
why = "lower is over-staffed, higher burns people out and slows first responses"

[[target]]
kpi = "nps"
trend = "up"

[[target]]
kpi = "ces"
trend = "down"

[[target]]
kpi = "reply_mean_s"
trend = "down"

[[target]]
kpi = "backlog_open"
trend = "down"
"""

_KEYS = ("kpi", "at_most", "at_least", "where", "trend", "why")
_OTHER_KPIS = (
    "volume_per_day", "closed_per_agent", "paid_h", "logged_in_h", "available_h", "unavailable_h", "idle_h",
    "shrinkage", "utilization", "occupancy", "backlog_open", "backlog_waiting", "backlog_oldest_s",
    *(f"backlog_{name}" for name, _ in AGE_BANDS),
)  # fmt: skip
_SHARES = {m.name for m in MEASURES.values() if m.kind == "share"} | {"utilization", "occupancy", "shrinkage"}
_Z = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class KpiTarget:
    """What one KPI must reach.

    Attributes
    ----------
    kpi : str
        Name in the long table.
    at_least, at_most : float or None
        In the KPI's unit: seconds, shares, points.
    where : mapping of column to values
        Which tickets it is about; empty: all.
    better : {"up", "down", None}
        For KPIs without a figure to reach: which way is better.
    why : str
    """

    kpi: str
    at_least: float | None = None
    at_most: float | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    better: str | None = None
    why: str = ""

    def verdict(self, value: float, low: float, high: float) -> str:
        """Say ``met``, ``missed`` or ``undecided``: the interval spans the target.

        Examples
        --------
        >>> KpiTarget(kpi="csat", at_least=0.7).verdict(0.75, 0.66, 0.82)
        'undecided'
        """
        if self.better is not None or math.isnan(value):
            return "–"
        low, high = (value if math.isnan(x) else x for x in (low, high))
        bottom = -math.inf if self.at_least is None else self.at_least
        top = math.inf if self.at_most is None else self.at_most
        if high < bottom or low > top:
            return "missed"
        return "met" if bottom <= low and high <= top else "undecided"

    def wanted(self) -> str:
        """Target in words.

        Examples
        --------
        >>> KpiTarget(kpi="frt_human_p95_s", at_most=540.0).wanted()
        '≤ 9 min'
        """
        if self.better is not None:
            return self.better
        parts = [(sign, x) for sign, x in (("≥", self.at_least), ("≤", self.at_most)) if x is not None]
        return ", ".join(f"{sign} {self._figure(x)}" for sign, x in parts)

    def _figure(self, value: float) -> str:
        if self.kpi.endswith("_s"):
            return format_duration(value)
        return f"{100 * value:g} %" if _is_share(self.kpi) else f"{value:g}"


def _is_share(kpi: str) -> bool:
    return kpi in _SHARES or kpi.startswith("bot_option_share: ")


def read_targets(path: str | Path) -> list[KpiTarget]:
    """Read targets from a TOML file.

    Raises
    ------
    InputError
        Not TOML, an unknown key or KPI, a figure that cannot be read; the message names file and target.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", file=path) from error
    return parse_targets(text, file=path)


def parse_targets(text: str, *, file: str | Path | None = None) -> list[KpiTarget]:
    """Read targets from TOML text; :data:`DEFAULT_TARGETS` is an example.

    Raises
    ------
    InputError
        As :func:`read_targets`.
    """
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", file=file) from error
    rows = body.get("target")
    if set(body) != {"target"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        found = ", ".join(body) or "nothing"
        raise InputError(f"must have [[target]] tables and nothing else, has {found}", file=file)
    out = []
    for k, row in enumerate(rows, start=1):
        try:
            out.append(_target(row))
        except InputError as error:
            raise InputError(f"target {k}: {error}", file=file) from error
    return out


def _target(row: Mapping[str, object]) -> KpiTarget:
    for key in row:
        if key not in _KEYS:
            raise bad_value("key", key, f"one of {', '.join(_KEYS)}")
    kpi = row.get("kpi")
    kpi = full_name(kpi) if isinstance(kpi, str) else kpi
    known = [name for m in MEASURES.values() for name in m.names()] + list(_OTHER_KPIS)
    if not isinstance(kpi, str) or not (kpi in known or kpi.startswith("bot_option_share: ")):
        raise unknown_kpi(row.get("kpi"), known)
    better = row.get("trend")
    if better is not None and better not in ("up", "down"):
        raise bad_value("trend", better, '"up" or "down", whichever is better')
    least, most = (_figure(kpi, key, row[key]) if key in row else None for key in ("at_least", "at_most"))
    if (least is None and most is None) == (better is None):
        raise bad_value("target", kpi, "with at_least or at_most, or else with trend")
    if least is not None and most is not None and least > most:
        raise bad_value("at_least", row["at_least"], f"not above at_most ({row['at_most']})")
    return KpiTarget(
        kpi=kpi, at_least=least, at_most=most, where=_where(row.get("where", {})), better=better and str(better),
        why=str(row.get("why", "")),
    )  # fmt: skip


def _figure(kpi: str, key: str, value: object) -> float:
    if kpi.endswith("_s"):
        return parse_duration_s(value, parameter=key)
    if _is_share(kpi):
        return parse_share(value, parameter=key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise bad_value(key, value, "a number")
    return float(value)


def _where(value: object) -> dict[str, tuple[str, ...]]:
    legal = 'written as { channel = "chat" } or { channel = ["chat", "whatsapp"] }'
    if not isinstance(value, Mapping):
        raise bad_value("where", value, legal)
    out = {}
    for column, values in value.items():
        if column not in CUTS or column in TIME_CUTS:
            raise bad_value("where", column, f"one of {', '.join(c for c in CUTS if c not in TIME_CUTS)}")
        listed = values if isinstance(values, list) else [values]
        if not listed or not all(isinstance(v, str) for v in listed):
            raise bad_value("where", values, legal)
        out[str(column)] = tuple(str(v) for v in listed)
    return out


def judge(table: pd.DataFrame, targets: Sequence[KpiTarget], *, period: str | None = None) -> pd.DataFrame:
    """Set KPIs beside their targets.

    Parameters
    ----------
    table : DataFrame
        From :func:`kpi_long`; of the tickets that the targets are about.
    targets : sequence of KpiTarget
    period : str, optional
        Column of the periods; without it there is no trend.

    Returns
    -------
    DataFrame
        The cuts, ``kpi, target, value, low, high, n, verdict`` (``met``, ``missed``, ``undecided``: the interval spans
        the target, – for those with a trend only), ``change, change_low, change_high`` (this period less the mean of up
        to four before it, with a 95 % interval) and ``trend``: ``better``, ``worse``, ``unclear``.
    """
    cuts = list(table.columns[: table.columns.get_loc("kpi")])
    parts = []
    for target in targets:
        rows = table[table["kpi"] == target.kpi]
        if rows.empty:
            continue
        verdicts = [target.verdict(*row) for row in rows[["value", "low", "high"]].itertuples(index=False)]
        part = rows[[*cuts, "kpi", "value", "low", "high", "n"]].assign(verdict=verdicts, target=target.wanted())
        changed = trends(rows, cuts, period, better=_better(target))
        parts.append(pd.concat([part, changed], axis=1))
    columns = [
        *cuts, "kpi", "target", "value", "low", "high", "n", "verdict", "change", "change_low", "change_high", "trend",
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _better(target: KpiTarget) -> str | None:
    if target.better is not None:
        return target.better
    if target.at_least is not None and target.at_most is not None:
        return None  # a band has no better side
    return "up" if target.at_least is not None else "down"


def trends(rows: pd.DataFrame, cuts: Sequence[str], period: str | None, *, better: str | None) -> pd.DataFrame:
    """Compare each period with the mean of up to four before it, group by group.

    Parameters
    ----------
    rows : DataFrame
        One KPI in long form.
    cuts : sequence of str
        Its columns of labels.
    period : str or None
        Which of them is the period.
    better : {"up", "down", None}
        Which way is better.

    Returns
    -------
    DataFrame
        ``change, change_low, change_high, trend`` with the index of ``rows``. Periods are taken for independent,
        and the half width of an interval for 1.96 standard errors; without an interval of every period there is none of
        the change, and the trend is unclear.
    """
    figures = np.full((len(rows), 3), np.nan)
    words = np.full(len(rows), "–", dtype=object)
    names = ["change", "change_low", "change_high"]
    if period is None or period not in cuts:
        return pd.DataFrame(figures, columns=names, index=rows.index).assign(trend=words)
    others = [c for c in cuts if c != period]
    ordered = rows.reset_index(drop=True).sort_values(period, kind="stable")
    groups = ordered.groupby(others, sort=False, dropna=False).indices.values() if others else [np.arange(len(rows))]
    places = ordered.index.to_numpy()
    values = ordered["value"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        errors = (ordered["high"].to_numpy(dtype=float) - ordered["low"].to_numpy(dtype=float)) / (2 * _Z)
    for own in groups:
        value, error = values[own], errors[own]
        for k in range(1, len(own)):
            past = slice(max(k - 4, 0), k)
            before = value[past]
            change = value[k] - before.mean()
            half = _Z * math.sqrt(float(error[k] ** 2 + np.sum(error[past] ** 2) / len(before) ** 2))
            sure = math.isfinite(half) and abs(change) > half
            good = (change > 0) == (better == "up")
            word = "unclear" if not sure else "moved" if better is None else "better" if good else "worse"
            figures[places[own[k]]] = change, change - half, change + half
            words[places[own[k]]] = word
    return pd.DataFrame(figures, columns=names, index=rows.index).assign(trend=words)
