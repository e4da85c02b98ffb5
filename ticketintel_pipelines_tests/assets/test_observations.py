"""What was seen of the market, and when: each fact once, at the instant from which on it was known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.features.keys import key
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.feature_rows import read_table
from ticketintel_pipelines.stages.validate import VALIDATE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.observing import observe
from ticketintel_pipelines.ticketing.features.preparing import LABEL_MATURITY_DAYS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS
from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, address, write
from ticketintel_pipelines_tests.assets.platform_rows import (
    CHARGEBACKS,
    EVENTS,
    ORDER,
    ORDERS,
    PAYMENT,
    PAYMENTS,
    REVIEWS,
    SESSION,
    SESSIONS,
    USERS,
    platform,
)
from ticketintel_pipelines_tests.assets.sale_seen import BY_NAME, SPRING, at, seen, sold, validated
from ticketintel_pipelines_tests.conftest import WORLD_DAYS, WORLD_START


@pytest.fixture(scope="module")
def market(make_settings: Callable[..., Settings], world: Path) -> Workspace:
    """The simulated world, validated."""
    settings = make_settings()
    workspace = Workspace(DOMAINS, lambda: settings)
    validated(workspace, world, DayRange(WORLD_START, WORLD_START + timedelta(days=WORLD_DAYS - 1)))
    return workspace


@pytest.mark.parametrize("name", BY_NAME)
def test_day_by_day_gives_what_one_range_gives(market: Workspace, name: str) -> None:
    # Labels come with the first verdicts, and with the maturity of the world's few days.
    last = WORLD_START + timedelta(days=WORLD_DAYS + (LABEL_MATURITY_DAYS if name == "labels" else 0))
    days, lake = DayRange(WORLD_START, last), market.lake(TICKETING)
    for needed in BY_NAME[name].observes:
        observe(market, DayRange(WORLD_START, days.last), observation=BY_NAME[needed])
    together = observe(market, days, observation=BY_NAME[name])
    assert sum(day.rows for day in together.values()) > 0
    rows = read_table(lake, name, days.days)
    alone = {}
    for day in days.days:
        alone |= observe(market, DayRange(day, day), observation=BY_NAME[name])
    assert alone == together
    assert rows.equals(read_table(lake, name, days.days))


def test_every_column_is_declared_and_every_row_lies_on_its_day_in_order(market: Workspace) -> None:
    days = DayRange(WORLD_START, WORLD_START + timedelta(days=35))
    for name, observation in BY_NAME.items():
        for day in observe(market, days, observation=observation):
            table = read_table(market.lake(TICKETING), name, [day])
            assert table.column_names == [column.name for column in observation.columns], name
            instants = table["seen"].to_pylist()
            assert instants == sorted(instants), name
            assert {datetime.fromtimestamp(at // 1_000_000, UTC).date() for at in instants} == {day}, name


def test_a_transaction_knows_its_order_session_payment_and_event(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "raw"))
    sold(workspace)
    (row,) = seen(workspace, "transactions")
    assert row["seen"] == at("01-01")
    assert (row["wallet_key"], row["seller_key"]) == (key(address("b")), None)
    assert (row["event_key"], row["ticket_key"]) == (key("e1"), key(f"{CONTRACT}:5"))
    assert (row["user_key"], row["device_key"]) == (key("u1"), key("phone"))
    assert (row["instrument_key"], row["method_key"]) == (key("visa"), key("card"))
    assert (row["price_gwei"], row["amount_cents"], row["face_value_cents"]) == (1_234_567_890, 4_250, 4_000)
    assert (row["on_sale"], row["starts"], row["capacity"]) == (at("01-01", "09:00:00"), at("02-01", "19:00:00"), 100)


@pytest.mark.parametrize(
    ("late", "unknown"),
    [
        ({"sessions": SESSION.format("2026-01-01T12:00:01Z")}, {"device_key", "ip_block_key"}),
        ({"payments": PAYMENT.format("captured", "2026-01-01T12:00:01Z")}, {"instrument_key", "method_key"}),
        (
            {"orders": ORDER.format("2026-01-01T12:00:01Z")},
            {"order_id", "user_key", "amount_cents", "device_key", "ip_block_key", "instrument_key", "method_key"},
        ),
    ],
)
def test_what_became_known_after_the_transaction_is_null_in_it(
    workspace: Workspace, tmp_path: Path, late: dict[str, str], unknown: set[str]
) -> None:
    validated(workspace, platform(tmp_path / "raw", **late))
    sold(workspace)
    (row,) = seen(workspace, "transactions")
    assert {name for name, value in row.items() if value is None} == {"seller_address", "seller_key", *unknown}


def test_an_amount_that_changed_later_is_the_first_one(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "1"))
    later = ORDER.format("2026-01-05T12:00:00Z").replace("42.50", "9.00")
    validated(workspace, write(tmp_path / "2", orders=ORDERS + later))
    sold(workspace, price_usd="9.00")
    assert [row["amount_cents"] for row in seen(workspace, "transactions")] == [4_250]


def test_a_buyer_whom_only_a_later_sale_proved_is_not_known(workspace: Workspace) -> None:
    sold(workspace, buyer_source="repaired", event_id=None, ticket_id=None, order_id=None, user_id=None)
    (row,) = seen(workspace, "transactions")
    assert (row["wallet_key"], row["buyer_address"]) == (None, None)
    assert seen(workspace, "wallet_moves") == []


def test_without_the_platform_a_transaction_has_its_contract_for_an_event(workspace: Workspace) -> None:
    sold(
        workspace,
        seller_address=address("a"),
        **dict.fromkeys(("event_id", "ticket_id", "order_id", "user_id", "price_usd")),
    )
    (row,) = seen(workspace, "transactions")
    assert row["event_key"] == key(CONTRACT)
    null = {"event_id", "order_id", "user_key", "device_key", "ip_block_key", "instrument_key", "method_key", "amount_cents"}
    assert {name for name, value in row.items() if value is None} == null | {
        "face_value_cents",
        "on_sale",
        "starts",
        "capacity",
    }
    assert {move["wallet_key"] for move in seen(workspace, "wallet_moves")} == {key(address("a")), key(address("b"))}
    for name in BY_NAME.keys() - {"transactions", "wallet_moves"}:
        assert seen(workspace, name) == [], name


def test_a_gift_to_oneself_is_one_move(workspace: Workspace) -> None:
    sold(workspace, kind="gift", seller_address=address("b"))
    assert [move["wallet_key"] for move in seen(workspace, "wallet_moves")] == [key(address("b"))]


def test_a_session_that_becomes_known_late_is_seen_late(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "raw", sessions=SESSION.format("2026-01-04T09:00:00Z")))
    (row,) = seen(workspace, "located_sessions")
    assert (row["seen"], row["latitude"], row["longitude"]) == (at("01-04", "09:00:00"), 469, 74)
    assert row["wallet_key"] == key(address("b"))


def test_a_later_state_does_not_enter_again(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "1"))
    first = seen(workspace, "payments_made")
    assert [row["seen"] for row in first] == [at("01-01", "09:45:00")]
    later = PAYMENT.format("refunded", "2026-01-05T12:00:00Z").replace("card", "paypal")
    validated(workspace, write(tmp_path / "2", payments=PAYMENTS + later))
    assert seen(workspace, "payments_made") == first


def test_a_failed_attempt_has_paid_nothing(workspace: Workspace, tmp_path: Path) -> None:
    tried = PAYMENT.format("failed", "").replace("visa", "stolen").replace("p1", "p0").replace("09:45", "09:44")
    validated(workspace, platform(tmp_path / "raw", payments=tried + PAYMENT.format("captured", "")))
    sold(workspace)
    assert [row["instrument_key"] for row in seen(workspace, "payments_made")] == [key("visa")]
    assert [row["instrument_key"] for row in seen(workspace, "transactions")] == [key("visa")]


def test_the_wallet_of_a_user_is_the_first_one_that_was_known(workspace: Workspace, tmp_path: Path) -> None:
    without = USERS + "u1,2026-01-01T08:00:00Z,,a@b.example,true,\n"
    validated(workspace, platform(tmp_path / "1", users=without))
    wallets = {"02": address("b"), "03": address("c")}
    for day, wallet in wallets.items():
        folder = tmp_path / day
        validated(
            workspace,
            write(folder, users=f"{USERS}u1,2026-01-01T08:00:00Z,{wallet},a@b.example,true,2026-01-{day}T08:00:00Z\n"),
        )
    later = SESSION.format("").replace("s1,2026-01-01", "s2,2026-01-04")
    validated(workspace, write(tmp_path / "4", sessions=SESSIONS + later))
    assert [row["wallet_key"] for row in seen(workspace, "located_sessions")] == [None, key(address("b"))]


def test_every_simulated_verdict_names_a_transaction_of_the_ledger(market: Workspace) -> None:
    with market.catalog() as catalog:
        named = catalog.connection.execute(
            "SELECT count(*), count(t.transaction_id) FROM ticketing.fraud_reviews LEFT JOIN ticketing.transactions t "
            "USING (transaction_id)"
        ).fetchone()
        refused = catalog.connection.execute(
            "SELECT count(*) FROM ops.quarantine WHERE table_name = 'fraud_reviews'"
        ).fetchone()
    assert named[0] == named[1] > 0
    assert refused == (0,)


CHECK_INS = "check_in_id,checked_in_at,ticket_id,event_id,updated_at\n"
LONG_AFTER = "2026-03-20T09:00:00Z"


@pytest.mark.parametrize(
    ("name", "late"),
    [
        ("located_sessions", {"sessions": SESSION.format(LONG_AFTER)}),
        ("payments_made", {"payments": PAYMENT.format("captured", LONG_AFTER)}),
        ("check_ins_seen", {"check_ins": f"{CHECK_INS}i1,2026-01-02T08:00:00Z,t1,e1,{LONG_AFTER}\n"}),
        ("event_life", {"events": EVENTS.replace("starts_at\n", "starts_at,updated_at\n").rstrip() + f",{LONG_AFTER}\n"}),
        (
            "labels",
            {
                "chargebacks": CHARGEBACKS.replace("reason", "reason,updated_at")
                + f"c1,2026-01-10T08:00:00Z,p1,42.50,USD,fraud,{LONG_AFTER}\n"
            },
        ),
        ("labels", {"fraud_reviews": f"{REVIEWS}v1,2026-01-10T08:00:00Z,sale,fraud,bot,desk-3,{LONG_AFTER}\n"}),
    ],
)
def test_a_row_is_seen_on_the_day_it_becomes_known_however_late(
    workspace: Workspace, tmp_path: Path, name: str, late: dict[str, str]
) -> None:
    validated(workspace, platform(tmp_path / "raw", **late))
    sold(workspace)
    together = [row for row in seen(workspace, name) if row["seen"] >= at("03-20", "00:00:00")]
    assert {row["seen"] for row in together} == {at("03-20", "09:00:00")}
    day = DayRange(date(2026, 3, 20), date(2026, 3, 20))
    observe(workspace, day, observation=BY_NAME[name])
    assert read_table(workspace.lake(TICKETING), name, day.days).to_pylist() == together


def test_a_listing_is_seen_when_it_is_known_however_late_that_is_and_once(workspace: Workspace, tmp_path: Path) -> None:
    header = "list_name,address,listed_at,label,updated_at\n"
    named = f"{header}feed,{address('b')},2026-01-01T08:00:00Z,Phisher,{{}}\n"
    validated(workspace, write(tmp_path / "1", watch_list=named.format("2026-03-15T09:00:00Z")))
    listing = {"wallet_key": key(address("b")), "seen": at("03-15", "09:00:00"), "list_key": key("feed")}
    assert seen(workspace, "listings") == [listing]
    validated(workspace, write(tmp_path / "2", watch_list=named.format("2026-03-20T09:00:00Z").replace("Phisher", "Other")))
    assert seen(workspace, "listings") == [listing]
    for day in (15, 20):
        observe(workspace, DayRange(date(2026, 3, day), date(2026, 3, day)), observation=BY_NAME["listings"])
    table = read_table(workspace.lake(TICKETING), "listings", SPRING.days)
    assert table.to_pylist() == [listing]


def test_an_event_comes_onto_the_market_and_leaves_it(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "raw"))
    steps = [(row["seen"], row["step"]) for row in seen(workspace, "event_life")]
    assert steps == [(at("01-01", "09:00:00"), 1), (at("02-01", "19:00:00"), -1)]


def test_the_hash_of_a_day_follows_its_rows_alone(workspace: Workspace, tmp_path: Path) -> None:
    validated(workspace, platform(tmp_path / "raw"))
    sold(workspace)
    first = observe(workspace, SPRING, observation=BY_NAME["transactions"])
    assert first == observe(workspace, DayRange(SPRING.first, SPRING.first), observation=BY_NAME["transactions"])
    workspace.lake(TICKETING).part(VALIDATE_STAGE, TRANSACTIONS.name, SPRING.first).unlink()
    workspace.lake(TICKETING).partition(VALIDATE_STAGE, TRANSACTIONS.name, SPRING.first).rmdir()
    sold(workspace, price_wei="5000000000")
    changed = observe(workspace, SPRING, observation=BY_NAME["transactions"])
    assert changed != first
    assert pa.types.is_int64(read_table(workspace.lake(TICKETING), "transactions", SPRING.days)["price_gwei"].type)
