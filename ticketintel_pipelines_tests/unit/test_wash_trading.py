"""The search for wash trades on tables: learned from days, scored day by day, with and without movements of value."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.examples import DAY, TooFewExamplesError
from ticketintel_pipelines.learning.rings.paths import CUSTODY, NOBODY
from ticketintel_pipelines.learning.rings.settings import Settings
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.stages.validate import VALIDATE_STAGE
from ticketintel_pipelines.stages.window import open_window
from ticketintel_pipelines.ticketing.models.wash_trading import WASH_TRADING
from ticketintel_pipelines.ticketing.models.wash_trading_method import learn, score
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS, VALUE_TRANSFERS
from ticketintel_pipelines.ticketing.tables.wash_trading import DEFINITIONS, WASH_TRADES
from ticketintel_pipelines_tests.ring_world import DAYS, RingWorld, ring_world

START = date(2026, 1, 1)
FIRST_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
LAST = START + timedelta(days=DAYS - 1)
LEARNED = DayRange(START + timedelta(days=60), LAST)
ESCROW = "0x" + "e5" * 20
ZERO = "0x" + "0" * 40
CONTRACT = "0x" + "c0" * 20


def address(wallet: int) -> str | None:
    if wallet == CUSTODY:
        return ESCROW
    return None if wallet == NOBODY else f"0x{wallet + 1:040x}"


def transaction_rows(world: RingWorld) -> pa.Table:
    """The ledger of a world of rings, all in one block a time; what is minted comes from nobody or from the zero address."""
    moved = world.transfers
    rows = len(moved)
    givers = [address(one) for one in moved.giver.tolist()]
    givers = [ZERO if one is None and row % 2 else one for row, one in enumerate(givers)]
    columns: dict[str, pa.Array] = {
        "transaction_id": pa.array([f"0x{row:064x}:0:0" for row in range(rows)]),
        "occurred_at": pa.array(moved.at + FIRST_US, pa.timestamp("us", tz="UTC")),
        "kind": pa.array(["resale" if price > 0 else "gift" for price in moved.price]),
        "contract_address": pa.array([CONTRACT] * rows),
        "token_id": pa.array([str((1 << 130) + token) for token in moved.token.tolist()]),
        "quantity": pa.array(["1"] * rows),
        "seller_address": pa.array(givers, pa.string()),
        "buyer_address": pa.array([address(one) for one in moved.taker.tolist()], pa.string()),
        "buyer_source": pa.array(["recorded"] * rows),
        "price_wei": pa.array([str(int(price * 1e18)) if price > 0 else None for price in moved.price], pa.string()),
        "block_number": pa.array(moved.at // 12_000_000),
        "log_index": pa.array(np.arange(rows)),
        "transaction_hash": pa.array([f"0x{row:064x}" for row in range(rows)]),
    }
    kinds = {"occurred_at": pa.timestamp("us", tz="UTC"), "price_usd": pa.decimal128(18, 2)}
    nothing = {name: pa.nulls(rows, kinds.get(name, pa.string())) for name in TRANSACTIONS.column_names}
    return pa.table({**nothing, **columns}).select(TRANSACTIONS.column_names)


def value_rows(world: RingWorld) -> pa.Table:
    paid = world.money
    rows = len(paid)
    return pa.table(
        {
            "block_number": pa.array(np.arange(rows)),
            "block_timestamp": pa.array(paid.at + FIRST_US, pa.timestamp("us", tz="UTC")),
            "transaction_hash": pa.array([f"0x{row + (1 << 200):064x}" for row in range(rows)]),
            "movement_id": pa.array(["0"] * rows),
            "token_address": pa.nulls(rows, pa.string()),
            "from_address": pa.array([address(one) for one in paid.giver.tolist()]),
            "to_address": pa.array([address(one) for one in paid.taker.tolist()]),
            "value_wei": pa.array(["100"] * rows),
        }
    )


def lay(lake: Lake, name: str, time: str, table: pa.Table) -> None:
    """One part for each day that has rows."""
    day = pc.cast(table[time], pa.int64()).to_numpy() // DAY
    for one in np.unique(day):
        part = lake.part(VALIDATE_STAGE, name, date(1970, 1, 1) + timedelta(days=int(one)))
        part.parent.mkdir(parents=True)
        pq.write_table(table.filter(pa.array(day == one)), part)


class Home:
    """A lake with a world of rings, and its truth beside."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.world = ring_world(12_000, 2_500, 3)
        self.transactions = transaction_rows(self.world)
        for name, value in (("whole", True), ("bare", False)):
            lake = Lake(root / name, "ticketing")
            lay(lake, TRANSACTIONS.name, TRANSACTIONS.time, self.transactions)
            if value:
                lay(lake, VALUE_TRANSFERS.name, VALUE_TRANSFERS.time, value_rows(self.world))
        truth = root / "truth"
        truth.mkdir()
        labels = ["wash_trade" if ring >= 0 else "honest" for ring in self.world.ring.tolist()]
        pq.write_table(
            pa.table({"transaction_id": self.transactions["transaction_id"], "label": labels}), truth / "transactions.parquet"
        )
        self.engine_folder = root / "engine"

    def window(self, engine: object, days: DayRange, name: str = "whole", truth: bool = True) -> Window:
        lake = Lake(self.root / name, "ticketing")
        folder = self.root / "truth" if truth else self.root / "nothing"
        return open_window(engine, lake, TICKETING, WASH_TRADING, days, {}, folder)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def engine(home: Home) -> Iterator[object]:
    with open_engine(home.engine_folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def learnt(home: Home, engine: object) -> Learnt:
    return learn(home.window(engine, LEARNED), 1)


def test_it_beats_both_published_definitions_where_the_truth_is_known(learnt: Learnt) -> None:
    first, second = learnt.assessment.comparisons
    assert first.baseline == WASH_TRADING.baseline
    assert first.beats
    assert second.beats
    assert learnt.assessment.figures == {"f1": first.model}
    assert "Against the truth" in [section.title for section in learnt.assessment.sections]


def test_hubs_and_the_escrow_are_read_off_the_data_and_equal_data_give_equal_files(
    home: Home, engine: object, learnt: Learnt
) -> None:
    kept = json.loads(learnt.files["wash_trading.json"])
    assert kept["custodians"] == [ESCROW]
    # The first of them is so small that it funds no more than a service does.
    assert {address(int(one)) for one in home.world.hubs[1:]} <= set(kept["hubs"])
    again = learn(home.window(engine, LEARNED), 2)
    assert again.files == learnt.files


def test_without_a_truth_nothing_is_compared_and_prevalence_is_given(home: Home, engine: object) -> None:
    learnt = learn(home.window(engine, LEARNED, truth=False), 1)
    assert learnt.assessment.comparisons == ()
    assert "Nobody has said" in learnt.assessment.words
    titles = [section.title for section in learnt.assessment.sections]
    assert titles == ["Prevalence by definition", "Overlap of the definitions", "How the verdict is made"]


def test_without_movements_of_value_common_funders_and_exits_are_not_known(home: Home, engine: object) -> None:
    learnt = learn(home.window(engine, LEARNED, "bare"), 1)
    prevalence = next(section for section in learnt.assessment.sections if section.title.startswith("Prevalence"))
    unknown = {row[0] for row in prevalence.grids[0].rows if "not known" in row}
    assert unknown == {"common funder", "common exit"}
    rows = score(learnt.files, home.window(engine, DayRange(LAST - timedelta(days=3), LAST), "bare"))
    assert rows.num_rows > 0
    assert not set(rows["definition"].to_pylist()) & {"common_funder", "common_exit"}


def test_days_scored_at_once_are_days_scored_one_by_one(home: Home, engine: object, learnt: Learnt) -> None:
    days = DayRange(LAST - timedelta(days=24), LAST - timedelta(days=20))
    at_once = score(learnt.files, home.window(engine, days))
    one_by_one = pa.concat_tables(score(learnt.files, home.window(engine, DayRange(day, day))) for day in days.days)
    assert at_once.num_rows > 20
    assert at_once.equals(one_by_one)


def test_every_flag_is_declared_dated_and_proved(home: Home, engine: object, learnt: Learnt) -> None:
    days = DayRange(LAST - timedelta(days=59), LAST)
    rows = score(learnt.files, home.window(engine, days))
    wanted = [name for name in WASH_TRADES.column_names if name not in ("scored_at", "model_version")]
    assert rows.column_names == wanted
    engine.register("scored", rows)  # type: ignore[attr-defined]
    types = engine.execute("SELECT column_name, column_type FROM (DESCRIBE scored)").fetchall()  # type: ignore[attr-defined]
    kinds = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    assert {name: kinds.get(kind, kind) for name, kind in types} == {
        name: kind for name, kind in WASH_TRADES.duckdb_types.items() if name in wanted
    }
    assert len(set(rows["flag_id"].to_pylist())) == rows.num_rows
    times = dict(
        zip(home.transactions["transaction_id"].to_pylist(), home.transactions["occurred_at"].to_pylist(), strict=True)
    )
    tokens = dict(zip(home.transactions["transaction_id"].to_pylist(), home.transactions["token_id"].to_pylist(), strict=True))
    seen = set()
    for row in rows.to_pylist():
        seen.add(row["definition"])
        proof = json.loads(row["transaction_ids"])
        last = max(times[one] for one in proof)
        assert row["occurred_at"].date() in days
        assert last <= row["occurred_at"]
        assert (last == row["occurred_at"]) or row["value_transfer_ids"] is not None
        assert (proof[0], proof[-1], len(proof)) == (row["first_transaction_id"], row["last_transaction_id"], row["hops"])
        assert {tokens[one] for one in proof} == {row["token_id"]} or row["token_id"] is None
        assert not {ESCROW, ZERO} & set(json.loads(row["wallets"]))
        assert row["is_wash"] == (row["score"] >= Settings().threshold)
        assert row["value_transfer_ids"] is not None or row["definition"] not in ("common_funder", "common_exit")
    # Nobody here sells to himself, and hardly a pair sells as much as it buys.
    assert set(DEFINITIONS) - {"self_trade", "volume_match"} <= seen <= set(DEFINITIONS)


def test_a_market_that_is_too_small_is_refused(home: Home, engine: object) -> None:
    with pytest.raises(TooFewExamplesError, match="at least 200 on 6 days"):
        learn(home.window(engine, DayRange(LAST - timedelta(days=1), LAST)), 1)
    empty = DayRange(START - timedelta(days=400), START - timedelta(days=380))
    with pytest.raises(TooFewExamplesError):
        learn(home.window(engine, empty), 1)
    assert score(learn(home.window(engine, LEARNED), 1).files, home.window(engine, empty)).num_rows == 0
