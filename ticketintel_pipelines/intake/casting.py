"""From a raw file's cells to the declared types: one SQL expression per column, and one that finds cells that do not fit."""

from dataclasses import dataclass, replace

from ticketintel_pipelines.contract import Column, ColumnType, Place, Table
from ticketintel_pipelines.contract.columns import PLACE_DECIMALS
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.sentences import listed, shortened
from ticketintel_pipelines.lake.engine import identifier, text

SIGNED_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
INTEGER_TYPES = (*SIGNED_TYPES, *(f"U{name}" for name in SIGNED_TYPES))
WITHIN_64_BITS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
FLOAT_TYPES = ("FLOAT", "DOUBLE")
NAIVE_TIMES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
ZONED_TIMES = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
HOUR = r"([01]\d|2[0-3])"
ISO_TIME = rf"\d{{4}}-\d{{2}}-\d{{2}}([ T]{HOUR}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?)?( ?(Z|UTC|[+-]{HOUR}(:?\d{{2}})?))?"
WHOLE_NUMBER = r"[+-]?\d+(\.0+)?"
"""With the zeros that data frames write behind whole numbers when some are missing."""
FINITE_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
TWO_DECIMALS = r"[+-]?\d+(\.\d{0,2}0*)?"
EPOCH_SECONDS = r"\d{9,10}"
LARGEST_EXACT = {"FLOAT": 2**24, "DOUBLE": 2**53}
KEYED_HASH = "[0-9a-fA-F]{32}"
NO_ADDRESS = "no address"
"""Stands for a cell that should hold a client's address and does not: it breaks the form of a hash and repeats nothing."""
YEARS = "TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
"""Beyond, a wrong unit was written as a time; no calendar day has a name there."""

EXPECTED = {
    ColumnType.ADDRESS: "an address (0x and 40 hexadecimal digits)",
    ColumnType.HASH: "a hash (0x and 64 hexadecimal digits)",
    ColumnType.HEX: "hexadecimal bytes (0x and digits)",
    ColumnType.IP_HASH: "the text of an IP address",
    ColumnType.IP_BLOCK_HASH: "the text of an IP address",
    ColumnType.TEXT: "text without NUL characters",
    ColumnType.INTEGER: "a whole number of at most 64 bits",
    ColumnType.UINT256: "a whole number from 0 to 78 digits",
    ColumnType.NUMBER: "a finite number",
    ColumnType.MONEY: "an amount with at most two decimals",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.TIMESTAMP: "a time (ISO 8601 such as 2026-01-31T12:00:00Z, or seconds since 1970)",
}


@dataclass(frozen=True)
class Cast:
    """How one declared column is read: `sql` is the value or NULL, `misfit` is true for a cell that is not of the type.

    `plain` marks a column whose raw cells are addresses of clients. `sql` repeats nothing of them; their hashes are put in its
    place by `hiding.py`.
    """

    column: Column
    raw: str
    sql: str
    misfit: str | None
    plain: bool = False

    @property
    def rule(self) -> str:
        return f"{self.column.name}_type"


def plan_casts(table: Table, types: dict[str, str], file_name: str, *, time_is_joined: bool = False) -> list[Cast]:
    """One cast per declared column, in their order; a column that the file may lack reads as NULL.

    `types` are the file's columns and their DuckDB types. With `time_is_joined` the table's time column is expected under
    its own name from a join and not from the file.

    Raises:
        BadInputError: a required column is missing, or one has a type that cannot hold the declared one.
    """
    by_name = {name.lower(): name for name in types}
    casts: list[Cast] = []
    missing: list[str] = []
    for column in table.columns:
        if time_is_joined and column.name == table.time:
            casts.append(Cast(column, identifier(column.name), identifier(column.name), None))
            continue
        raw, physical = _locate(column, by_name, types)
        if raw is not None:
            casts.append(_cast(column, raw, physical, file_name))
        elif column.required:
            missing.append(column.name)
        else:
            casts.append(Cast(column, "NULL", f"CAST(NULL AS {column.type.duckdb})", None))
    if missing:
        raise BadInputError(
            f"{file_name} lacks the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)} of {table.name}; "
            f"it has {listed(types)}"
        )
    return casts


def has_column(column: Column, types: dict[str, str]) -> bool:
    return _locate(column, {name.lower(): name for name in types}, types)[0] is not None


