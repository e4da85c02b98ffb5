"""Learning of forecasts: which days are learned from, calibrated on and judged on, and how both models forecast."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, TooFewExamplesError
from ticketintel_pipelines.learning.forecasting.boosted import CountBoosting, FittedCounts
from ticketintel_pipelines.learning.forecasting.features import features_of
from ticketintel_pipelines.learning.forecasting.series import HORIZONS, Counts, Rows, actual, rows_of
from ticketintel_pipelines.learning.forecasting.trend import linear_trend

LEAST_DAYS = 28
"""Of which a quarter is judged and a quarter calibrated on: seven days give each series one forecast seven days ahead."""
LEAST_ROWS = 100
PART = 4
MOST_DAYS = 21


@dataclass(frozen=True)
class Forecasts:
    """What is said of n rows, (n,) each."""

    expected: Floats
    low: Floats
    high: Floats
    linear: Floats
    slope: Floats


@dataclass(frozen=True)
class Parts:
    """Rows to fit on, to calibrate on and to judge by: no day that is forecast is in two of them, and every forecast of a
    later part was made after the days forecast in the earlier ones."""

    fitted: Rows
    calibrated: Rows
    judged: Rows
    fitted_until: int


def forecast(model: FittedCounts, counts: Counts, rows: Rows) -> Forecasts:
    """Forecast rows with both models."""
    features, level = features_of(counts, rows)
    expected = model.predict(features, level)
    low, high = model.bounds(expected, rows.ahead)
    linear, slope = linear_trend(counts, rows)
    return Forecasts(expected, low, high, linear, slope)


def split(counts: Counts, first: int) -> Parts:
    """Rows of forecasts made from the day `first` on of days that have been counted, in three parts by time.

    Raises:
        TooFewExamplesError: the history is too short, or a part holds too little.
    """
    begin, end = _counted(counts, first)
    days = end - begin + 1
    if days < LEAST_DAYS:
        raise TooFewExamplesError(
            f"{days} days with counts; at least {LEAST_DAYS} are needed to learn a forecast of seven days"
        )
    held = min(MOST_DAYS, days // PART)
    rows = rows_of(counts, np.arange(begin, end))
    rows = rows.take(rows.day <= end)
    from_judged, from_calibrated = end - held, end - 2 * held
    parts = Parts(
        rows.take(rows.day <= from_calibrated),
        rows.take((rows.made >= from_calibrated) & (rows.day <= from_judged)),
        rows.take(rows.made >= from_judged),
        from_calibrated,
    )
    least = min(len(parts.fitted), len(parts.calibrated), len(parts.judged))
    if len(parts.fitted) < LEAST_ROWS or least < HORIZONS:
        raise TooFewExamplesError(
            f"{len(parts.fitted)}, {len(parts.calibrated)} and {len(parts.judged)} forecasts to fit on, to calibrate on and to "
            f"judge by; at least {LEAST_ROWS}, {HORIZONS} and {HORIZONS} are needed"
        )
    return parts


def fit(counts: Counts, fitted: Rows, calibrated: Rows, seed: int, boosting: CountBoosting | None = None) -> FittedCounts:
    """Fit on some rows and set the intervals by later ones."""
    features, level = features_of(counts, fitted)
    model = (boosting or CountBoosting()).fit(features, level, actual(counts, fitted), seed)
    features, level = features_of(counts, calibrated)
    return model.calibrated(features, level, calibrated.ahead, actual(counts, calibrated))


def fit_newest(counts: Counts, first: int, seed: int, boosting: CountBoosting | None = None) -> FittedCounts:
    """The model that is kept: as the judged one was made, with the newest days for calibration."""
    return fit(counts, *newest(counts, first), seed, boosting)


def newest(counts: Counts, first: int) -> tuple[Rows, Rows]:
    """What the model that is kept is fitted on and calibrated on: the parts of `split` without any to judge by."""
    begin, end = _counted(counts, first)
    rows = rows_of(counts, np.arange(begin, end))
    rows = rows.take(rows.day <= end)
    until = end - min(MOST_DAYS, (end - begin + 1) // PART)
    return rows.take(rows.day <= until), rows.take(rows.made >= until)


def _counted(counts: Counts, first: int) -> tuple[int, int]:
    """The first day from `first` on by which anything had been counted, and the last day."""
    end = counts.start + counts.counts.shape[1] - 1
    some = np.flatnonzero(counts.counts.sum(axis=0) > 0)
    return max(first, counts.start + int(some[0])) if len(some) else end, end
