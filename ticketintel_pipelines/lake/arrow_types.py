"""The declared column types in Arrow, as they lie in the lake."""

from collections.abc import Iterable

import pyarrow as pa

from ticketintel_pipelines.contract import Column, ColumnType

_ARROW_TYPES = {
    ColumnType.TIMESTAMP: pa.timestamp("us", "UTC"),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.MONEY: pa.decimal128(18, 2),
    ColumnType.BOOLEAN: pa.bool_(),
}


def arrow_type(column: Column) -> pa.DataType:
    """Text for everything that Arrow has no exact type for."""
    return _ARROW_TYPES.get(column.type, pa.string())


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    return pa.schema([(column.name, arrow_type(column)) for column in columns])
