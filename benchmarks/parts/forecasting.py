"""Forecasts of hourly contacts beside plain yardsticks, prophet and statsmodels: errors, safety, bands, speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from parts.common import Options, prose, table
from parts.forecast_cases import growth, history, speed
from parts.forecast_data import HORIZONS, LAST, Series, made_sets, real_sets
from parts.forecast_peers import PEERS
from parts.forecast_rolls import AUTO, BUSY, MEAN, NAIVE, PATHS, SLOW_FITS, TRUTH, Rolls, roll
from parts.forecast_today import intraday
from parts.goals import Goal, goals_table
from staffcast.forecast.judging.scores import PIT_BINS
from staffcast.forecast.models.lineup import MODELS, SLOW

TITLE = "Forecasting"

TUNED, DEFAULT_PROPHET = "prophet", "prophet_default"
SINGLE = [name for name in MODELS if name not in SLOW]


def geometric(values: Iterable[float]) -> float:
    """Geometric mean; NaN where one is not known, or of none."""
    each = list(values)
    return math.exp(sum(map(math.log, each)) / len(each)) if each else float("nan")


def told(value: float, digits: int = 3) -> str:
    """A ratio, or a dash."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def named(model: str) -> str:
    """The model as the tables name it."""
    return {AUTO: "**`auto`**"}.get(model, f"`{model}`" if model in MODELS else model)


