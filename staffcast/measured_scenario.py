"""What was measured, as a scenario that ``staffcast plan`` reads: figure, interval, number and span beside each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from staffcast.contracts import format_duration
from staffcast.contracts.files import atomic_path
from staffcast.measuring import Measured
from staffcast.scenario import QueueRules, Scenario, rule_keys
from staffcast.toml_text import duration_text, key_text, share_text, value_text
from staffcast.utilization.measured import ENOUGH, Figure
from staffcast.utilization.measured.concurrency import rising

__all__ = ["measured_scenario", "write_measured"]

_WIDTH = 118
_IN_VOLUME = "the log's tickets have it in them already: take the # away only for a demand without it"


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One key: written, or as a comment with the reason why."""

    key: str
    value: Any
    figure: str
    why_not: str = ""


def write_measured(text: str, path: str | Path) -> Path:
    """Write the file, whole or not at all.

    Raises
    ------
    OutputError
        The place cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def measured_scenario(
    measured: Measured,
    scenario: Scenario,
    options: Mapping[str, Any],
    *,
    log: str,
    with_aht: bool = False,
) -> str:
    """Text of a scenario with the measured inputs in it.

    Parameters
    ----------
    measured : Measured
    scenario : Scenario
        With which was measured; its targets say how long a first reply may take.
    options : mapping
        The same as it is written: keys of a scenario file. They are kept, but for what was measured.
    log : str
        Name of the log, for the heading.
    with_aht : bool
        State handle times too. Without, the plan measures them by the hour from the log, which is better with it.

    Returns
    -------
    str
        TOML. A key is written where there are enough observations and a plan may use it as it is; else it stands as a
        comment with the reason, and the default (or what ``options`` says) holds.
    """
    given = {key: value for key, value in options.items() if key != "queues"}
    given.setdefault("zone", measured.zone)
    own = {queue: dict(keys) for queue, keys in options.get("queues", {}).items()}
    lines = [
        *_wrapped(f"Measured by `staffcast measure` from {log}, {_span(measured.since, measured.until)}."),
        *_wrapped(
            "Behind each figure: its 95 % interval, the number of observations and the span. What has fewer than "
            f"{ENOUGH} is marked few, stands as a comment, and the default holds. Keys: docs/scenario.md."
        ),
        "",
    ]
    top = _shrinkage(measured, "")
    lines += _with_given(given, top) + _below(measured, "")
    for queue in sorted({*measured.queues, *own}):
        rules = scenario.for_queue(queue)
        found = _of_queue(measured, queue, rules, scenario, with_aht) if queue in measured.queues else []
        text = [f"[queues.{key_text(queue)}]", *_with_given(own.get(queue, {}), found), *_below(measured, queue)]
        lines += ["", *text]
    missing = [line for text in measured.missing for line in _wrapped(f"- {text}")]
    if missing:
        lines += ["", "# Not measured:", *missing]
    return "\n".join(lines) + "\n"


def _with_given(given: Mapping[str, Any], found: list[_Line]) -> list[str]:
    """The planner's keys and the measured ones; of a key that is in both, the measured one where it is written."""
    written = {line.key for line in found if not line.why_not}
    lines = [f"{key_text(key)} = {value_text(value)}" for key, value in given.items() if key not in written]
    for line in found:
        before = f"; was {value_text(given[line.key])}" if line.key in given and not line.why_not else ""
        lines += ["", *_wrapped(line.figure + before)]
        if line.why_not:
            lines += [*_wrapped(line.why_not), f"# {line.key} = {value_text(line.value)}"]
        else:
            lines.append(f"{line.key} = {value_text(line.value)}")
    return lines


def _of_queue(measured: Measured, queue: str, rules: QueueRules, scenario: Scenario, with_aht: bool) -> list[_Line]:
    lines = [*_shrinkage(measured, queue), *_handling(measured, queue, with_aht), *_first_reply(measured, queue, rules)]
    patience = measured.of("patience", queue)
    if patience is not None and np.isfinite(patience.value):
        figure = _said("patience", patience, f"{patience.n:,} gave up")
        lines.append(_Line(key="patience", value=duration_text(patience.value), figure=figure, why_not=_few(patience)))
    lines += _concurrency(measured, queue, rules, scenario)
    known = rule_keys()
    return [line for line in (*lines, *_in_volume(measured, queue)) if line.key in known]