def _locate(column: Column, by_name: dict[str, str], types: dict[str, str]) -> tuple[str | None, str]:
    for name in (column.name, *column.aliases):
        if (actual := by_name.get(name.lower())) is not None:
            return identifier(actual), types[actual]
    # ethereum-etl keeps a log's topics in one column: a list in Parquet, joined by commas in CSV, an array in JSON.
    if column.name.startswith("topic") and (topics := by_name.get("topics")) is not None:
        place = int(column.name.removeprefix("topic")) + 1
        physical = types[topics]
        if physical.endswith("]"):
            return f"{identifier(topics)}[{place}]", physical[: physical.rindex("[")]
        if physical == "VARCHAR":
            return f"regexp_extract_all({identifier(topics)}, '[^\\[\\]\", ]+')[{place}]", physical
        return identifier(topics), physical
    return None, ""


def _cast(column: Column, raw: str, physical: str, file_name: str) -> Cast:
    cast = _cast_value(column, raw, physical, file_name)
    if column.place in (Place.LATITUDE, Place.LONGITUDE):
        return replace(cast, sql=f"round({cast.sql}, {PLACE_DECIMALS})")
    return cast


def _cast_value(column: Column, raw: str, physical: str, file_name: str) -> Cast:
    kind = column.type
    if physical == "VARCHAR":
        return _cast_address(column, raw) if kind.is_keyed_hash else _cast_text(column, raw)
    sql: str | None = None
    misfit: str | None = None
    if kind.is_hexadecimal and physical == "BLOB":
        sql = f"'0x' || lower(hex({raw}))"
    elif kind is ColumnType.TEXT and physical in (*INTEGER_TYPES, "UUID"):
        sql = f"CAST({raw} AS VARCHAR)"
    elif kind is ColumnType.INTEGER and physical in WITHIN_64_BITS:
        sql = f"CAST({raw} AS BIGINT)"
    elif kind is ColumnType.INTEGER and physical in INTEGER_TYPES:
        sql = f"TRY_CAST({raw} AS BIGINT)"
        misfit = f"{raw} IS NOT NULL AND {sql} IS NULL"
    elif kind is ColumnType.INTEGER and physical in FLOAT_TYPES:
        # Data frames write whole numbers with gaps as floats.
        sql = f"TRY_CAST({raw} AS BIGINT)"
        exact = f"isfinite({raw}) AND {raw} = trunc({raw}) AND abs({raw}) < {LARGEST_EXACT[physical]}"
        misfit = f"{raw} IS NOT NULL AND NOT ({exact})"
    elif kind is ColumnType.UINT256 and (physical in INTEGER_TYPES or physical.endswith(",0)")):
        sql = f"CAST({raw} AS VARCHAR)"
        misfit = f"{raw} < 0"
    elif kind is ColumnType.NUMBER and (physical in (*INTEGER_TYPES, *FLOAT_TYPES) or physical.startswith("DECIMAL")):
        sql = f"CAST({raw} AS DOUBLE)"
        misfit = f"{raw} IS NOT NULL AND NOT isfinite({sql})"
    elif kind is ColumnType.MONEY and physical == "DECIMAL(18,2)":
        sql = raw
    elif kind is ColumnType.MONEY and (physical in INTEGER_TYPES or physical.startswith("DECIMAL")):
        sql = f"TRY_CAST({raw} AS DECIMAL(18,2))"
        # In digits: as binary fractions, large amounts a hair apart are equal.
        misfit = f"NOT regexp_full_match(CAST({raw} AS VARCHAR), {text(TWO_DECIMALS)}) OR ({raw} IS NOT NULL AND {sql} IS NULL)"
    elif kind is ColumnType.MONEY and physical in FLOAT_TYPES:
        # The shortest decimal of a float is what was meant; widening it adds digits.
        amount = raw if physical == "DOUBLE" else f"CAST(CAST({raw} AS VARCHAR) AS DOUBLE)"
        sql = f"TRY_CAST({amount} AS DECIMAL(18,2))"
        misfit = f"{raw} IS NOT NULL AND ({sql} IS NULL OR abs({amount} - CAST({sql} AS DOUBLE)) > 1e-6)"
    elif kind is ColumnType.BOOLEAN and physical == "BOOLEAN":
        sql = raw
    elif kind is ColumnType.BOOLEAN and physical in INTEGER_TYPES:
        sql = f"CAST({raw} AS BOOLEAN)"
        misfit = f"{raw} NOT IN (0, 1)"
    elif kind is ColumnType.TIMESTAMP and physical in ZONED_TIMES:
        sql = f"CAST({raw} AS TIMESTAMPTZ)"
        misfit = f"({sql}) NOT BETWEEN {YEARS}"
    elif kind is ColumnType.TIMESTAMP and physical in (*NAIVE_TIMES, "DATE"):
        sql = f"TRY_CAST({raw} AS TIMESTAMP) AT TIME ZONE 'UTC'"
        misfit = f"{raw} IS NOT NULL AND coalesce(({sql}) NOT BETWEEN {YEARS}, true)"
    elif kind is ColumnType.TIMESTAMP and physical in INTEGER_TYPES:
        # Beyond ten digits the number is in milliseconds, which the contract does not know.
        sql = f"CASE WHEN {raw} BETWEEN 0 AND 9999999999 THEN to_timestamp({raw}) END"
        misfit = f"{raw} IS NOT NULL AND {raw} NOT BETWEEN 0 AND 9999999999"
    elif physical == '"NULL"':
        sql = f"CAST(NULL AS {kind.duckdb})"
    if sql is None:
        name = listed([raw.replace('"', "")])
        raise BadInputError(
            f"{file_name}, column {name} is of type {shortened(physical)}, which cannot hold {EXPECTED[kind]} "
            f"(rule {column.name}_type); export it as text or in that type"
        )
    return Cast(column, raw, sql, misfit)


