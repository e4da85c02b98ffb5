"""Both regressions together: fitted on earlier days, calibrated on later ones, kept as files."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, TooFewExamplesError
from ticketintel_pipelines.learning.pricing.linear import LinearRegression, fit_linear
from ticketintel_pipelines.learning.pricing.quantiles import FittedQuantiles, QuantileBoosting
from ticketintel_pipelines.learning.pricing.sales import Sales

LEAST_ROWS = 200
"""In all; fitting, calibration and judgement need a quarter of it each, the tenth of which is what an end of an interval rests
on."""
LEAST_DAYS = 8
PART = 4
"""One day in so many is calibrated on, and as many are judged on."""
MOST_DAYS = 14
_LINEAR = "linear.json"


@dataclass(frozen=True)
class Prices:
    """What is said of n sales, natural logarithms, (n,) each."""

    fair: Floats
    low: Floats
    high: Floats
    linear: Floats


@dataclass(frozen=True)
class FairPrice:
    """A linear regression and quantiles, both of the distance of a price from its level."""

    linear: LinearRegression
    quantiles: FittedQuantiles

    def predict(self, features: Floats, level: Floats) -> Prices:
        """Prices of features (n, m) at levels (n,)."""
        low, fair, high = (self.quantiles.predict(features) + level[:, None]).T
        return Prices(fair, low, high, self.linear.predict(features) + level)

    def dump(self) -> dict[str, bytes]:
        """Files by name: JSON and LightGBM's text."""
        return {_LINEAR: self.linear.dump(), **self.quantiles.dump()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FairPrice":
        """The model of a dump."""
        return cls(LinearRegression.load(files[_LINEAR]), FittedQuantiles.load(files))


@dataclass(frozen=True)
class Parts:
    """Sales of earlier days, of the days after them, and of the last ones."""

    fitted: Sales
    calibrated: Sales
    judged: Sales


def split(sales: Sales) -> Parts:
    """Three parts by time; a day is in one part only.

    Raises:
        TooFewExamplesError: a part would hold too little to fit on, to calibrate on or to judge by.
    """
    days = np.unique(sales.day)
    if len(days) < LEAST_DAYS or len(sales) < LEAST_ROWS:
        raise TooFewExamplesError(
            f"{len(sales)} priced sales on {len(days)} days; at least {LEAST_ROWS} on {LEAST_DAYS} are needed to learn prices"
        )
    held = min(MOST_DAYS, len(days) // PART)
    from_judged, from_calibrated = days[-held], days[-2 * held]
    parts = Parts(
        sales.take(sales.day < from_calibrated),
        sales.take((sales.day >= from_calibrated) & (sales.day < from_judged)),
        sales.take(sales.day >= from_judged),
    )
    least = LEAST_ROWS // PART
    if min(len(parts.fitted), len(parts.calibrated), len(parts.judged)) < least:
        raise TooFewExamplesError(
            f"{len(parts.fitted)}, {len(parts.calibrated)} and {len(parts.judged)} priced sales to fit on, to calibrate on and "
            f"to judge by; each part needs {least}"
        )
    return parts


def fit(fitted: Sales, calibrated: Sales, seed: int, boosting: QuantileBoosting | None = None) -> FairPrice:
    """Fit on some sales and set the ends of the interval by later ones.

    The straight line, which has no interval, is fitted on both.
    """
    quantiles = (boosting or QuantileBoosting()).fit(fitted.features, fitted.apart, seed)
    features = np.concatenate([fitted.features, calibrated.features])
    linear = fit_linear(features, np.concatenate([fitted.apart, calibrated.apart]))
    return FairPrice(linear, quantiles.calibrated(calibrated.features, calibrated.apart))


def fit_newest(sales: Sales, seed: int, boosting: QuantileBoosting | None = None) -> FairPrice:
    """The model that is kept: as the judged one was made, with the days it was judged on for calibration."""
    days = np.unique(sales.day)
    later = sales.day >= days[-min(MOST_DAYS, len(days) // PART)]
    return fit(sales.take(~later), sales.take(later), seed, boosting)
