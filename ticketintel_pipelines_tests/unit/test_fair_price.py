"""Fair prices of resales: known before the sale, the same whichever way days are scored, with or without events."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.conformal import share_measured
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.pricing.model import fit, split
from ticketintel_pipelines.learning.pricing.sales import Sales
from ticketintel_pipelines.ticketing.models.fair_price import FAIR_PRICE
from ticketintel_pipelines.ticketing.models.fair_price_method import priced
from ticketintel_pipelines_tests.shared_data import shared_data
from ticketintel_pipelines_tests.small_market import RATE, instant, seen, small_market, without_events

LAST = 43


@pytest.fixture(scope="module")
def market() -> dict[str, pa.Table]:
    return small_market()


@pytest.fixture(scope="module")
def learnt(market: dict[str, pa.Table]) -> Learnt:
    return FAIR_PRICE.learn(seen(market, 0, LAST, FAIR_PRICE.reach_days), 1)


def scored(learnt: Learnt, tables: Mapping[str, pa.Table], first: int, last: int) -> pa.Table:
    return FAIR_PRICE.score(learnt.files, seen(tables, first, last, FAIR_PRICE.reach_days))


def test_prices_lie_within_their_bounds_and_only_resales_have_one(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    rows = scored(learnt, market, 30, LAST).to_pandas()
    sales = market["transactions"].to_pandas().set_index("transaction_id")
    assert len(rows) > 30 and (sales.loc[rows.transaction_id].kind == "resale").all()
    assert (rows.low_eth <= rows.fair_price_eth).all() and (rows.fair_price_eth <= rows.high_eth).all()
    np.testing.assert_allclose(rows.deviation_ratio, rows.price_eth / rows.fair_price_eth)
    np.testing.assert_array_equal(rows.is_outside, (rows.price_eth < rows.low_eth) | (rows.price_eth > rows.high_eth))


def test_rows_have_the_columns_and_types_of_the_table(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    window = seen(market, 30, LAST, FAIR_PRICE.reach_days)
    window.engine.register("rows", FAIR_PRICE.score(learnt.files, window))
    types = {name: kind for name, kind, *_ in window.engine.execute("DESCRIBE rows").fetchall()}
    types = {name: kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for name, kind in types.items()}
    asked = {column.name: column.type.duckdb for column in FAIR_PRICE.table.columns}
    assert types == {name: kind for name, kind in asked.items() if name not in ("scored_at", "model_version")}


def test_the_model_beats_the_events_median_price(learnt: Learnt) -> None:
    boosted, linear, *_ = learnt.assessment.comparisons
    assert boosted.baseline == FAIR_PRICE.baseline
    assert boosted.beats and linear.beats


def test_files_are_equal_for_equal_data(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    assert FAIR_PRICE.learn(seen(market, 0, LAST, FAIR_PRICE.reach_days), 1).files == learnt.files


def test_several_days_at_once_are_priced_as_day_by_day(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    whole = scored(learnt, market, 34, LAST)
    single = pa.concat_tables([scored(learnt, market, day, day) for day in range(34, LAST + 1)])
    assert whole.num_rows and whole.equals(single)


@pytest.mark.parametrize("has_events", [True, False])
def test_what_is_known_of_a_sale_does_not_depend_on_the_other_days_scored(has_events: bool) -> None:
    # Tokens of the collection are sold again after 29 days: what their last sale is compared with lies at the edge of what
    # is reached.
    tables = small_market(days=118, events=29)
    tables = tables if has_events else without_events(tables)
    _, together = priced(seen(tables, 80, 92, FAIR_PRICE.reach_days))
    apart = [priced(seen(tables, day, day, FAIR_PRICE.reach_days))[1] for day in range(80, 93)]
    assert len(together) > 20
    for name in ("features", "level", "usual"):
        np.testing.assert_array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in apart]))


def test_what_is_paid_from_an_instant_on_changes_no_price_up_to_it(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    # The instant of several resales: they do not see each other either.
    sales = market["transactions"]
    shared = pc.value_counts(sales.filter(pc.equal(sales["kind"], "resale"))["occurred_at"]).to_pylist()
    at = max((one for one in shared if one["values"] > instant(30)), key=lambda one: one["counts"])["values"]
    later = pc.greater_equal(sales["occurred_at"], pa.scalar(at, sales["occurred_at"].type))
    poison = pa.array([str(10**21)] * len(sales))
    poisoned = sales.set_column(
        sales.column_names.index("price_wei"), "price_wei", pc.if_else(later, poison, sales["price_wei"])
    )
    found = [scored(learnt, {**market, "transactions": one}, 25, LAST).to_pandas() for one in (sales, poisoned)]
    before, after = (rows[rows.occurred_at <= at] for rows in found)
    assert (after.occurred_at == at).sum() >= 1
    for name in ("transaction_id", "fair_price_eth", "low_eth", "high_eth", "linear_price_eth", "earlier_price_eth"):
        np.testing.assert_array_equal(before[name], after[name])


def test_face_value_stands_in_before_the_first_sale_of_an_event(market: dict[str, pa.Table]) -> None:
    sales = market["transactions"]
    first = sales.filter(pc.equal(sales["event_id"], "e003")).slice(1)
    alone = sales.filter(pc.not_equal(sales["event_id"], "e003"))
    resold = first.filter(pc.equal(first["kind"], "resale")).slice(0, 1)
    day = (resold["occurred_at"][0].as_py() - instant(0)).days
    rows, view = priced(seen({**market, "transactions": pa.concat_tables([alone, resold])}, day, day, FAIR_PRICE.reach_days))
    place = rows["transaction_id"].to_pylist().index(resold["transaction_id"][0].as_py())
    face = market["events"]["face_value_usd"][3].as_py()
    assert np.exp(view.usual[place]) == pytest.approx(face / RATE, rel=1e-3)


def test_a_market_without_events_is_priced_from_its_own_sales(market: dict[str, pa.Table]) -> None:
    tables = without_events(market)
    learnt = FAIR_PRICE.learn(seen(tables, 0, LAST, FAIR_PRICE.reach_days), 1)
    rows = scored(learnt, tables, 30, LAST)
    assert rows.num_rows == pc.sum(pc.greater_equal(tables["transactions"]["occurred_at"], instant(30))).as_py()
    assert rows["event_id"].null_count == rows.num_rows


def test_the_first_sale_of_all_is_not_priced(market: dict[str, pa.Table]) -> None:
    tables = without_events(market)
    rows, _ = priced(seen(tables, 0, 5, FAIR_PRICE.reach_days))
    earliest = pc.min(tables["transactions"]["occurred_at"])
    assert rows.num_rows and not pc.any(pc.equal(rows["occurred_at"], earliest)).as_py()


def test_too_few_resales_are_refused(market: dict[str, pa.Table]) -> None:
    few = {**market, "transactions": market["transactions"].slice(0, 60)}
    with pytest.raises(TooFewExamplesError, match="priced sales"):
        FAIR_PRICE.learn(seen(few, 0, LAST, FAIR_PRICE.reach_days), 1)


def nba() -> Sales:
    """Asks for basketball tickets by game and part of the hall: the first ask is the level, the last one the price."""
    folder = shared_data("tickets_stubhub_nba")
    rows = pq.read_table(folder / "games_with_features.parquet").to_pandas().sort_values(["Date", "event_id"])
    names = ("days_out", "StarScore", "Overall_PCT", "Home_PCT", "Away_PCT", "Past_Overall_PCT", "National_TV")
    tiers = np.column_stack([rows.section_lmh == tier for tier in ("Low", "Med", "Hig")])
    opening, day = np.log(rows.opening_price.to_numpy()), rows.Date.to_numpy().astype("datetime64[D]").astype(np.int64)
    features = np.column_stack([rows[list(names)].to_numpy(np.float64), tiers, opening])
    return Sales(
        (*names, "low", "middle", "high", "opening"),
        features,
        np.log(rows.closing_price.to_numpy()),
        opening,
        opening,
        day,
        rows.event_id.to_numpy(),
    )


def test_real_asks_for_basketball_tickets_stay_within_bounds_learned_from_earlier_games() -> None:
    parts = split(nba())
    said = fit(parts.fitted, parts.calibrated, 1).predict(parts.judged.features, parts.judged.level)
    covered = share_measured((parts.judged.price >= said.low) & (parts.judged.price <= said.high), parts.judged.day)
    assert covered.low <= 0.8 <= covered.high
    # What asks do between the first and the last sight: from a third to three times, nearly always.
    change = np.exp(parts.judged.price - parts.judged.level)
    assert np.mean((change > 1 / 3) & (change < 3)) > 0.95
    width = np.median(said.high - said.low)
    assert np.log(1.2) < width < np.log(5)
