"""Values travel to Postgres in its binary form and arrive as the same values."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.lake.arrow_types import arrow_schema
from ticketintel_pipelines.warehouse.binary_copy import numeric_from_digits
from ticketintel_pipelines.warehouse.loading import copy_batches

COLUMNS = (
    Column("word", ColumnType.TEXT, "any text"),
    Column("height", ColumnType.INTEGER, "64 bits"),
    Column("wei", ColumnType.UINT256, "256 bits"),
    Column("share", ColumnType.NUMBER, "a float"),
    Column("price", ColumnType.MONEY, "two decimals"),
    Column("paid", ColumnType.BOOLEAN, "yes or no"),
    Column("at", ColumnType.TIMESTAMP, "an instant"),
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 9999, 10_000, 10**18, 10**77, 2**256 - 1]),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.decimals(Decimal("-9999999999999999.99"), Decimal("9999999999999999.99"), places=2),
        st.none() | st.booleans(),
        st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda at: at.replace(tzinfo=UTC)),
    ),
    max_size=20,
)


@pytest.fixture
def connection(server_url: str) -> Any:
    with psycopg.connect(server_url, options="-c TimeZone=UTC") as connection:
        types = ", ".join(f"{column.name} {column.type.postgres}" for column in COLUMNS)
        connection.execute(f"CREATE TEMP TABLE arrivals (place int GENERATED ALWAYS AS IDENTITY, {types})")
        yield connection
        connection.rollback()


@given(rows=ROWS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_arrives_as_it_was(connection: psycopg.Connection, rows: list[tuple[Any, ...]]) -> None:
    texts = [tuple(str(cell) if place == 2 and cell is not None else cell for place, cell in enumerate(row)) for row in rows]
    schema = arrow_schema(COLUMNS)
    arrays = [pa.array([row[place] for row in texts], field.type) for place, field in enumerate(schema)]
    batches = pa.table(arrays, schema=schema).to_batches(max_chunksize=7)
    connection.execute("TRUNCATE arrivals")
    assert copy_batches(connection, ("arrivals",), COLUMNS, batches) == len(rows)
    names = ", ".join(column.name for column in COLUMNS)
    arrived = connection.execute(f"SELECT {names} FROM arrivals ORDER BY place").fetchall()
    assert arrived == rows


def test_a_slice_of_numbers_is_encoded_as_itself() -> None:
    numbers = pa.array(["7", None, "123456789", "10000"])
    assert (
        numeric_from_digits(numbers.slice(1, 2)).to_pylist() == numeric_from_digits(pa.array([None, "123456789"])).to_pylist()
    )


def test_no_numbers_are_no_bytes() -> None:
    assert len(numeric_from_digits(pa.array([], pa.string()))) == 0
    assert numeric_from_digits(pa.array([None], pa.string())).to_pylist() == [None]


@pytest.mark.parametrize("text", ["-1", "1e3", "٣", "12 "])
def test_what_is_no_whole_number_is_refused_before_the_server_sees_it(text: str) -> None:
    with pytest.raises(ValueError):
        numeric_from_digits(pa.array([text, "1"]))
