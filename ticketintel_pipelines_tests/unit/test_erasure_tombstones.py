"""Who was erased does not come back with a later extract; who signs up anew is a new person."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import PERSON, WALLET
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.retention.tombstones import Tombstones, lasting_words, value_hash
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.activity import API_REQUESTS
from ticketintel_pipelines.ticketing.tables.platform import USERS
from ticketintel_pipelines_tests.unit.raw_files import Deployment, user, write_rows

KEY = b"a key of thirty-two bytes or so."
ERASED_AT = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
W = "0x" + "ab" * 20


def tombstones(**values: str) -> Tombstones:
    since = {word: {value_hash(KEY, word, value): ERASED_AT} for word, value in values.items()}
    return Tombstones(KEY, {"ticketing": since})


STONES = tombstones(**{PERSON: "ada", WALLET: W, "email": "ada@example.net", "session": "visit-1"})


def sieved(folder: Path, *rows: tuple[str, datetime, str | None, str]) -> tuple[list[tuple], int]:
    """Rows of users by what is left of them, and how many were concerned."""
    part = folder / "part.parquet"
    ids, times, wallets, emails = zip(*rows, strict=True)
    table = {
        "user_id": ids,
        "created_at": pa.array(times, pa.timestamp("us", "UTC")),
        "wallet_address": wallets,
        "email": emails,
    }
    pq.write_table(pa.table(table), part)
    left, concerned = STONES.sieve(TICKETING, USERS, part)
    after = pq.read_table(part)
    assert len(after) == left
    return [tuple(row[name] for name in ("user_id", "wallet_address", "email")) for row in after.to_pylist()], concerned


def test_an_erased_account_is_left_out_whenever_it_comes(tmp_path: Path) -> None:
    rows, concerned = sieved(
        tmp_path, ("ada", BEFORE, None, "x@y.z"), ("ada", AFTER, None, "x@y.z"), ("bob", BEFORE, None, "b@y.z")
    )
    assert (rows, concerned) == ([("bob", None, "b@y.z")], 2)


def test_an_erased_address_of_mail_is_left_out_unless_its_account_is_newer(tmp_path: Path) -> None:
    rows, concerned = sieved(tmp_path, ("old", BEFORE, None, "ada@example.net"), ("new", AFTER, None, "ada@example.net"))
    assert (rows, concerned) == ([("new", None, "ada@example.net")], 1)


def test_a_wallet_is_not_tied_again_to_anybody_of_before(tmp_path: Path) -> None:
    rows, concerned = sieved(tmp_path, ("bob", BEFORE, W, "b@y.z"), ("new", AFTER, W, "n@y.z"))
    assert (rows, concerned) == ([("bob", None, "b@y.z"), ("new", W, "n@y.z")], 1)


def test_rows_without_an_account_are_known_by_their_visit(tmp_path: Path) -> None:
    part = tmp_path / "part.parquet"
    times = pa.array([BEFORE, BEFORE], pa.timestamp("us", "UTC"))
    rows = {"request_id": ["1", "2"], "requested_at": times, "session_id": ["visit-1", "visit-2"], "user_id": [None, None]}
    pq.write_table(pa.table({**rows, "user_id": pa.array([None, None], pa.string())}), part)
    assert STONES.sieve(TICKETING, API_REQUESTS, part) == (1, 1)
    assert pq.read_table(part)["request_id"].to_pylist() == ["2"]


def test_without_anybody_erased_a_file_is_not_even_read(tmp_path: Path) -> None:
    part = tmp_path / "part.parquet"
    pq.write_table(pa.table({"user_id": ["ada"]}), part)
    assert Tombstones().sieve(TICKETING, USERS, part) == (1, 0)
    assert tombstones(device="d").sieve(TICKETING, USERS, part) == (1, 0)


def test_tombstones_are_for_what_names_a_row_or_the_account_for_ever() -> None:
    assert lasting_words(TICKETING) == {PERSON, WALLET, "session", "email"}


def test_who_is_erased_is_asked_only_once_no_erasure_can_begin_any_more(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)

    def known_by_now() -> Tombstones:
        assert deployment.catalog.is_locked
        return STONES

    deployment.clients = Clients(KEY, tombstones=known_by_now)
    write_rows(deployment.raw / "users.jsonl", [user(101), user(102, user_id="ada")])
    deployment.take_in()
    assert [row["user_id"] for row in deployment.rows("users")] == [user(101)["user_id"]]
