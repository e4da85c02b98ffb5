"""How good prices are: against the naive price, between regressions, and whether intervals cover what they say."""

from collections.abc import Mapping, Sequence

import numpy as np

from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Groups, compare_means
from ticketintel_pipelines.learning.conformal import coverage_words, share_measured
from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.pricing.model import FairPrice, Parts, Prices
from ticketintel_pipelines.learning.pricing.pictures import calibration, price_pairs, residuals
from ticketintel_pipelines.learning.pricing.quantiles import COVERAGE, LEVELS, pinball
from ticketintel_pipelines.learning.pricing.sales import Sales
from ticketintel_pipelines.learning.report_layout import Grid, Section

ERROR = "mean absolute error of the logarithm of the price"
LEAST_GROUPS = 10
"""With fewer, days are drawn instead: two markets say nothing about a third."""
LEAST_SLICE = 20
MOST_NAMES = 15
CLOSE = (1.1, 1.25)


def assess(model: FairPrice, parts: Parts, usual_words: str, level_words: str, unit: str) -> Assessment:
    """Judge a model, fitted on the first of the parts and calibrated on the second, on the last of them.

    `usual_words` name the naive price, `level_words` the level that distances are counted from.
    """
    judged = parts.judged
    said = model.predict(judged.features, judged.level)
    groups, groups_words = _groups(judged)
    of = f"{len(judged)} sales of the last {len(np.unique(judged.day))} days, drawn by {groups_words}"
    errors = {
        "boosted median": np.abs(judged.price - said.fair),
        "linear regression": np.abs(judged.price - said.linear),
        usual_words: np.abs(judged.price - judged.usual),
        level_words: np.abs(judged.price - judged.level),
    }

    def against(name: str, other: str) -> Comparison:
        title = f"{ERROR}, {name}"
        return compare_means(title, other, of, errors[name], errors[other], groups, higher_is_better=False)

    comparisons = (
        against("boosted median", usual_words),
        against("linear regression", usual_words),
        against("boosted median", "linear regression"),
        against("boosted median", level_words),
        against("linear regression", level_words),
    )
    inside = (judged.price >= said.low) & (judged.price <= said.high)
    covered = share_measured(inside, judged.day)
    figures = {"mae_log_price": comparisons[0].model, "mae_log_price_linear": comparisons[1].model, "coverage": covered}
    sections = (
        _errors(errors),
        _coverage(model, parts, said, covered),
        _pictures(judged, said, model, usual_words, unit),
        _weights(model, judged.names),
    )
    words = (
        f"Fitted on {len(parts.fitted)} sales, the interval set on {len(parts.calibrated)} sales of the days after, "
        f"judged on {len(judged)} sales of the days after those. The version that is kept was made in the same way with all "
        "days: its interval is set on the newest ones. " + f"{_verdict(comparisons)} {coverage_words(covered, COVERAGE)}"
    )
    return Assessment(words, comparisons, figures, sections)


def _verdict(comparisons: Sequence[Comparison]) -> str:
    said = []
    for name, one in zip(("The boosted median", "The linear regression"), comparisons[:2], strict=True):
        said.append(f"{name} {one.verb} {one.baseline}.")
    between = comparisons[2]
    said.append(
        "The boosted median is the better of the two."
        if between.beats
        else ("The linear regression is the better of the two." if between.loses else "The two cannot be told apart.")
    )
    return " ".join(said)


def _groups(judged: Sales) -> tuple[Groups, str]:
    if len(np.unique(judged.group)) >= LEAST_GROUPS:
        return judged.group, "market"
    return judged.day, "day"