def _cast_address(column: Column, raw: str) -> Cast:
    """A column under its own name holds hashes made before; under another, addresses, whatever they look like."""
    if raw.lower() != identifier(column.name):
        other = text(NO_ADDRESS) if column.type is ColumnType.IP_HASH else "CAST(NULL AS VARCHAR)"
        return Cast(column, raw, f"CASE WHEN {raw} <> '' THEN {other} END", None, plain=True)
    is_hash = f"regexp_full_match({raw}, {text(KEYED_HASH)})"
    return Cast(column, raw, f"CASE WHEN {is_hash} THEN lower({raw}) WHEN {raw} <> '' THEN {text(NO_ADDRESS)} END", None)


def _cast_text(column: Column, raw: str) -> Cast:
    kind = column.type
    if kind is ColumnType.TEXT:
        return Cast(column, raw, f"NULLIF({raw}, '')", f"contains({raw}, chr(0))")
    nulls = ", ".join(text(null) for null in ("", *column.nulls))
    cell = f"(CASE WHEN {raw} IN ({nulls}) THEN NULL ELSE {raw} END)" if column.nulls else f"NULLIF({raw}, '')"
    if kind.is_hexadecimal:
        return Cast(column, raw, f"lower({cell})", f"NOT regexp_full_match({cell}, '0x[0-9a-fA-F]*')")
    fits, sql = {
        ColumnType.INTEGER: (WHOLE_NUMBER, f"TRY_CAST(regexp_replace({cell}, '[.]0+$', '') AS BIGINT)"),
        ColumnType.UINT256: (
            r"\d{1,78}",
            f"CASE WHEN {cell} LIKE '0_%' THEN coalesce(NULLIF(ltrim({cell}, '0'), ''), '0') ELSE {cell} END",
        ),
        ColumnType.NUMBER: (FINITE_NUMBER, f"TRY_CAST({cell} AS DOUBLE)"),
        ColumnType.MONEY: (TWO_DECIMALS, f"TRY_CAST({cell} AS DECIMAL(18,2))"),
        ColumnType.BOOLEAN: (r".*", f"TRY_CAST({cell} AS BOOLEAN)"),
        ColumnType.TIMESTAMP: (
            f"{ISO_TIME}|{EPOCH_SECONDS}",
            f"CASE WHEN regexp_full_match({cell}, '{EPOCH_SECONDS}') THEN to_timestamp(TRY_CAST({cell} AS BIGINT)) "
            f"ELSE TRY_CAST({cell} AS TIMESTAMPTZ) END",
        ),
    }[kind]
    misfit = f"{cell} IS NOT NULL AND (NOT regexp_full_match({cell}, {text(fits)}) OR ({sql}) IS NULL"
    if kind is ColumnType.NUMBER:
        misfit += f" OR NOT isfinite({sql})"
    elif kind is ColumnType.TIMESTAMP:
        misfit += f" OR ({sql}) NOT BETWEEN {YEARS}"
    misfit += ")"
    return Cast(column, raw, sql, misfit)