class Page:
    """The tables made of the rolled forecasts, and the goals that they speak to."""

    def __init__(self, rolls: Rolls, sets: Sequence[Series]) -> None:
        self.rolls, self.sets = rolls, sets
        self.contacts = [one.name for one in sets if one.kind == "contacts"]
        self.real = [one.name for one in sets if one.kind != "made"]
        self.every = [one.name for one in sets]
        self.goals: list[Goal] = []

    def goal(self, what: str, values: Iterable[float], *, low: float | None = None, high: float | None = None) -> None:
        """Note a goal, if there is anything to hold against it."""
        known = [value for value in values if not math.isnan(value)]
        self.goals.append(Goal(what=what, values=known, low=low, high=high))

    def mean_ratio(self, names: Sequence[str], model: str, other: str, horizon: int) -> float:
        """Geometric mean over sets of WAPE ÷ another's."""
        return geometric(self.rolls.ratio(name, model, other, horizon) for name in names)

    def line_up(self, horizon: int) -> str:
        """Every model on every set."""
        rows, took = [], self.rolls.fits.groupby("model")["cpu_s"]
        middle, number = took.median(), took.size()
        for model in (NAIVE, MEAN, *MODELS, AUTO, *PEERS, TRUTH):
            if model not in set(self.rolls.errors["model"]):
                continue
            rows.append((
                named(model), *(told(self.rolls.ratio(name, model, NAIVE, horizon)) for name in self.every),
                *(told(self.mean_ratio(names, model, NAIVE, horizon)) for names in (self.contacts, self.real)),
                f"{middle[model]:.2g}" if model in middle else "", int(number[model]) if model in number else "",
            ))  # fmt: skip
        head = ["model", *self.every, "contact centres", "real ones", "CPU s a fit", "fits"]
        return table(head, rows)

    def accuracy(self) -> str:
        """The line-up at all horizons."""
        for days, most in zip(HORIZONS, (0.68, 0.68, 0.69), strict=True):
            found = self.mean_ratio(self.real, AUTO, NAIVE, days)
            self.goal(f"`auto` ÷ naive, {days} d, real series", [found], high=most)
        self.goal(
            f"`auto` ÷ naive, {LAST} d, contact centres", [self.mean_ratio(self.contacts, AUTO, NAIVE, LAST)], high=0.66
        )
        words = prose(
            f"""WAPE (Σ|y−f| ÷ Σy, by the hour) ÷ that of the plain seasonal naive: the last week again, holidays and
            all. Below 1 is better. The last two columns of figures are geometric means; CPU time is the median of all
            fits, child processes included (`auto`: with its backtest and bands, per queue). What is slow was fitted
            fewer times (*fits*), evenly spread over queues and origins; its ratios are those on its own origins.
            *{TRUTH}* is what a forecaster would say who knew how the made series are made."""
        )
        peers = "\n".join(f"- {name}: {peer.about}" for name, peer in PEERS.items())
        peers += f"\n- `{TUNED}`: prophet as the package sets it; {SLOW_FITS} fits a series"
        return "\n\n".join(
            [
                words,
                peers,
                *(f"**{days} day{'s' * (days > 1)} ahead**\n\n{self.line_up(days)}" for days in HORIZONS[::-1]),
            ]
        )

    def against(self) -> str:
        """The default against the four yardsticks that goals name, and chance."""
        rows = []
        for other, most in ((MEAN, 0.88), (DEFAULT_PROPHET, 0.70), (TUNED, 0.96)):
            for days in HORIZONS:
                ratios = {name: self.rolls.ratio(name, AUTO, other, days) for name in self.every}
                known = [ratios[name] for name in self.real if not math.isnan(ratios[name])]
                rows.append((named(other), f"{days} d", *map(told, ratios.values()), told(geometric(known))))
                if days == LAST:
                    self.goal(f"`auto` ÷ {named(other)}, {days} d, real series", [geometric(known)], high=most)
        for days in HORIZONS:
            ratios = {
                name: self.rolls.wape(name, AUTO, days) / self.rolls.wape(name, AUTO, days, "floor")
                for name in self.every
            }
            rows.append(("Poisson floor", f"{days} d", *map(told, ratios.values()), ""))
            self.goal(
                f"`auto` ÷ Poisson floor, {days} d, emergency arrivals",
                [ratios[one.name] for one in self.sets if one.kind == "arrivals"], high=1.03,
            )  # fmt: skip
        words = prose(
            """WAPE of `auto` ÷ that of others, on the origins that both forecast. The *Poisson floor* is the error that
            chance alone would leave if the forecast were the true rate: contacts that come in bursts stay above it."""
        )
        return f"{words}\n\n{table(['÷', 'ahead', *self.every, 'real ones'], rows)}"

    def safety(self) -> str:
        """The default against the naive and the best single model, set by set."""
        rows, naive, single = [], [], []
        for name in self.every:
            for days in HORIZONS:
                below = self.rolls.ratio(name, AUTO, NAIVE, days)
                singles = {model: self.rolls.ratio(name, model, NAIVE, days) for model in SINGLE}
                best = min((model for model in SINGLE if singles[model] > 0), key=singles.__getitem__)
                over = self.rolls.ratio(name, AUTO, best, days)
                naive.append(below)
                single.append(over)
                rows.append(
                    (name, f"{days} d", told(below), f"`{best}`", told(over), "yes" if over <= 1.02 else "**no**")
                )
        self.goal("`auto` ÷ naive, each series and horizon", naive, high=1.0)
        self.goal("`auto` ÷ best single model, each series and horizon", single, high=1.02)
        words = prose(
            """The best single model is the one that turned out best on the series at that horizon, among the fast ones
            of the package; nobody knew that before."""
        )
        weight = self.rolls.weights.groupby(["series", "model"])["weight"].sum().to_dict()
        whole = {name: sum(weight.get((name, model), 0.0) for model in MODELS) for name in self.every}
        models = [model for model in MODELS if any((name, model) in weight for name in self.every)]
        weights = table(
            ["series", *map(named, models)],
            [
                (name, *(f"{weight.get((name, model), 0.0) / whole[name]:.2f}" for model in models))
                for name in self.every
            ],
        )
        head = ["series", "ahead", "`auto` ÷ naive", "best single model", "`auto` ÷ best", "within 2 %"]
        return f"{words}\n\n{table(head, rows)}\n\nWhat `auto` was made of, mean weights:\n\n{weights}"

    def calibration(self) -> str:
        """Coverage of the default's bands."""
        covered = self.rolls.bands.groupby(["series", "what"])["covered"].mean().to_dict()
        whats = ("hours, 80 %", "hours, 95 %", "daily totals, 80 %")
        for what, low, high in zip(whats, (0.78, 0.94, 0.75), (0.83, 0.97, 0.85), strict=True):
            self.goal(
                f"coverage of {what}, each series", (covered[name, what] for name in self.every), low=low, high=high
            )
        rows = [(name, *(told(covered[name, what]) for what in whats)) for name in self.every]
        words = prose(
            f"""Share of what came that lay in the bands of `auto`, {LAST} days from each origin; bands are learnt from
            the past of the origin alone. Of a count, the part of its probability that lies in the band is counted;
            daily totals are held against quantiles of {PATHS} sample paths.""",
            """The constants of the bands were tuned on other origins of the same series, and these origins were looked
            at more than once meanwhile; on one shifted set of origins the bank's 95 % hours came to 0.936.""",
        )
        truth = [one.name for one in self.sets if one.kind == "made"]
        of_rate = sorted({str(what) for what in self.rolls.bands["what"] if "rate" in what})
        rates = [(what, *(told(covered[name, what]) for name in truth)) for what in of_rate]
        more = prose(
            f"""Of the made series the rate itself is known. *Rate* is the one that the counts were drawn from, with the
            busyness of its day and hour, which is what the bands of the rate are about; *expected rate* is without that
            busyness, and should lie in them more often. Busy hours have at least {BUSY:g} contact."""
        )
        parts = range(1, PIT_BINS + 1)
        flat = prose(
            f"""Where the counts fell in the distributions of `auto`, in ten equal parts of probability (the histogram
            of the probability integral transform for counts, Czado, Gneiting, Held, Biometrics 65, 2009,
            doi:10.1111/j.1541-0420.2009.01191.x), times {PIT_BINS}: 1 throughout are bands as wide as promised, more
            at both ends bands too narrow, more in the middle too wide, more at one end forecasts off to that side."""
        )
        histogram = table(
            ["series", *(f"{10 * (k - 1)}–{10 * k} %" for k in parts)],
            [(name, *(told(PIT_BINS * covered[name, f"pit {k}"], 2) for k in parts)) for name in self.every],
        )
        return "\n\n".join([words, table(["series", *whats], rows), flat, histogram, more, table(["", *truth], rates)])

    def holidays(self) -> str:
        """Errors on holidays."""
        days = self.rolls.errors[self.rolls.errors["holiday"]]
        rows = []
        for one in self.sets:
            of = days[days["series"] == one.name]
            if of.empty:
                continue
            error = of.groupby("model")[["error", "y"]].sum()
            wape = error["error"] / error["y"]
            number = len(of.loc[of["model"] == AUTO, ["queue", "origin", "day"]])
            rows.append((one.name, number, *(told(wape[name]) for name in (NAIVE, MEAN, "mean_4", AUTO)),
                         told(wape[AUTO] / wape[MEAN])))  # fmt: skip
            if one.name == "bank":
                self.goal("bank's holidays: `auto` ÷ last 4 weeks", [wape[AUTO] / wape[MEAN]], high=0.5)
        head = ["series", "holidays forecast", NAIVE, MEAN, "`mean_4`", "**`auto`**", "`auto` ÷ last 4 weeks"]
        return f"WAPE on public holidays, all origins, up to {LAST} days ahead.\n\n{table(head, rows)}"


