"""Prices: regressions find what was planted, quantiles never cross, and intervals hold as much of later days as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ticketintel_pipelines.learning.conformal import conformal_quantile, coverage_words, share_measured
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.pricing.judging import assess
from ticketintel_pipelines.learning.pricing.linear import LinearRegression, fit_linear
from ticketintel_pipelines.learning.pricing.model import FairPrice, fit, fit_newest, split
from ticketintel_pipelines.learning.pricing.quantiles import QuantileBoosting, widened
from ticketintel_pipelines.learning.pricing.sales import Sales

SMALL = QuantileBoosting(trees=60)
NUMBERS = st.floats(-50, 50)


def market(rows: int = 4_000, days: int = 40, seed: int = 1) -> Sales:
    """Prices that depend on two features, more loosely where the first is large; a third says nothing; some are unknown."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 3))
    spread = 0.1 + 0.2 * (features[:, 0] > 0)
    level = random.normal(1.0, 0.5, rows)
    price = level + 0.3 * features[:, 0] - 0.2 * features[:, 1] + spread * random.normal(size=rows)
    features[random.random(rows) < 0.1, 2] = np.nan
    names = ("first", "second", "noise")
    day = np.sort(random.integers(0, days, rows))
    group = random.integers(0, 30, rows)
    slices = {"side": np.where(features[:, 0] > 0, "loose", "tight").astype(object)}
    return Sales(names, features, price, level, level, day, group, slices)


@given(arrays(np.float64, (7, 3), elements=NUMBERS), NUMBERS, NUMBERS)
def test_quantiles_never_cross_whatever_the_margins(quantiles: np.ndarray, below: float, above: float) -> None:
    low, middle, high = widened(np.sort(quantiles, axis=1), (below, above)).T
    assert (low <= middle).all() and (middle <= high).all()


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_a_conformal_quantile_is_not_exceeded_by_its_share_of_the_scores(scores: list[float], level: float) -> None:
    found = conformal_quantile(np.array(scores), level)
    enough = int(np.ceil(round(level * (len(scores) + 1), 9)))
    assert found in scores
    assert sum(one <= found for one in scores) >= min(enough, len(scores))


def test_nine_scores_give_the_largest_as_their_ninetieth_percentile() -> None:
    assert conformal_quantile(np.arange(9.0), 0.9) == 8
    assert conformal_quantile(np.arange(19.0), 0.9) == 17
    with pytest.raises(ValueError, match="no scores"):
        conformal_quantile(np.empty(0), 0.9)


def test_words_say_when_an_interval_is_too_narrow() -> None:
    assert coverage_words(Measured(0.7, 0.65, 0.75), 0.8).endswith("it is too narrow.")
    assert coverage_words(Measured(0.9, 0.85, 0.95), 0.8).endswith("it is wider than it need be.")
    assert coverage_words(Measured(0.79, 0.75, 0.85), 0.8).endswith("asked for.")


def test_intervals_hold_four_prices_in_five_of_later_days_on_either_side() -> None:
    parts = split(market(8_000))
    said = fit(parts.fitted, parts.calibrated, 1).predict(parts.judged.features, parts.judged.level)
    inside = (parts.judged.price >= said.low) & (parts.judged.price <= said.high)
    covered = share_measured(inside, parts.judged.day)
    # What is calibrated on is a sample, too.
    assert covered.value == pytest.approx(0.8, abs=0.04)
    assert covered.low < covered.value < covered.high
    loose = parts.judged.slices["side"] == "loose"
    assert np.median((said.high - said.low)[loose]) > 1.8 * np.median((said.high - said.low)[~loose])
    assert 0.7 < inside[loose].mean() < 0.9 and 0.7 < inside[~loose].mean() < 0.9