def _errors(errors: Mapping[str, Floats]) -> Section:
    rows = [
        [
            name,
            f"{one.mean():.3f}",
            f"{np.median(one):.3f}",
            f"{np.sqrt((one**2).mean()):.3f}",
            *(f"{(one <= np.log(factor)).mean():.1%}" for factor in CLOSE),
        ]
        for name, one in errors.items()
    ]
    header = ["Price", "Mean error", "Median error", "Root mean square", *(f"Within a factor of {one:g}" for one in CLOSE)]
    words = "Errors are distances between natural logarithms of prices: 0.1 is about 10 %."
    return Section("How far off prices are", (words,), (Grid(header, rows),))


def _coverage(model: FairPrice, parts: Parts, said: Prices, covered: Measured) -> Section:
    judged = parts.judged
    inside = (judged.price >= said.low) & (judged.price <= said.high)
    width = np.exp(said.high - said.low)
    raw = model.quantiles.raw(judged.features) + judged.level[:, None]
    before = share_measured((judged.price >= raw[:, 0]) & (judged.price <= raw[:, -1]), judged.day)
    rows = [_covered("all", "", covered, width), _covered("before calibration", "", before, np.exp(raw[:, -1] - raw[:, 0]))]
    for title, values in judged.slices.items():
        for value in sorted(set(values.tolist())):
            member = values == value
            if member.sum() >= LEAST_SLICE:
                rows.append(_covered(title, str(value), share_measured(inside[member], judged.day[member]), width[member]))
    words = (
        f"The interval should hold {COVERAGE:.0%} of prices. Its ends were moved outwards by "
        f"{model.quantiles.margins[0]:+.3f} and {model.quantiles.margins[1]:+.3f} (logarithms) after sales of later days than "
        f"were learned from. Intervals of shares are drawn by day. Slices under {LEAST_SLICE} sales are left out."
    )
    losses = [
        [f"{level:.0%}", f"{(judged.price <= quantile).mean():.1%}", f"{pinball(judged.price, quantile, level).mean():.4f}"]
        for level, quantile in zip(LEVELS, (said.low, said.fair, said.high), strict=True)
    ]
    header = ["Slice", "Value", "Sales", "Inside", "95 % interval", "Median width, high over low"]
    grids = (Grid(header, rows), Grid(["Quantile", "Prices below it", "Pinball loss"], losses))
    picture = (calibration(judged.price, raw, np.column_stack([said.low, said.fair, said.high])), "Prices below each quantile.")
    return Section("Coverage of the interval", (words,), grids, (picture,))


def _covered(title: str, value: str, share: Measured, width: Floats) -> list[str]:
    spread = "" if np.isnan(share.low) else f"{share.low:.1%} to {share.high:.1%}"
    return [title, value, str(len(width)), f"{share.value:.1%}", spread, f"{np.median(width):.2f}"]


def _pictures(judged: Sales, said: Prices, model: FairPrice, usual_words: str, unit: str) -> Section:
    pictures = [
        (residuals(judged.price - said.fair, judged.price - judged.usual, usual_words), "Prices against what was said."),
        (price_pairs(judged.price, said.fair, unit), "What was paid against the fair price, each sale a dot."),
    ]
    order = np.argsort(-model.quantiles.importances(), kind="stable")[:MOST_NAMES]
    rows = [[judged.names[one], f"{model.quantiles.importances()[one]:.1%}"] for one in order]
    return Section("Prices and what they rest on", (), (Grid(["Feature", "Share of the gain"], rows),), pictures)


def _weights(model: FairPrice, names: Sequence[str]) -> Section:
    labels = [*names, *(f"{name} unknown" for name in names)]
    order = np.argsort(-np.abs(model.linear.weights), kind="stable")[:MOST_NAMES]
    rows = [[labels[one], f"{model.linear.weights[one]:+.3f}".replace("-", "−")] for one in order]
    words = (
        "Ordinary least squares on the logarithm of price over level. A weight is by how much the logarithm grows with one "
        f"standard deviation of the feature; the constant is {model.linear.constant:+.3f}. Features that say nearly the same "
        "share a weight between them in no particular way."
    )
    return Section("The linear regression", (words,), (Grid(["Feature", "Weight"], rows),))