def described(sets: Sequence[Series]) -> str:
    """What the series are."""
    rows = []
    for one in sets:
        dates, origins = one.grid.dates, one.origins()
        rows.append((
            one.name, {"made": "made, rate known"}.get(one.kind, f"real {one.kind}"), len(one.queues),
            f"{dates[0]} – {dates[-1]}", f"{one.frame['y'].mean():.1f}", f"{dates[origins[0]]}, every {one.step} d",
            f"{origins[0]} – {origins[-1]} d",
        ))  # fmt: skip
    return table(["series", "kind", "queues", "days", "mean an hour", "10 origins from", "history"], rows)


def measure(options: Options) -> str:
    """All sections."""
    real, missing = real_sets()
    sets = [*real, *made_sets()]
    page = Page(roll(sets, quick=options.quick), sets)
    words = prose(
        f"""Hourly counts, round the clock, forecast from ten origins, the last one {LAST} days before the end. `auto`
        is the package's default, `forecast(…)`, given only what lies before each origin: it picks and weighs its models
        by a backtest in there. The real series are not part of the repository; the others are made, and their rate is
        known."""
        + (" *A quick look: two origins, slow peers once and only on short series.*" if options.quick else "")
    )
    sections: list[tuple[str, Callable[[], str]]] = [
        ("Accuracy", page.accuracy), ("Against yardsticks and chance", page.against), ("Safety", page.safety),
        ("Holidays", page.holidays), ("Calibration", page.calibration),
    ]  # fmt: skip
    texts = [f"### {title}\n\n{make()}" for title, make in sections]
    cases = (
        ("Growth, holidays and events eight weeks ahead", growth), ("Two weeks of history", history),
        ("The afternoon, at noon", partial(intraday, sets)), ("Speed", speed),
    )  # fmt: skip
    for title, case in cases:
        text, goals = case(options)
        texts.append(f"### {title}\n\n{text}")
        page.goals += goals
    return "\n\n".join([words, described(sets), *missing, f"### Goals\n\n{goals_table(page.goals)}", *texts])
