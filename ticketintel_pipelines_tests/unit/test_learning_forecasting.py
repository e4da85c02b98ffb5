"""Forecasts see nothing of the days to come, keep to the calendar, and beat last week where there is a pattern to find."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.learning.assessment import Assessment
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.forecasting.boosted import CountBoosting, FittedCounts
from ticketintel_pipelines.learning.forecasting.features import NAMES, features_of
from ticketintel_pipelines.learning.forecasting.judging import assess
from ticketintel_pipelines.learning.forecasting.model import fit, fit_newest, forecast, split
from ticketintel_pipelines.learning.forecasting.series import (
    OPEN,
    REACH,
    UNKNOWN,
    Counts,
    Rows,
    actual,
    last_week,
    rows_of,
)
from ticketintel_pipelines.learning.forecasting.trend import linear_trend, usual_week, weekday_factors

SMALL = CountBoosting(trees=60)
START = 20_000


def weekly(series: int = 15, days: int = 84, seed: int = 4) -> Counts:
    """Counts that vary by chance around a week which all series share, each at its own height."""
    random = np.random.default_rng(seed)
    week = np.array([1.0, 0.8, 0.7, 0.9, 1.2, 2.0, 1.6])
    height = random.uniform(5, 60, series)
    counts = random.poisson(height[:, None] * week[(START + np.arange(days)) % 7]).astype(np.float64)
    return endless(counts)


def endless(counts: np.ndarray) -> Counts:
    series = len(counts)
    return Counts(
        np.array([f"s{one}" for one in range(series)], dtype=object),
        START,
        counts,
        np.zeros_like(counts),
        np.full(series, UNKNOWN),
        np.full(series, UNKNOWN),
        np.full(series, OPEN),
        np.full(series, np.nan),
        np.empty((series, 0)),
    )


def sold_out(seed: int = 6, events: int = 40, days: int = 70) -> Counts:
    """Events that open, sell ever fewer of their places, and start."""
    random = np.random.default_rng(seed)
    first = START + random.integers(0, days, events)
    last = first + random.integers(3, 20, events)
    limit = random.integers(50, 500, events).astype(np.float64)
    counts = np.zeros((events, days))
    for one in range(events):
        for day in range(first[one], min(last[one], START + days - 1) + 1):
            left = limit[one] - counts[one].sum()
            counts[one, day - START] = min(left, random.poisson(0.35 * left))
    names = np.array([f"e{one}" for one in range(events)], dtype=object)
    return Counts(names, START, counts, counts, first - 3, first, last, limit, limit[:, None], ("size",))


def judged(counts: Counts) -> Assessment:
    parts = split(counts, counts.start)
    return assess(fit(counts, parts.fitted, parts.calibrated, 1), counts, parts, "tickets")


@pytest.fixture(scope="module")
def of_weeks() -> Assessment:
    return judged(weekly())


def test_a_known_week_is_forecast_better_than_by_the_last_one(of_weeks: Assessment) -> None:
    first = of_weeks.comparisons[0]
    assert first.baseline == "last week's same day" and first.beats
    assert "The boosted forecast beats last week's same day." in of_weeks.words


def test_intervals_hold_four_days_in_five(of_weeks: Assessment) -> None:
    covered = of_weeks.figures["coverage"]
    assert covered.low <= 0.8 <= covered.high


def test_sales_that_die_away_are_forecast_better_than_by_last_week_and_by_nothing() -> None:
    said = judged(sold_out())
    by_name = {(one.baseline, one.figure.rsplit(", ", 1)[1]): one for one in said.comparisons}
    assert by_name["last week's same day", "boosted counts"].beats
    assert by_name["no sale at all", "boosted counts"].beats
    assert all(picture.startswith("<svg") for section in said.sections for picture, _ in section.pictures)


def test_where_there_is_nothing_to_learn_trees_add_little() -> None:
    counts = endless(np.random.default_rng(1).poisson(20, (1, 90)).astype(np.float64))
    model = fit_newest(counts, START, 1, SMALL)
    rows = rows_of(counts, np.array([START + 89]))
    said = forecast(model, counts, rows)
    assert len(rows) == 7 and (np.abs(said.expected - 20) < 6).all()


def test_a_straight_line_goes_on_and_stops_at_nothing() -> None:
    rising, falling = 3.0 * np.arange(20) + 5, 40.0 - 2 * np.arange(20)
    counts = endless(np.stack([rising, falling]))
    rows = Rows(np.array([0, 0, 1, 1]), np.full(4, START + 19), np.array([1, 7, 1, 7]))
    said, slope = linear_trend(counts, rows)
    np.testing.assert_allclose(said, [65, 83, 0, 0], atol=1e-9)
    np.testing.assert_allclose(slope, [3, 3, -2, -2])


def test_a_line_needs_three_days_and_a_sale_that_has_not_opened_has_none() -> None:
    counts = replace(endless(np.array([[0.0, 4, 8], [9, 9, 9]])), first=np.array([START + 1, START + 9]))
    said, slope = linear_trend(counts, Rows(np.array([0, 1]), np.full(2, START + 2), np.array([1, 7])))
    np.testing.assert_allclose(said, [6, 0])
    np.testing.assert_allclose(slope, 0)


def test_nothing_is_forecast_before_the_opening_after_the_end_or_before_it_is_known() -> None:
    counts = sold_out()
    rows = rows_of(counts, counts.days)
    assert len(rows)
    assert (rows.day >= counts.first[rows.series]).all() and (rows.day <= counts.last[rows.series]).all()
    assert (rows.made >= counts.known[rows.series]).all()
    assert set(rows.ahead.tolist()) == set(range(1, 8))


def test_a_series_without_a_calendar_is_forecast_while_it_sells() -> None:
    counts = endless(np.zeros((1, 2 * REACH)))
    counts.counts[0, 10] = 3
    rows = rows_of(counts, counts.days)
    assert set(rows.made.tolist()) == set(range(START + 10, START + 10 + REACH))


def test_last_week_is_the_same_weekday_and_nothing_where_it_was_not_open() -> None:
    counts = replace(endless(np.arange(20.0)[None]), first=np.array([START + 8]))
    rows = Rows(np.zeros(2, np.int64), np.full(2, START + 14), np.array([0, 2]))
    np.testing.assert_array_equal(last_week(counts, rows), [0, 9])
    assert np.isnan(actual(counts, Rows(np.zeros(1, np.int64), np.array([START + 19]), np.array([1])))).all()


def test_the_usual_week_is_known_by_its_weekdays() -> None:
    counts = weekly(30)
    factors = weekday_factors(counts, START + 83)
    np.testing.assert_allclose(factors, np.array([1.0, 0.8, 0.7, 0.9, 1.2, 2.0, 1.6]) / (8.2 / 7), rtol=0.05)
    rows = rows_of(counts, np.array([START + 76]))
    error = np.abs(usual_week(counts, rows, START + 76) - actual(counts, rows))
    assert error.mean() < np.abs(last_week(counts, rows) - actual(counts, rows)).mean()
    np.testing.assert_array_equal(weekday_factors(counts, START + 3), np.ones(7))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 68), st.integers(0, 2**32 - 1))
def test_what_happens_later_changes_no_forecast(made: int, seed: int) -> None:
    counts = sold_out()
    rows = rows_of(counts, np.arange(START, START + made + 1))
    poisoned = counts.counts.copy()
    later = slice(made + 1, None)
    poisoned[:, later] = np.random.default_rng(seed).integers(0, 10_000, poisoned[:, later].shape)
    other = replace(counts, counts=poisoned, taken=poisoned)
    for one, two in zip(features_of(counts, rows), features_of(other, rows), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(linear_trend(counts, rows), linear_trend(other, rows), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(rows_of(other, np.arange(START, START + made + 1)).series, rows.series)


def test_a_series_that_counts_only_later_changes_no_forecast_of_the_others() -> None:
    made = 40
    counts = endless(np.random.default_rng(2).poisson(9, (3, 90)).astype(np.float64))
    counts.counts[2, : made + 1] = 0
    # Nothing was open yet, so that a forecast rests on what all series together count.
    counts = replace(counts, known=np.array([START, UNKNOWN, UNKNOWN]), first=np.array([START + made + 2, UNKNOWN, UNKNOWN]))
    counts.counts[0, : made + 2] = 0
    rows = rows_of(counts, np.array([START + made]))
    two = Counts(
        counts.names[:2],
        START,
        counts.counts[:2],
        counts.taken[:2],
        counts.known[:2],
        counts.first[:2],
        counts.last[:2],
        counts.limit[:2],
        counts.facts[:2],
    )
    assert set(rows.series.tolist()) == {0, 1}
    for with_it, without in zip(features_of(counts, rows), features_of(two, rows), strict=True):
        np.testing.assert_array_equal(with_it, without)


def test_days_before_anything_was_counted_are_not_learned_from() -> None:
    counts = sold_out()
    empty = np.zeros((len(counts.names), 30))
    longer = replace(
        counts,
        start=START - 30,
        counts=np.hstack([empty, counts.counts]),
        taken=np.hstack([empty, counts.taken]),
        known=counts.known - 40,
    )
    first = int(np.flatnonzero(longer.counts.sum(axis=0))[0]) + longer.start
    assert fit_newest(longer, START - 30, 1, SMALL).dump() == fit_newest(longer, first, 1, SMALL).dump()


def test_several_days_at_once_are_forecast_as_day_by_day_from_what_they_reach() -> None:
    counts = sold_out(days=90)
    model = fit_newest(counts, START, 1, SMALL)
    days = np.arange(START + 80, START + 90)
    together = rows_of(counts, days)
    whole = forecast(model, counts, together)
    for day in days.tolist():
        begin = day - REACH - START
        reached = replace(
            counts,
            start=START + begin,
            counts=counts.counts[:, begin : day + 1 - START],
            taken=counts.taken[:, begin : day + 1 - START],
        )
        said = forecast(model, reached, rows_of(reached, np.array([day])))
        member = together.made == day
        for name in ("expected", "low", "high", "linear", "slope"):
            np.testing.assert_array_equal(getattr(whole, name)[member], getattr(said, name))


def test_files_give_the_same_forecasts_and_equal_data_gives_equal_files() -> None:
    counts = sold_out()
    model = fit_newest(counts, START, 5, SMALL)
    files = model.dump()
    assert files == fit_newest(sold_out(), START, 5, SMALL).dump()
    rows = rows_of(counts, counts.days[-5:])
    one, two = forecast(model, counts, rows), forecast(FittedCounts.load(files), counts, rows)
    for name in ("expected", "low", "high"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.low >= 0).all() and (one.low <= one.expected).all() and (one.expected <= one.high).all()


def test_parts_share_no_day_and_later_ones_are_made_after_what_was_fitted() -> None:
    counts = sold_out()
    parts = split(counts, START)
    assert parts.fitted.day.max() <= parts.calibrated.made.min() < parts.calibrated.day.min()
    assert parts.calibrated.day.max() <= parts.judged.made.min()
    features, level = features_of(counts, parts.judged)
    assert features.shape == (len(parts.judged), len(NAMES) + 1) and np.isfinite(level).all()


@pytest.mark.parametrize("days", [1, 20])
def test_too_little_history_is_refused_in_a_sentence(days: int) -> None:
    with pytest.raises(TooFewExamplesError, match="days with counts"):
        split(endless(np.ones((3, days))), START)


def test_no_day_with_a_sale_is_refused_in_a_sentence() -> None:
    with pytest.raises(TooFewExamplesError, match="days with counts"):
        split(endless(np.zeros((3, 60))), START)