def _shrinkage(measured: Measured, queue: str) -> list[_Line]:
    whole, absence = measured.of("shrinkage", queue), measured.of("absence", queue)
    if whole is None or not np.isfinite(whole.value):
        return []
    why_not = "" if whole.usable else f"few: {whole.n} agents"
    figure = _said("shrinkage", whole, f"{whole.n} agents")
    lines = [_Line(key="shrinkage", value=share_text(whole.value), figure=figure, why_not=why_not)]
    if absence is not None and absence.value > 0 and "absent" in rule_keys():
        lines.append(_Line(
            key="absent", value=share_text(absence.value), figure=_said("absence", absence, f"{absence.n} agents"),
            why_not="shrinkage has it in it: say absent only beside a shrinkage without it",
        ))  # fmt: skip
    return lines


def _handling(measured: Measured, queue: str, with_aht: bool) -> list[_Line]:
    aht, alone = measured.of("aht", queue), measured.of("aht_in_hand", queue, "1")
    if aht is not None and np.isfinite(aht.value):
        why_not = _few(aht)
        if not why_not and not with_aht:
            why_not = "left to the plan, which takes it from the log by the hour, with its doubt (--with-aht states it)"
        return [
            _Line(
                key="aht", value=duration_text(aht.value), figure=_said("aht", aht, f"n = {aht.n:,}"), why_not=why_not
            )
        ]
    if alone is None or not np.isfinite(alone.value):
        return []
    figure = _said("aht: no handle_s; how long a conversation lasts that an agent has alone", alone, f"n = {alone.n:,}")
    return [_Line(key="aht", value=duration_text(alone.value), figure=figure, why_not=_few(alone))]


def _first_reply(measured: Measured, queue: str, rules: QueueRules) -> list[_Line]:
    found = measured.of("first_reply", queue)
    if found is None or not np.isfinite(found.value):
        return []
    why_not = _few(found)
    if not why_not and found.value > rules.frt.seconds / 2:
        why_not = f'more than half of frt = "{rules.frt}": allow more time in frt, then take the # away'
    figure = _said("first_reply", found, f"n = {found.n:,}")
    return [_Line(key="first_reply", value=duration_text(found.value), figure=figure, why_not=why_not)]


def _concurrency(measured: Measured, queue: str, rules: QueueRules, scenario: Scenario) -> list[_Line]:
    most, mean = measured.of("concurrency", queue), measured.of("in_hand_mean", queue)
    if most is None or mean is None or not np.isfinite(most.value):
        return []
    k = int(most.value)
    figure = f"concurrency: {k}, n = {most.n:,} conversations, {_span(most.since, most.until)}; open at once "
    figure += f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}] on average, time with " + ", ".join(
        f"{f.at}: {share_text(f.value)}" for f in measured.figures if (f.measure, f.queue) == ("in_hand_share", queue)
    )
    figure += f"; {most.note}" if most.note else ""
    times = [measured.of("aht_in_hand", queue, str(j)) for j in range(1, k + 1)]
    known = [f for f in times if f is not None and np.isfinite(f.value)]
    if k == 1 or len(known) < k:
        return [_Line(key="concurrency", value=k, figure=figure, why_not="the default holds")]
    weights = np.array([1 / max(np.log(f.high / f.low), 1e-6) ** 2 for f in known])
    values = rising(np.array([f.value for f in known]), weights)
    listed = ", ".join(_said(f"with {f.at}", f, f"n = {f.n:,}", span=False) for f in known)
    why_not = next((_few(f) for f in known if f.few), "")
    if rules.turns is not None:
        why_not = "the scenario has turns, which says the same in another way"
    hosts = {scenario.for_queue(q).in_gaps_of for q in measured.queues}
    if rules.in_gaps_of is not None or queue in hosts:
        why_not = "the scenario has work in gaps here, which takes one conversation at a time"
    return [
        _Line(key="concurrency", value=k, figure=figure, why_not=why_not),
        _Line(
            key="aht_by_concurrency", value=[duration_text(float(v)) for v in values],
            figure=f"aht_by_concurrency: {listed}; made not to fall", why_not=why_not,
        ),
    ]  # fmt: skip


