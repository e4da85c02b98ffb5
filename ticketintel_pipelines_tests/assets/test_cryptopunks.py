"""The real market: every CryptoPunks sale to April 2021, without any platform table."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import Night, run_etl, stale_ranges
from ticketintel_pipelines.progress import Silence
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in

SALES = Path(__file__).parents[2] / "data" / "cryptopunks" / "sales.parquet"
ZERO = "0x" + "0" * 40


def deployment(make_settings) -> Workspace:
    settings = make_settings()
    return Workspace([TICKETING], lambda: settings)


def rows(workspace: Workspace, query: str) -> list[tuple]:
    with workspace.catalog() as catalog:
        return catalog.connection.execute(query).fetchall()


def sales_of(folder: Path, name: str, condition: pc.Expression) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pq.read_table(SALES).filter(condition), folder / name)
    return folder


@pytest.fixture(scope="module")
def spring(make_settings, tmp_path_factory) -> tuple[Workspace, Night, Path]:
    """The market of early 2021: a quarter of all sales."""
    folder = sales_of(tmp_path_factory.mktemp("punks"), "sales.parquet", pc.field("block_number") >= 11_900_000)
    workspace = deployment(make_settings)
    take_in(workspace, folder)
    (days,) = stale_ranges(workspace, TICKETING)
    return workspace, run_etl(workspace, TICKETING, days, Silence()), folder


def test_every_sale_becomes_a_transaction_with_its_price_to_the_last_wei(spring) -> None:
    workspace, night, folder = spring
    assert night.succeeded, night.failures
    raw = pq.read_table(folder).to_pylist()
    expected = {(row["tx_hash"], str(row["token_id"]), None if row["price_wei"] == "-" else row["price_wei"]) for row in raw}
    found = rows(workspace, "SELECT transaction_hash, token_id::text, price_wei::text FROM ticketing.transactions")
    assert set(found) == expected
    assert len(found) == len(raw)


def test_accepted_bids_get_their_buyer_from_the_next_sale_where_there_is_one(spring) -> None:
    workspace, _, folder = spring
    raw = pq.read_table(folder).sort_by("block_number").to_pylist()
    by_token: dict[int, list[dict]] = {}
    for row in raw:
        by_token.setdefault(row["token_id"], []).append(row)
    expected = {}
    for sales in by_token.values():
        for sale, following in zip(sales, [*sales[1:], None], strict=True):
            if sale["to_address"] == ZERO:
                seller = following["from_address"] if following else None
                provable = seller is not None and seller != sale["from_address"]
                expected[sale["tx_hash"]] = ("repaired", seller) if provable else ("unknown", None)
    found = {
        row[0]: row[1:]
        for row in rows(
            workspace,
            "SELECT transaction_hash, buyer_source, buyer_address FROM ticketing.transactions WHERE buyer_source <> 'recorded'",
        )
    }
    assert found == expected
    assert {source for source, _ in expected.values()} == {"repaired", "unknown"}


def test_what_needs_the_platform_is_null_and_the_views_stand(spring) -> None:
    workspace, _, _ = spring
    assert rows(workspace, "SELECT count(event_id) + count(ticket_id) + count(order_id) FROM ticketing.transactions") == [(0,)]
    ((key, event, capacity, through, rate),) = rows(
        workspace, "SELECT event_key, event_id, capacity, sell_through, check_in_rate FROM ticketing.event_analytics"
    )
    assert key == "0xb47e3cd837ddf8e4c57f05d70ab865de6e193bbb"
    assert (event, capacity, through, rate) == (None, None, None, None)
    assert rows(workspace, "SELECT count(*) FROM ticketing.kpi_hourly") == [(168,)]


def test_a_later_sale_repairs_the_buyer_of_an_earlier_night(make_settings, tmp_path: Path) -> None:
    """Night by night gives what one go gives, though a row of an earlier night changes."""
    window = (pc.field("block_number") >= 12_000_000) & (pc.field("block_number") < 12_040_000)
    early = sales_of(tmp_path / "early", "sales.parquet", window & (pc.field("block_number") < 12_025_000))
    late = sales_of(tmp_path / "late", "sales.parquet", window & (pc.field("block_number") >= 12_025_000))
    query = "SELECT transaction_id, buyer_source, buyer_address FROM ticketing.transactions ORDER BY 1"

    by_night = deployment(make_settings)
    for folder in (early, late):
        take_in(by_night, folder)
        while ranges := stale_ranges(by_night, TICKETING):
            for day in (day for days in ranges for day in days.days):
                assert run_etl(by_night, TICKETING, DayRange(day, day), Silence()).succeeded

    in_one_go = deployment(make_settings)
    take_in(in_one_go, early)
    take_in(in_one_go, late)
    (days,) = stale_ranges(in_one_go, TICKETING)
    assert run_etl(in_one_go, TICKETING, days, Silence()).succeeded
    assert rows(by_night, query) == rows(in_one_go, query)
    assert any(source == "repaired" for _, source, _ in rows(in_one_go, query))
