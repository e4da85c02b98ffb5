"""Keys made of texts: Python and SQL agree on them, so that rows from either meet under the same key."""

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.features.keys import key_of
from ticketintel_pipelines.features.rows import MISSING, integers
from ticketintel_pipelines.lake.engine import fetch_table

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=30)


def keys_in_sql(texts: pa.Array) -> list[int]:
    engine = duckdb.connect()
    engine.register("asked", pa.table({"place": range(len(texts)), "text": texts}))
    statement = "SELECT CAST(md5_number_lower(text) >> 1 AS BIGINT) AS key FROM asked ORDER BY place"
    return integers(fetch_table(engine, statement)["key"]).tolist()


@given(TEXTS)
def test_python_and_sql_make_the_same_keys(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    assert key_of(column).tolist() == keys_in_sql(column)


def test_a_key_has_63_bits_and_null_has_none() -> None:
    keys = key_of(pa.array([*(str(number) for number in range(1000)), None])).tolist()
    assert keys[-1] == MISSING
    assert all(0 <= key < 2**63 for key in keys[:-1])
    assert len(set(keys)) == 1001


def test_chunks_and_dictionaries_make_no_difference() -> None:
    plain = pa.array(["0xA", None, "0xB", "0xA", ""])
    expected = key_of(plain).tolist()
    assert key_of(pa.chunked_array([plain[:2], plain[2:]])).tolist() == expected
    assert key_of(plain.dictionary_encode()).tolist() == expected
    assert key_of(pa.chunked_array([plain[:2].dictionary_encode(), plain[2:].dictionary_encode()])).tolist() == expected
    with_null = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["0xA", None]))
    assert key_of(with_null).tolist() == [expected[0], MISSING, MISSING]


def test_no_rows() -> None:
    assert key_of(pa.array([], pa.string())).tolist() == []
    assert key_of(pa.chunked_array([], pa.string())).tolist() == []