def _in_volume(measured: Measured, queue: str) -> list[_Line]:
    """Keys for tickets that a log has in its counts already: never written, or they would come twice."""
    lines = []
    again = measured.of("redial", queue)
    if again is not None and np.isfinite(again.value):
        figure = _said("redial", again, f"n = {again.n:,} who gave up")
        lines.append(
            _Line(key="redial", value=share_text(again.value), figure=figure, why_not=_few(again) or _IN_VOLUME)
        )
        after = measured.of("redial_after", queue)
        if after is not None and np.isfinite(after.value):
            figure = _said("redial_after", after, f"n = {after.n:,}")
            value = duration_text(after.value)
            lines.append(_Line(key="redial_after", value=value, figure=figure, why_not=_few(after) or _IN_VOLUME))
    back, work, after = (measured.of(name, queue) for name in ("reopened", "reopened_work", "reopened_after"))
    if back is not None and after is not None and np.isfinite(back.value + after.value):
        again_after = {"share": share_text(back.value), "after": duration_text(after.value)}
        figure = (
            _said("reopening", back, f"n = {back.n:,}") + "; " + _said("after", after, f"n = {after.n:,}", span=False)
        )
        if work is not None and work.value > 0:
            again_after["work"] = f"{100 * work.value:.0f}%"
            figure += "; " + _said("work", work, f"n = {work.n:,}", span=False)
        lines.append(_Line(key="reopening", value=again_after, figure=figure, why_not=_few(back) or _IN_VOLUME))
    closes, handover, harder = (measured.of(name, queue) for name in ("bot_closes", "bot_handover", "bot_harder"))
    if closes is not None and np.isfinite(closes.value):
        bot = {"closes": share_text(closes.value)}
        figure = _said("bot", closes, f"n = {closes.n:,}")
        if handover is not None and np.isfinite(handover.value):
            bot["handover"] = duration_text(handover.value)
            figure += "; " + _said("handover", handover, f"n = {handover.n:,}", span=False)
        if harder is not None and np.isfinite(harder.value):
            bot["harder"] = f"{100 * (harder.value - 1):+.1f}%"
            figure += "; " + _said("harder", harder, f"n = {harder.n:,}", span=False)
        lines.append(_Line(key="bot", value=bot, figure=figure, why_not=_few(closes) or _IN_VOLUME))
    return lines


def _below(measured: Measured, queue: str) -> list[str]:
    """Figures that no key takes, as comments."""
    shown = ("aht", "shrinkage", "first_reply")  # beside their keys above
    titles = {
        "shrinkage": "Shrinkage by weekday", "shrinkage_cause": "Shrinkage by cause", "aht": "Handle time by hour",
        "handle_cv2": "CV² of the handle times (variance ÷ mean²), which plans measure themselves",
        "first_reply": "First reply", "gives_up_per_hour": "Who gives up, per hour of waiting, by time waited",
        "patience_shape": "Weibull patience: shape", "patience_scale": "Weibull patience: scale",
        "reopened": "Reopened", "reopened_after": "Reopened after", "reopened_work": "Reopened: more handling by",
        "repeated": "Same customer back", "repeated_after": "Same customer back after",
        "redial": "Try again after giving up", "redial_after": "Try again after", "bot_closes": "Closed by the bot",
        "bot_handover": "Bot hands over after", "bot_harder": "Handle time with the bot ÷ without",
    }  # fmt: skip
    lines = []
    for measure, title in titles.items():
        rows = [
            f for f in measured.figures
            if (f.measure, f.queue) == (measure, queue) and np.isfinite(f.value) and not (measure in shown and not f.at)
            and not (measure == "shrinkage_cause" and " " in f.at)
        ]  # fmt: skip
        if not rows:
            continue
        lines += ["", *_wrapped(f"{title}, {_span(rows[0].since, rows[0].until)}:")]
        notes = [f.note for f in rows if f.note]
        lines += [line for note in notes[:1] for line in _wrapped(f"  ({note})")]
        lines += [
            f"#   {_said(f.at or 'all', f, f'n = {f.n:,}' + (', few' if f.few else ''), span=False)}" for f in rows
        ]
    return lines


def _said(name: str, figure: Figure, number: str, *, span: bool = True) -> str:
    """Figure, interval, number and span in words."""
    interval = ""
    if np.isfinite(figure.low):
        interval = f" [{_number(figure.low, figure.unit)}, {_number(figure.high, figure.unit)}]"
    when = f", {_span(figure.since, figure.until)}" if span else ""
    more = f"; {figure.note}" if span and figure.note else ""
    return f"{name}: {_number(figure.value, figure.unit)}{interval}, {number}{when}{more}"


def _number(value: float, unit: str) -> str:
    if not np.isfinite(value):
        return "unbounded"
    if unit == "s":
        return duration_text(value) if value < 172_800 else format_duration(value)
    return share_text(value) if unit == "share" else f"{value:.3g}"


def _few(figure: Figure) -> str:
    return f"few (n = {figure.n}, {figure.least} are needed): the default holds" if figure.few else ""


def _span(since: Any, until: Any) -> str:
    return f"{since:%Y-%m-%d} to {until:%Y-%m-%d}"


def _wrapped(text: str) -> list[str]:
    """Comment lines of a text."""
    lines, line = [], "#"
    # A name with a line break in it must not end the comment.
    for word in " ".join(text.split()).split(" ") if not text.startswith("  ") else ["", *text.split()]:
        if len(line) + 1 + len(word) > _WIDTH and line != "#":
            lines.append(line)
            line = "#  "
        line = f"{line} {word}"
    return [*lines, line]
