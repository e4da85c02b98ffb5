"""What an erasure does to rows: those of the person lose what is personal, all others stay as they are."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.contract import PERSON, WALLET
from ticketintel_pipelines.features.keys import key
from ticketintel_pipelines.intake.files import FORMATS
from ticketintel_pipelines.quality.predicates import violation
from ticketintel_pipelines.retention.erasure_person import TEXT_TYPES, Person, personal_columns, tells_of_people
from ticketintel_pipelines.retention.erasure_rows import count_in, erased, write_like
from ticketintel_pipelines.retention.erasure_texts import masked, pattern_of, text_places
from ticketintel_pipelines.ticketing.features.families import FAMILIES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.activity import SESSIONS
from ticketintel_pipelines.ticketing.tables.platform import USERS

WALLET_ADDRESS = "0x" + "ab" * 20
ADA = Person(
    {
        PERSON: frozenset({"ada"}),
        WALLET: frozenset({WALLET_ADDRESS}),
        "session": frozenset({"visit-1", "visit-2"}),
        "device": frozenset({"device-1"}),
        "email": frozenset({"ada@example.net"}),
    },
    frozenset({"Ada Lovelace"}),
)
VISITS = st.tuples(
    st.sampled_from(["visit-1", "visit-7", "x"]),
    st.sampled_from([None, "ada", "bob"]),
    st.sampled_from([None, "device-1", "device-2", "shared"]),
)


def sessions(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    """Visits of an account from a device."""
    names, users, devices = zip(*rows, strict=True)
    return pa.table(
        {
            "session_id": pa.array(names, pa.string()),
            "user_id": pa.array(users, pa.string()),
            "device_id": pa.array(devices, pa.string()),
            "ip_hash": pa.array(["0" * 32] * len(rows)),
            "page_views": pa.array(range(len(rows))),
        }
    )


def test_rows_of_the_person_are_those_with_an_identifier_that_is_theirs_alone() -> None:
    rows = sessions(
        ("visit-1", "ada", "shared"),
        ("visit-2", None, "device-2"),
        ("visit-9", None, "device-1"),
        ("visit-3", "bob", "shared"),
        ("visit-4", None, "shared"),
    )
    after, count = erased(rows, SESSIONS.columns, ADA)
    assert count == 3
    assert after["user_id"].to_pylist() == [None, None, None, "bob", None]
    assert after["device_id"].to_pylist() == [None, None, None, "shared", "shared"]
    assert after["session_id"].to_pylist()[3:] == ["visit-3", "visit-4"]
    assert all(name.startswith("erased-") for name in after["session_id"].to_pylist()[:3])
    assert after["page_views"].equals(rows["page_views"])


@given(st.lists(VISITS, min_size=1))
def test_erasing_twice_is_erasing_once_and_no_row_of_others_changes(rows: list[tuple[str, str | None, str | None]]) -> None:
    table = sessions(*rows)
    once, count = erased(table, SESSIONS.columns, ADA)
    again, found = erased(once, SESSIONS.columns, ADA)
    assert found == 0 and again.equals(once)
    assert len(once) == len(table)
    places = [
        place
        for place, (session, user, device) in enumerate(rows)
        if session != "visit-1" and user != "ada" and device != "device-1"
    ]
    others = pa.array(places, pa.int64())
    assert once.take(others).equals(table.take(others))
    assert count == len(rows) - len(others)


def test_the_same_identifier_gets_the_same_text_everywhere_and_another_one_in_another_erasure() -> None:
    column = SESSIONS.column("session_id")
    assert ADA.stand_in(column, "visit-1") == Person.decoded(ADA.encoded).stand_in(column, "visit-1")
    assert ADA.stand_in(column, "visit-1") != Person(ADA.identifiers).stand_in(column, "visit-1")


def test_what_stands_in_keeps_the_rules_of_its_column() -> None:
    """Otherwise the rows would go to quarantine when they are next validated."""
    for table in TICKETING.tables:
        for column in personal_columns(table) if tells_of_people(table) else ():
            if not column.required:
                continue
            assert column.type in TEXT_TYPES, (table.name, column.name)
            value = ADA.stand_in(column, "anything")
            for rule in table.rules:
                broken = violation(rule)
                if getattr(rule.check, "column", None) == column.name and broken is not None and "parent" not in broken:
                    query = f"SELECT count(*) FROM (SELECT $1 AS {column.name}) AS c WHERE {broken}"
                    assert duckdb.execute(query, [value]).fetchall() == [(0,)], (table.name, rule.name)


def test_features_lose_the_numbers_of_the_person_and_places_of_theirs_go() -> None:
    columns = next(one.columns for one in OBSERVATIONS if one.name == "payments_made")
    rows = pa.table({"user_key": [key("ada"), key("bob")], "instrument_key": [1, 2], "wallet_key": [3, 4]})
    after, count = erased(rows, columns, ADA)
    assert count == 1
    assert after.to_pylist() == [
        {"user_key": None, "instrument_key": None, "wallet_key": 3},
        {"user_key": key("bob"), "instrument_key": 2, "wallet_key": 4},
    ]
    places = next(one.columns for one in OBSERVATIONS if one.name == "located_sessions")
    visits = pa.table({"session_key": [key("visit-1"), 9], "user_key": [None, key("bob")], "latitude": [592, 1]})
    after, count = erased(visits, places, ADA)
    assert (count, after["latitude"].to_pylist()) == (1, [1])


def test_every_table_with_an_account_says_which_column_it_is() -> None:
    for table in TICKETING.tables:
        for column in table.columns:
            if column.name in ("user_id", "session_id", "device_id", "instrument_id", "email"):
                assert column.personal and column.identifies, (table.name, column.name)
    assert USERS.column("user_id").identifies == PERSON
    assert {family.name for family in FAMILIES if any(column.personal for column in family.columns)} == set()


def test_a_file_is_written_as_it_was_with_nulls_where_none_were_foreseen(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    schema = pa.schema([pa.field("user_id", pa.string(), nullable=False), pa.field("session_id", pa.string(), nullable=False)])
    pq.write_table(pa.table({"user_id": ["ada"], "session_id": ["visit-1"]}, schema=schema), file, compression="snappy")
    assert count_in(file, SESSIONS.columns, ADA) == 1
    rows, _ = erased(pq.read_table(file), SESSIONS.columns, ADA)
    write_like(rows, tmp_path / "new.parquet", file)
    assert count_in(tmp_path / "new.parquet", SESSIONS.columns, ADA) == 0
    assert pq.ParquetFile(tmp_path / "new.parquet").metadata.row_group(0).column(0).compression == "SNAPPY"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("KeyError: 'ada@example.net'", "KeyError: '***************'"),
        ('{"who": "Ada Lovelace"}', '{"who": "************"}'),
        ("visit-1, visit-11", "*******, visit-11"),
        ("about ada", "about ada"),
        (WALLET_ADDRESS, WALLET_ADDRESS),
    ],
)
def test_texts_are_masked_whole_and_keep_their_length(text: str, after: str) -> None:
    pattern = pattern_of(ADA)
    assert pattern is not None
    assert masked(text.encode(), pattern).decode() == after


@pytest.mark.parametrize("account", ["104233", "999999"])
def test_an_account_that_is_a_number_goes_and_json_stays_json(account: str) -> None:
    pattern = pattern_of(Person({PERSON: frozenset({account})}))
    assert pattern is not None
    after = masked(f'{{"rows": {account}, "of": "{account}", "more": 1{account}}}'.encode(), pattern)
    assert pattern.search(after) is None
    assert json.loads(after)["more"] == int(f"1{account}")


def test_texts_are_found_as_json_and_html_write_them() -> None:
    pattern = pattern_of(Person({PERSON: frozenset({"zoë & söhne"})}))
    assert pattern is not None
    for written in ("zoë & söhne", r"zo\u00eb & s\u00f6hne", "zoë &amp; söhne"):
        assert masked(written.encode(), pattern) == b"*" * len(written.encode())


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) - {".parquet"}))
def test_raw_files_that_were_left_in_the_home_are_searched(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "inbox" / f"users{suffix}"
    file.parent.mkdir()
    file.write_text('{"email": "ada@example.net"}\n')
    (found,) = text_places(tmp_path)
    found.erase(None, ADA)
    assert file.read_text() == '{"email": "***************"}\n'


def test_nobody_is_known_by_what_is_kept_of_the_request() -> None:
    assert ADA.salt not in repr(ADA)
    assert "salt" not in repr(ADA)
