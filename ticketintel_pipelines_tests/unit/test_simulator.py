"""The simulated world: deterministic, clean but for its planted defects, and true to the chain's own rules.

The checks read the written files with plain Python and do not use the pipeline's decoder or validator.
"""

import datetime
import hashlib
import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.chain.events import ORDER_FULFILLED, TICKET_SOLD, TRANSFER
from ticketintel_pipelines.contract import ColumnType, Follows, Holds, InRange, Matches, NotNull, OneOf, Refers, Unique
from ticketintel_pipelines.ticketing.simulator import SimulationSummary, simulate
from ticketintel_pipelines.ticketing.simulator.played_files import carry_hashes
from ticketintel_pipelines.ticketing.simulator.playing import Played
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.common import VERSION_COLUMNS

DAILY_EVENTS = 2_000
DAYS = 5
LONG_DAYS = 25
SEED = 11
START = datetime.date(2026, 1, 1)
END = START + datetime.timedelta(days=DAYS)
ZERO = 0
TABLES = (
    "blocks",
    "logs",
    "users",
    "events",
    "tickets",
    "sessions",
    "orders",
    "payments",
    "check_ins",
    "chargebacks",
    "security_events",
    "api_requests",
    "fraud_reviews",
    "watch_list",
    "value_transfers",
)
ETHEREUM_ETL = {
    "blocks": ("number", "hash", "parent_hash", "timestamp"),
    "logs": (
        "block_number",
        "block_hash",
        "block_timestamp",
        "transaction_hash",
        "transaction_index",
        "log_index",
        "address",
        "topics",
        "data",
    ),
}
PREDICATES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "value_wei <> '0'": lambda row: row["value_wei"] != "0",
    "starts_with(path, '/')": lambda row: row["path"].startswith("/"),
    "fraud_kind IS NULL OR verdict IS DISTINCT FROM 'honest'": lambda row: (
        None is row["fraud_kind"] or row["verdict"] != "honest"
    ),
}
DISHONEST = {"scalping", "bot", "wash_trade", "stolen_card", "account_takeover"}
DISHONEST_ROLES = {"scalper", "bot", "wash_trader", "card_thief", "drop_wallet"}
Row = dict[str, Any]


class Extract:
    """The files of a world as rows, with and without the planted ones."""

    def __init__(self, folder: Path, summary: SimulationSummary) -> None:
        self.folder = folder
        self.summary = summary
        self.raw = {name: _rows(sorted((folder / name).glob("*.parquet"))) for name in TABLES}
        self.truth = {path.stem: _rows([path]) for path in sorted((folder / "truth").glob("*.parquet"))}
        planted = defaultdict(set)
        for defect in self.truth["defects"]:
            if defect["defect"] != "exact_duplicate":
                planted[defect["table"]].add(defect["key"])
        self.clean: dict[str, list[Row]] = {}
        for name in TABLES:
            kept = {key_of(name, row): row for row in self.raw[name] if key_of(name, row) not in planted[name]}
            self.clean[name] = list(kept.values())
        # The ledger is no raw table; verdicts name its rows.
        ledger = [{**row, "occurred_at": row["block_timestamp"]} for row in self.truth["transactions"]]
        self.parents = parents_of({**self.clean, "transactions": ledger})


def _rows(paths: list[Path]) -> list[Row]:
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def key_of(table: str, row: Row) -> str:
    names = ("number",) if table == "blocks" else TICKETING.by_name[table].key
    return ":".join(str(row[name]) for name in names)


def time_of(table: str, row: Row) -> datetime.datetime:
    if table == "blocks":
        return datetime.datetime.fromtimestamp(row["timestamp"], datetime.UTC)
    moment: datetime.datetime = row[TICKETING.by_name[table].time]
    return moment


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    folder = tmp_path_factory.mktemp("world")
    return Extract(folder, simulate(folder, days=DAYS, daily_events=DAILY_EVENTS, seed=SEED, start=START))