def test_calibration_mends_intervals_that_are_far_too_narrow() -> None:
    parts = split(market())
    sharp = Sales(**{**vars(parts.fitted), "price": parts.fitted.level + 0.3 * parts.fitted.features[:, 0]})
    model = fit(sharp, parts.calibrated, 1)
    raw = model.quantiles.raw(parts.judged.features) + parts.judged.level[:, None]
    said = model.predict(parts.judged.features, parts.judged.level)
    before = ((parts.judged.price >= raw[:, 0]) & (parts.judged.price <= raw[:, 2])).mean()
    after = ((parts.judged.price >= said.low) & (parts.judged.price <= said.high)).mean()
    assert before < 0.5 and 0.74 < after < 0.86


def test_least_squares_finds_the_weights_and_leaves_noise_out() -> None:
    sales = market()
    line = fit_linear(sales.features, sales.apart)
    found = line.weights[:3] / line.scale[:3]
    np.testing.assert_allclose(found, [0.3, -0.2, 0.0], atol=0.02)


def test_a_line_does_not_run_off_where_features_leave_what_was_seen() -> None:
    random = np.random.default_rng(2)
    features = random.normal(size=(500, 1))
    line = fit_linear(features, 2 * features[:, 0])
    far, edge = line.predict(np.array([[1e6], [np.quantile(features, 0.99)]]))
    assert far == pytest.approx(edge)


def test_one_sale_for_a_wei_does_not_bend_the_line() -> None:
    sales = market(600)
    targets = sales.apart.copy()
    targets[0] = -44.0
    np.testing.assert_allclose(
        fit_linear(sales.features, targets).predict(sales.features),
        fit_linear(sales.features, sales.apart).predict(sales.features),
        atol=0.05,
    )


def test_features_that_nobody_knows_or_that_never_vary_carry_no_weight() -> None:
    features = np.column_stack([np.full(100, np.nan), np.ones(100), np.arange(100.0)])
    line = fit_linear(features, np.arange(100.0))
    assert (line.weights[[0, 1, 3, 4, 5]] == 0).all()
    assert np.isfinite(line.predict(np.full((2, 3), np.nan))).all()


def test_files_give_the_same_prices_and_equal_data_gives_equal_files() -> None:
    sales = market(800)
    model = fit_newest(sales, 3, SMALL)
    files = model.dump()
    assert files == fit_newest(market(800), 3, SMALL).dump()
    one, two = model.predict(sales.features, sales.level), FairPrice.load(files).predict(sales.features, sales.level)
    for name in ("fair", "low", "high", "linear"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert LinearRegression.load(model.linear.dump()).dump() == model.linear.dump()


def test_an_empty_night_is_priced_as_nothing() -> None:
    model = fit_newest(market(800), 3, SMALL)
    assert len(model.predict(np.empty((0, 3)), np.empty(0)).fair) == 0


def test_parts_follow_each_other_and_share_no_day() -> None:
    parts = split(market())
    assert parts.fitted.day.max() < parts.calibrated.day.min()
    assert parts.calibrated.day.max() < parts.judged.day.min()


@pytest.mark.parametrize(("rows", "days"), [(150, 40), (4_000, 7)])
def test_too_little_history_is_refused_in_a_sentence(rows: int, days: int) -> None:
    with pytest.raises(TooFewExamplesError, match="priced sales on"):
        split(market(rows, days))


def test_the_report_compares_both_regressions_with_the_naive_price() -> None:
    parts = split(market())
    said = assess(fit(parts.fitted, parts.calibrated, 1, SMALL), parts, "usual price", "level", "ETH")
    boosted, linear, between, *_ = said.comparisons
    assert boosted.beats and linear.beats
    assert boosted.baseline == linear.baseline == "usual price" and between.baseline == "linear regression"
    # What was planted is a straight line, which a line finds with fewer rows.
    assert between.loses
    assert "The linear regression is the better of the two." in said.words
    assert {"loose", "tight"} <= {row[1] for section in said.sections for grid in section.grids for row in grid.rows}
    assert all(picture.startswith("<svg") for section in said.sections for picture, _ in section.pictures)
