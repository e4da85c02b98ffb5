"""How good forecasts are: rolling origins on days not learned from, and how often intervals hold what comes."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Groups, compare_means
from ticketintel_pipelines.learning.conformal import coverage_words, share_measured
from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.forecasting.boosted import COVERAGE, SIZES, FittedCounts
from ticketintel_pipelines.learning.forecasting.features import NAMES
from ticketintel_pipelines.learning.forecasting.model import Forecasts, Parts, forecast
from ticketintel_pipelines.learning.forecasting.pictures import horizons, weeks
from ticketintel_pipelines.learning.forecasting.series import HORIZONS, WEEK, Counts, Rows, actual, counted_on, last_week
from ticketintel_pipelines.learning.forecasting.trend import usual_week
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.report_layout import Grid, Section

BASELINE, BOOSTED, LINEAR, USUAL, NOTHING = (
    "last week's same day",
    "boosted counts",
    "linear trend",
    "usual week",
    "no sale at all",
)
LEAST_GROUPS = 10
SHOWN = 6
MOST_NAMES = 15


def assess(model: FittedCounts, counts: Counts, parts: Parts, unit: str) -> Assessment:
    """Judge a model, fitted and calibrated on the first two of the parts, on forecasts made on each of the last days."""
    rows = parts.judged
    true, said = actual(counts, rows), forecast(model, counts, rows)
    naive = last_week(counts, rows)
    choices = {
        BOOSTED: said.expected,
        LINEAR: said.linear,
        BASELINE: naive,
        USUAL: usual_week(counts, rows, parts.fitted_until),
        NOTHING: np.zeros(len(rows)),
    }
    errors = {name: np.abs(true - values) for name, values in choices.items()}
    groups, words = _groups(rows)
    of = f"{len(rows)} forecasts of {len(np.unique(rows.day))} days, drawn by {words}"
    # Where there was no day to compare with, the naive forecast says 0; these are the others.
    sold_before = ~np.isnan(counted_on(counts, rows.series, rows.day - WEEK))

    def against(name: str, other: str, members: Groups | None = None) -> Comparison:
        chosen = np.ones(len(rows), dtype=bool) if members is None else members
        told = of if members is None else f"{chosen.sum()} of them, of series that were open a week before"
        figure = f"mean absolute error in {unit} a day, {name}"
        ours, others = errors[name][chosen], errors[other][chosen]
        return compare_means(figure, other, told, ours, others, groups[chosen], higher_is_better=False)

    comparisons = [against(BOOSTED, BASELINE), against(LINEAR, BASELINE), against(BOOSTED, LINEAR), against(BOOSTED, NOTHING)]
    if 0 < sold_before.sum() < len(rows):
        comparisons.insert(1, against(BOOSTED, BASELINE, sold_before))
    inside = (true >= said.low) & (true <= said.high)
    covered = share_measured(inside, groups)
    figures = {"mae": comparisons[0].model, "coverage": covered}
    sections = (
        _errors(choices, true, rows, model),
        _coverage(inside, said, rows, groups, covered),
        _largest(counts, rows, true, said, naive),
        _importances(model, counts),
    )
    told = (
        f"Rolling origins: fitted on {len(parts.fitted)} forecasts, intervals set on {len(parts.calibrated)} of later days, "
        f"judged on {len(rows)}, each made at the end of a day after those with what was known then, of the days up to "
        f"{HORIZONS} ahead. {_verdict(comparisons[0])} {_kept(model)} "
        f"{coverage_words(covered, COVERAGE)}"
    )
    return Assessment(told, tuple(comparisons), figures, sections)


def _verdict(one: Comparison) -> str:
    return f"The boosted forecast {one.verb} {BASELINE}."


def _kept(model: FittedCounts) -> str:
    if model.kept == 0:
        return "What the trees learned did not hold on later days, and none of it is kept: the forecast is the level alone."
    return f"Of what the trees add to the level, {model.kept:.0%} is kept."


def _groups(rows: Rows) -> tuple[Groups, str]:
    if len(np.unique(rows.series)) >= LEAST_GROUPS:
        return rows.series, "series"
    return rows.day, "the day that is forecast"


def _errors(choices: Mapping[str, Floats], true: Floats, rows: Rows, model: FittedCounts) -> Section:
    totals = [
        [
            name,
            f"{np.abs(true - values).mean():.2f}",
            f"{np.sqrt(((true - values) ** 2).mean()):.2f}",
            f"{values.sum() / max(true.sum(), 1):.1%}",
        ]
        for name, values in choices.items()
    ]
    ahead = range(1, HORIZONS + 1)
    by_horizon = {
        name: np.array(
            [np.abs(true - values)[rows.ahead == days].mean() if (rows.ahead == days).any() else np.nan for days in ahead]
        )
        for name, values in choices.items()
    }
    per_day = [[str(days), *(f"{values[days - 1]:.2f}" for values in by_horizon.values())] for days in ahead]
    grids = (
        Grid(["Forecast", "Mean absolute error", "Root mean square", "Sum over what came"], totals),
        Grid(["Days ahead", *by_horizon], per_day),
    )
    words = (
        f"A day of a series counts {true.mean():.1f} on average, and {(true == 0).mean():.1%} of them nothing. {_kept(model)}"
    )
    usual = "The usual week is the mean of the last seven days, times how its weekday compares with the others over all series."
    return Section(
        "How far off forecasts are", (words, usual), grids, ((horizons(by_horizon), "Mean absolute error by days ahead."),)
    )


def _coverage(inside: Groups, said: Forecasts, rows: Rows, groups: Groups, covered: Measured) -> Section:
    width = said.high - said.low
    table = [_covered("all", "", covered, width)]
    for days in range(1, HORIZONS + 1):
        member = rows.ahead == days
        if member.any():
            table.append(_covered("days ahead", str(days), share_measured(inside[member], groups[member]), width[member]))
    size = np.digitize(said.expected, SIZES)
    edges = ["0", *(f"{one:g}" for one in SIZES), "∞"]
    for step, name in enumerate(f"{low} to {high}" for low, high in pairwise(edges)):
        member = size == step
        if member.any():
            table.append(_covered("expected", name, share_measured(inside[member], groups[member]), width[member]))
    words = f"The interval should hold {COVERAGE:.0%} of days. Small counts are whole, and are held more often."
    header = ["Slice", "Value", "Forecasts", "Inside", "95 % interval", "Median width"]
    return Section("Coverage of the interval", (words,), (Grid(header, table),))


def _covered(title: str, value: str, share: Measured, width: Floats) -> list[str]:
    spread = "" if np.isnan(share.low) else f"{share.low:.1%} to {share.high:.1%}"
    return [title, value, str(len(width)), f"{share.value:.1%}", spread, f"{np.median(width):.1f}"]


def _largest(counts: Counts, rows: Rows, true: Floats, said: Forecasts, naive: Floats) -> Section:
    totals = np.bincount(rows.series[rows.ahead == 1], true[rows.ahead == 1], minlength=len(counts.names))
    largest = [int(one) for one in np.argsort(-totals, kind="stable")[:SHOWN] if totals[one] > 0]
    pictures, table = [], []
    for one in largest:
        member = (rows.series == one) & (rows.ahead == 1)
        name = str(counts.names[one])
        values = [axis[member] for axis in (rows.day, true, said.expected, said.low, said.high, naive)]
        pictures.append((weeks(*values), f"{name}: one day ahead, each forecast made the evening before."))
        for place in np.flatnonzero(member):
            day = day_of(int(rows.day[place])).isoformat()
            interval = f"{said.low[place]:.0f} to {said.high[place]:.0f}"
            table.append([name, day, f"{true[place]:.0f}", f"{said.expected[place]:.1f}", interval, f"{naive[place]:.0f}"])
    header = ["Series", "Day", "Came", "Forecast", "80 % interval", "Week before"]
    return Section("The largest series", (), (Grid(header, table[: SHOWN * WEEK]),), pictures)


def _importances(model: FittedCounts, counts: Counts) -> Section:
    names, gains = [*NAMES, *counts.fact_names], model.importances()
    rows = [[names[one], f"{gains[one]:.1%}"] for one in np.argsort(-gains, kind="stable")[:MOST_NAMES]]
    words = "Counts before the forecast, what is left, and trends are told in levels of the series."
    return Section("What forecasts rest on", (words,), (Grid(["Feature", "Share of the gain"], rows),))