@pytest.fixture(scope="module")
def wide_world(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    """A somewhat larger world, long enough for the first chargebacks."""
    folder = tmp_path_factory.mktemp("wide_world")
    return Extract(folder, simulate(folder, days=LONG_DAYS, daily_events=4_000, seed=SEED, start=START))


def transfers(logs: list[Row]) -> list[Row]:
    """Token moves decoded from the raw logs in chain order, integers throughout."""
    moves = [
        {
            "contract": log["address"],
            "giver": int(log["topics"][1], 16),
            "taker": int(log["topics"][2], 16),
            "token": int(log["topics"][3], 16),
            "transaction": log["transaction_hash"],
            "log_index": log["log_index"],
            "block": log["block_number"],
            "at": log["block_timestamp"],
        }
        for log in logs
        if log["topics"][0] == TRANSFER.topic
    ]
    return sorted(moves, key=lambda move: (move["block"], move["log_index"]))


def test_same_seed_writes_same_bytes_and_another_seed_does_not(world: Extract, tmp_path: Path) -> None:
    for name, seed in (("again", SEED), ("other", SEED + 1)):
        simulate(tmp_path / name, days=DAYS, daily_events=DAILY_EVENTS, seed=seed, start=START)
    expected = digests(world.folder)
    assert digests(tmp_path / "again") == expected
    other = digests(tmp_path / "other")
    assert other.keys() == expected.keys()
    assert other["orders/2026-01-01.parquet"] != expected["orders/2026-01-01.parquet"]


def test_longer_world_begins_with_the_shorter_one(world: Extract, tmp_path: Path) -> None:
    simulate(tmp_path, days=DAYS + 2, daily_events=DAILY_EVENTS, seed=SEED, start=START)
    longer = digests(tmp_path)
    shorter = {path: digest for path, digest in digests(world.folder).items() if not path.startswith("truth")}
    assert len(shorter) == DAYS * len(TABLES)
    assert {path: longer[path] for path in shorter} == shorter
    for name, rows in world.truth.items():
        assert _rows([tmp_path / "truth" / f"{name}.parquet"])[: len(rows)] == rows


def test_world_without_defects_is_the_same_world(world: Extract, tmp_path: Path) -> None:
    summary = simulate(tmp_path, days=2, daily_events=DAILY_EVENTS, seed=SEED, start=START, defects=False)
    assert summary.truth_rows["defects"] == 0
    for name in TABLES:
        clean = _rows(sorted((tmp_path / name).glob("*.parquet")))
        border = datetime.datetime.combine(START + datetime.timedelta(days=2), datetime.time(), datetime.UTC)
        expected = [row for row in world.clean[name] if time_of(name, row) < border]
        assert sorted(clean, key=lambda row: key_of(name, row)) == sorted(expected, key=lambda row: key_of(name, row)), name


@pytest.mark.parametrize("size", [200, 2_000, 10_000])
def test_day_has_the_wanted_number_of_records(tmp_path: Path, size: int) -> None:
    summary = simulate(tmp_path, days=4, daily_events=size, seed=3, start=START)
    assert len(summary.per_day) == 4
    for day, records in summary.per_day.items():
        assert records == pytest.approx(size, rel=0.05), day
    assert summary.rows["blocks"] == 4 * 7_200
    if size >= 2_000:
        assert summary.truth_rows["transactions"] == pytest.approx(4 * size * 0.085, rel=0.10)


def test_summary_counts_the_rows_of_the_files(world: Extract) -> None:
    assert world.summary.rows == {name: len(world.raw[name]) for name in TABLES}
    counted = sum(len(world.raw[name]) for name in TABLES if name not in ("blocks", "value_transfers"))
    assert sum(world.summary.per_day.values()) == counted
    assert world.summary.truth_rows == {name: len(rows) for name, rows in world.truth.items()}


def test_files_have_exactly_the_columns_of_the_raw_contract(world: Extract) -> None:
    types = {"TIMESTAMPTZ": "timestamp[us, tz=UTC]", "BIGINT": "int64", "DOUBLE": "double", "BOOLEAN": "bool"}
    types |= {"VARCHAR": "string", "DECIMAL(18,2)": "decimal128(18, 2)"}
    for name in TABLES:
        for path in (world.folder / name).glob("*.parquet"):
            schema = pq.read_schema(path)
            if name in ETHEREUM_ETL:
                assert tuple(schema.names) == ETHEREUM_ETL[name]
                continue
            table = TICKETING.by_name[name]
            # What is simulated never changes, and says nothing of versions.
            columns = [column for column in table.columns if column not in VERSION_COLUMNS]
            # An address comes once, and plain.
            columns = [column for column in columns if column.type is not ColumnType.IP_BLOCK_HASH]
            names = [column.aliases[0] if column.type.is_keyed_hash else column.name for column in columns]
            assert schema.names == names
            for column, own_name in zip(columns, names, strict=True):
                assert str(schema.field(own_name).type) == types[column.type.duckdb], (name, column.name)
    topics = pq.read_schema(world.folder / "logs" / "2026-01-01.parquet").field("topics").type
    assert pa.types.is_list(topics)


def test_every_row_lies_on_the_day_of_its_file_and_nothing_after_the_period(world: Extract) -> None:
    for name in TABLES:
        for path in (world.folder / name).glob("*.parquet"):
            for row in _rows([path]):
                assert time_of(name, row).date().isoformat() == path.stem, (name, row)
    end = datetime.datetime.combine(END, datetime.time(), datetime.UTC)
    assert all(session["ended_at"] < end for session in world.raw["sessions"])


def test_token_has_one_owner_at_a_time(world: Extract) -> None:
    owners: dict[tuple[str, int], int] = {}
    last_block: dict[tuple[str, int], int] = {}
    for move in transfers(world.clean["logs"]):
        token = (move["contract"], move["token"])
        if token not in owners:
            assert move["giver"] == ZERO, "a token moves before its mint"
        else:
            assert move["giver"] == owners[token], "the giver does not own the token"
            assert move["block"] > last_block[token]
        assert move["taker"] not in (ZERO, move["giver"])
        owners[token] = move["taker"]
        last_block[token] = move["block"]
    issued = {(ticket["contract_address"], int(ticket["token_id"])) for ticket in world.clean["tickets"]}
    assert owners.keys() == issued


def test_sales_agree_with_their_transfers(world: Extract) -> None:
    moved = {(m["transaction"], m["contract"], m["token"]): m for m in transfers(world.clean["logs"])}
    sales = Counter[str]()
    for log in world.clean["logs"]:
        words = [int(log["data"][2 + start : 66 + start], 16) for start in range(0, len(log["data"]) - 2, 64)]
        if log["topics"][0] == TICKET_SOLD.topic:
            contract, token, buyer = (int(topic, 16) for topic in log["topics"][1:])
            seller, price = words
        elif log["topics"][0] == ORDER_FULFILLED.topic:
            seller, buyer = int(log["topics"][1], 16), words[1]
            contract, token = words[6], words[7]
            price = words[13] + words[18]
        else:
            continue
        move = moved[(log["transaction_hash"], f"0x{contract:040x}", token)]
        assert (move["giver"], move["taker"]) == (seller, buyer)
        assert 10**14 < price < 10**20
        sales[log["topics"][0]] += 1
    assert sales[TICKET_SOLD.topic] > 4 * sales[ORDER_FULFILLED.topic] > 0
    assert sum(sales.values()) < len(moved), "some transfers are gifts"


def test_logs_are_in_the_order_of_the_chain(world: Extract) -> None:
    blocks = {block["number"]: block for block in world.raw["blocks"]}
    parents = [blocks[number]["parent_hash"] for number in sorted(blocks)][1:]
    assert parents == [blocks[number]["hash"] for number in sorted(blocks)][:-1]
    by_block = defaultdict(list)
    for log in world.clean["logs"]:
        block = blocks[log["block_number"]]
        assert log["block_hash"] == block["hash"]
        assert log["block_timestamp"].timestamp() == block["timestamp"]
        by_block[log["block_number"]].append(log)
    for logs in by_block.values():
        logs.sort(key=lambda log: log["log_index"])
        places = [log["transaction_index"] for log in logs]
        assert places == sorted(places)
        assert len({log["log_index"] for log in logs}) == len(logs)
        assert len({log["transaction_hash"] for log in logs}) == len(set(places))


def as_landed(row: Row) -> Row:
    """A row with its address hidden, by other means than the pipeline's."""
    if "ip_address" not in row:
        return row
    try:
        number = int(ipaddress.ip_address(row["ip_address"]))
    except ValueError:
        return {**row, "ip_hash": "none", "ip_block_hash": None}
    return {**row, "ip_hash": f"{number:032x}", "ip_block_hash": f"{number >> 8:032x}"}


def broken_rules(table: str, row: Row, parents: dict[tuple[str, str], dict[Any, Row]]) -> set[str]:
    """Names of the declared rules that a row breaks by itself or towards its parents; uniqueness is not judged."""
    broken = set()
    row = as_landed(row)
    for rule in TICKETING.by_name[table].rules:
        match rule.check:
            case NotNull(column=column):
                fails = row[column] is None
            case InRange(column=column, minimum=low, maximum=high):
                value = row[column]
                fails = value is not None and not (low is None or value >= low) & (high is None or value <= high)
            case Matches(column=column, pattern=pattern):
                fails = row[column] is not None and re.fullmatch(pattern, row[column]) is None
            case OneOf(column=column, values=values):
                fails = row[column] is not None and row[column] not in values
            case Follows(later=later, earlier=earlier):
                fails = None not in (row[later], row[earlier]) and row[later] < row[earlier]
            case Refers(column=column, table=other, parent_column=key, not_before=not_before, time=time):
                parent = parents[other, key].get(row[column])
                if not_before is None or time is None:
                    fails = row[column] is not None and parent is None
                else:
                    # Whether the parent exists is another rule's matter.
                    fails = parent is not None and row[time] < parent[not_before]
            case Holds(sql=sql):
                fails = not PREDICATES[sql](row)
            case Unique():
                continue
        if fails:
            broken.add(rule.name)
    return broken


def parents_of(rows: dict[str, list[Row]]) -> dict[tuple[str, str], dict[Any, Row]]:
    checks = {(check.table, check.parent_column) for table in TICKETING.raw_tables for check in table.parents}
    return {(table, column): {row[column]: row for row in rows[table]} for table, column in checks}


def test_clean_rows_keep_every_declared_rule(wide_world: Extract) -> None:
    parents = wide_world.parents
    for name in TABLES:
        if name in ETHEREUM_ETL:
            continue
        rows = wide_world.clean[name]
        assert rows, name
        for row in rows:
            assert not broken_rules(name, row, parents), (name, row)
        for rule in TICKETING.by_name[name].rules:
            if isinstance(rule.check, Unique):
                assert len({tuple(row[column] for column in rule.check.columns) for row in rows}) == len(rows), rule


def test_time_runs_from_sign_up_to_admission(world: Extract) -> None:
    clean = world.clean
    users = {user["user_id"]: user for user in clean["users"]}
    events = {event["event_id"]: event for event in clean["events"]}
    sessions = {session["session_id"]: session for session in clean["sessions"]}
    mints = {(move["contract"], str(move["token"])): move for move in transfers(clean["logs"]) if move["giver"] == ZERO}
    captured = {payment["order_id"]: payment for payment in clean["payments"] if payment["status"] == "captured"}
    delivered = defaultdict(list)
    for move in transfers(clean["logs"]):
        delivered[move["transaction"]].append(move)
    for session in clean["sessions"]:
        assert session["started_at"] <= session["ended_at"]
        if session["user_id"] is not None:
            assert session["started_at"] >= users[session["user_id"]]["created_at"]
    for order in clean["orders"]:
        session = sessions[order["session_id"]]
        event = events[order["event_id"]]
        assert session["user_id"] == order["user_id"]
        assert session["started_at"] <= order["created_at"] <= session["ended_at"]
        assert event["created_at"] < event["on_sale_at"] <= order["created_at"] < event["starts_at"]
        assert (order["status"] == "paid") == (order["transaction_hash"] is not None) == (order["order_id"] in captured)
        if order["status"] == "paid":
            moves = delivered[order["transaction_hash"]]
            payment = captured[order["order_id"]]
            assert len(moves) == order["quantity"]
            assert order["created_at"] < payment["paid_at"] < moves[0]["at"]
            assert payment["amount"] == order["amount"] > 0
            assert {move["taker"] for move in moves} == {int(users[order["user_id"]]["wallet_address"], 16)}
    for ticket in clean["tickets"]:
        assert ticket["issued_at"] == mints[(ticket["contract_address"], ticket["token_id"])]["at"]
        assert ticket["issued_at"] < events[ticket["event_id"]]["starts_at"]
    sold = Counter(ticket["event_id"] for ticket in clean["tickets"])
    assert all(count <= events[event]["capacity"] for event, count in sold.items())


def test_nobody_trades_a_ticket_after_the_doors_open(world: Extract) -> None:
    starts = {event["event_id"]: event["starts_at"] for event in world.clean["events"]}
    doors = {(t["contract_address"], int(t["token_id"])): starts[t["event_id"]] for t in world.clean["tickets"]}
    for move in transfers(world.clean["logs"]):
        assert move["at"] < doors[(move["contract"], move["token"])]
    admitted = [check_in["ticket_id"] for check_in in world.clean["check_ins"]]
    assert len(set(admitted)) == len(admitted) > 100
    for check_in in world.clean["check_ins"]:
        assert check_in["checked_in_at"] >= starts[check_in["event_id"]]


def test_every_planted_defect_is_in_the_files_and_every_kind_every_day(world: Extract) -> None:
    counts = {name: Counter(key_of(name, row) for row in world.raw[name]) for name in TABLES}
    rows = {name: {key_of(name, row): row for row in world.raw[name]} for name in TABLES}
    parents = world.parents
    seen: dict[tuple[str, str], set[datetime.date]] = defaultdict(set)
    for defect in world.truth["defects"]:
        table, key = defect["table"], defect["key"]
        assert counts[table][key] == (2 if defect["defect"] == "exact_duplicate" else 1), defect
        seen[(table, defect["rule"])].add(time_of(table, rows[table][key]).date())
        _assert_breaks_one_rule(rows[table][key], defect, world, parents)
    duplicated = {"logs", "sessions", "api_requests", "orders", "payments", "tickets"}
    assert {table for table, rule in seen if rule == "exact_duplicate"} == duplicated
    assert {rule for _, rule in seen} == {
        "exact_duplicate",
        "amount_range",
        "user_id_exists",
        "created_before_paid",
        "checked_in_once",
        "currency_form",
        "ip_hash_form",
        "undecodable",
    }
    assert all(len(days) == DAYS for days in seen.values())
    assert sum(count - 1 for table in counts.values() for count in table.values()) == sum(
        defect["rule"] == "exact_duplicate" for defect in world.truth["defects"]
    )


def _assert_breaks_one_rule(row: Row, defect: Row, world: Extract, parents: dict[tuple[str, str], dict[Any, Row]]) -> None:
    if defect["table"] == "logs":
        if defect["rule"] == "undecodable":
            assert row["topics"][0] == TRANSFER.topic
            assert len(row["topics"]) == 2
        return
    expected = {defect["rule"]} - {"exact_duplicate", "checked_in_once"}
    assert broken_rules(defect["table"], row, parents) == expected
    if defect["rule"] == "checked_in_once":
        first = {check_in["ticket_id"]: check_in for check_in in world.clean["check_ins"]}
        assert row["checked_in_at"] > first[row["ticket_id"]]["checked_in_at"]


def test_token_ids_exceed_64_bits_exactly(world: Extract) -> None:
    tokens = {(ticket["contract_address"], int(ticket["token_id"])) for ticket in world.clean["tickets"]}
    minted = {(move["contract"], move["token"]) for move in transfers(world.clean["logs"])}
    assert tokens == minted
    wide = {token for _, token in tokens if token >= 1 << 64}
    assert 0 < len(wide) < len(tokens)
    assert all(token >> 128 >= 1 and 1 <= token & ((1 << 128) - 1) < 10**6 for token in wide)


def test_every_dishonest_kind_occurs_within_a_realistic_share(world: Extract, wide_world: Extract) -> None:
    for extract in (world, wide_world):
        truth = extract.truth["transactions"]
        labels = Counter(row["label"] for row in truth)
        assert labels.keys() == DISHONEST | {"honest"}
        fraud = [row for row in truth if row["is_fraud"]]
        assert {row["label"] for row in fraud} == DISHONEST
        assert 0.005 <= len(fraud) / len(truth) <= 0.03
        moves = {(move["transaction"], move["log_index"]) for move in transfers(extract.clean["logs"])}
        assert {(row["transaction_hash"], row["log_index"]) for row in truth} == moves
        roles = {row["role"] for row in extract.truth["wallets"]}
        assert {"scalper", "bot", "wash_trader", "card_thief", "drop_wallet"} <= roles
        assert {"fan", "family", "office", "traveller", "collector"} <= roles


def test_wash_trades_stay_within_their_ring(wide_world: Extract) -> None:
    ring = {int(row["wallet_address"], 16): row["ring_id"] for row in wide_world.truth["wallets"]}
    labels = {(t["transaction_hash"], t["log_index"]): t["label"] for t in wide_world.truth["transactions"]}
    sizes = Counter(r["ring_id"] for r in wide_world.truth["wallets"] if r["role"] == "wash_trader")
    assert all(2 <= size <= 6 for size in sizes.values())
    hops = 0
    for move in transfers(wide_world.clean["logs"]):
        if labels[(move["transaction"], move["log_index"])] == "wash_trade":
            assert ring[move["giver"]] == ring[move["taker"]] is not None
            hops += 1
    assert hops >= 5


def test_stolen_payments_lead_to_chargebacks_weeks_later(wide_world: Extract) -> None:
    payments = {payment["payment_id"]: payment for payment in wide_world.clean["payments"]}
    truth = {row["payment_id"]: row for row in wide_world.truth["chargebacks"]}
    assert any(row["label"] == "stolen_card" for row in truth.values())
    for row in truth.values():
        delay = row["received_at"] - payments[row["payment_id"]]["paid_at"]
        assert datetime.timedelta(days=6.99) <= delay <= datetime.timedelta(days=60)
        assert (row["reason"] == "fraud") or row["label"] not in {"stolen_card", "account_takeover"}
    end = datetime.datetime.combine(START + datetime.timedelta(days=LONG_DAYS), datetime.time(), datetime.UTC)
    received = {row["payment_id"] for row in wide_world.clean["chargebacks"]}
    assert received == {key for key, row in truth.items() if row["received_at"] < end}


def test_the_fraud_desk_finds_most_fraud_within_weeks(wide_world: Extract) -> None:
    occurred = {row["transaction_id"]: row for row in wide_world.truth["transactions"]}
    assert len(occurred) == len(wide_world.truth["transactions"])
    first: dict[str, Row] = {}
    for review in wide_world.truth["fraud_reviews"]:
        name = review["transaction_id"]
        assert review["label"] == occurred[name]["label"]
        if name not in first or review["decided_at"] < first[name]["decided_at"]:
            first[name] = review
    delays = sorted(review["decided_at"] - occurred[name]["block_timestamp"] for name, review in first.items())
    assert datetime.timedelta(0) < delays[0] <= delays[-1] <= datetime.timedelta(days=25, seconds=1)
    assert datetime.timedelta(days=3) < delays[len(delays) // 2] < datetime.timedelta(days=8)
    found = [review for review in first.values() if review["label"] != "honest"]
    slow = {"stolen_card"}
    fraud = [row for row in occurred.values() if row["is_fraud"] and row["label"] not in slow]
    assert 0.6 < sum(review["label"] not in slow for review in found) / len(fraud) < 0.95
    assert 0.5 < len(found) / (len(first) - len(found)) < 2
    wrong = [r for r in first.values() if (r["verdict"] == "fraud") != (r["label"] != "honest")]
    assert 0 < len(wrong) / len(first) < 0.1
    assert {review["fraud_kind"] for review in found if review["verdict"] == "fraud"} >= DISHONEST - slow


def test_the_verdicts_of_a_day_are_those_that_were_due(wide_world: Extract) -> None:
    end = datetime.datetime.combine(START + datetime.timedelta(days=LONG_DAYS), datetime.time(), datetime.UTC)

    def verdicts(rows: list[Row]) -> Counter[tuple[Any, ...]]:
        return Counter((row["transaction_id"], row["decided_at"], row["verdict"]) for row in rows if row["decided_at"] < end)

    assert verdicts(wide_world.clean["fraud_reviews"]) == verdicts(wide_world.truth["fraud_reviews"])


def test_watch_lists_name_dishonest_wallets_days_late_and_honest_ones_by_mistake(wide_world: Extract) -> None:
    roles = {row["wallet_address"]: row["role"] for row in wide_world.truth["wallets"]}
    dishonest = {wallet for wallet, role in roles.items() if role in DISHONEST_ROLES}
    opened = {row["wallet_address"]: row["created_at"] for row in wide_world.clean["users"]}
    listed = wide_world.clean["watch_list"]
    assert len({(row["list_name"], row["address"]) for row in listed}) == len(listed)
    named = {row["address"] for row in listed}
    assert 0.05 < len(named & dishonest) / len(dishonest) < 0.35
    mistaken = named & (roles.keys() - dishonest)
    assert 0 < len(mistaken) < len(named & dishonest)
    assert len(named - roles.keys()) > len(named) / 2
    delays = [row["listed_at"] - opened[row["address"]] for row in listed if row["address"] in opened]
    assert min(delays) > datetime.timedelta(hours=1)
    assert datetime.timedelta(days=1) < sorted(delays)[len(delays) // 2] < datetime.timedelta(days=10)


def test_verdicts_name_a_sale_by_its_market_s_log_and_a_gift_by_its_transfer(wide_world: Extract) -> None:
    topics = {(log["transaction_hash"], log["log_index"]): log["topics"][0] for log in wide_world.clean["logs"]}
    sold = {transaction for (transaction, _), topic in topics.items() if topic != TRANSFER.topic}
    for row in wide_world.truth["transactions"]:
        transaction, index, place = row["transaction_id"].split(":")
        assert transaction == row["transaction_hash"]
        assert place == "0"
        assert (topics[transaction, int(index)] == TRANSFER.topic) == (transaction not in sold)
        assert abs(int(index) - row["log_index"]) == (transaction in sold)


def test_fraud_without_any_trace_is_rare_and_a_ring_s_first_hop_has_most_of_it(wide_world: Extract) -> None:
    truth = wide_world.truth["transactions"]
    fraud = [row for row in truth if row["is_fraud"]]
    hidden = [row for row in truth if row["is_hidden"]]
    assert all(row["is_fraud"] for row in hidden)
    assert 0 < len(hidden) / len(fraud) < 0.15
    assert {row["label"] for row in hidden} <= {"wash_trade", "scalping"}
    moves = {(move["transaction"], move["log_index"]): move for move in transfers(wide_world.clean["logs"])}
    washed: set[tuple[str, int]] = set()
    for row in sorted(fraud, key=lambda row: (row["block_timestamp"], row["log_index"])):
        if row["label"] == "wash_trade":
            move = moves[row["transaction_hash"], row["log_index"]]
            token = (move["contract"], move["token"])
            assert not (row["is_hidden"] and token in washed)
            washed.add(token)


def test_verdicts_of_a_played_world_name_the_transactions_of_the_chain(tmp_path: Path) -> None:
    simulate(tmp_path, days=DAYS, daily_events=DAILY_EVENTS, seed=SEED, start=START)
    before = pq.read_table(tmp_path / "fraud_reviews")["transaction_id"].to_pylist()
    simulated = sorted(set(pq.read_table(tmp_path / "logs")["transaction_hash"].to_pylist()))
    on_chain = [f"0x{number:064x}" for number in range(len(simulated))]
    heights = pq.read_table(tmp_path / "blocks").select(["number", "hash", "parent_hash"])
    transactions = pa.table({"simulated_hash": simulated, "hash": on_chain})
    carry_hashes(tmp_path, Played(31337, 1, 2, 3, 0, (), heights, transactions))
    hash_of = dict(zip(simulated, on_chain, strict=True))
    after = pq.read_table(tmp_path / "fraud_reviews")["transaction_id"].to_pylist()
    assert after == [f"{hash_of[transaction]}:{rest}" for transaction, rest in (name.split(":", 1) for name in before)]
    assert after
    for row in _rows([tmp_path / "truth" / "transactions.parquet"]):
        assert row["transaction_id"].startswith(row["transaction_hash"] + ":")
        assert row["transaction_hash"] in hash_of.values()


def test_sizes_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        simulate(tmp_path, days=0, daily_events=1_000, seed=1)
    with pytest.raises(ValueError, match="daily_events must lie between"):
        simulate(tmp_path, days=1, daily_events=10, seed=1)
