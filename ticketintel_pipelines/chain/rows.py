"""What a decoder hands back, and the two tables of decoded rows that are put together from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.chain.words import ADDRESS_PADDING, Fault

_PLACE_FIELDS = [
    ("block_number", pa.int64()),
    ("block_timestamp", pa.timestamp("us", "UTC")),
    ("transaction_hash", pa.string()),
    ("log_index", pa.int64()),
]
TRANSFER_SCHEMA = pa.schema(
    [
        *_PLACE_FIELDS,
        ("batch_index", pa.int64()),
        ("contract_address", pa.string()),
        ("standard", pa.string()),
        ("token_id", pa.string()),
        ("quantity", pa.string()),
        ("from_address", pa.string()),
        ("to_address", pa.string()),
    ]
)
SALE_SCHEMA = pa.schema(
    [
        *_PLACE_FIELDS,
        ("marketplace", pa.string()),
        ("contract_address", pa.string()),
        ("token_id", pa.string()),
        ("quantity", pa.string()),
        ("seller_address", pa.string()),
        ("buyer_address", pa.string()),
        ("price_wei", pa.string()),
    ]
)
UNDECODABLE_SCHEMA = pa.schema([("row", pa.int64()), ("reason", pa.string())])

_LOG_COLUMN = {"contract_address": "address"}
"""Where an output column that the event does not hold has another name in the log."""


@dataclass(frozen=True)
class OutputRows:
    """Rows for one output table: the ascending rows of their logs, and the columns that the event itself holds."""

    logs: np.ndarray
    columns: dict[str, pa.Array]


@dataclass(frozen=True)
class Decoded:
    """The result of one decoder: how many logs it understood, the rows they gave, and the logs that are at fault."""

    count: int
    faults: list[Fault]
    transfers: OutputRows | None = None
    sales: OutputRows | None = None


def constant(text: str, count: int) -> pa.StringArray:
    """The same text `count` times."""
    return pa.repeat(pa.scalar(text, pa.string()), count)


def address_text(words: np.ndarray) -> pa.StringArray:
    """Address words (n, 32) as lower-case text."""
    return bytes_to_hex(words[:, ADDRESS_PADDING:])


def assemble(logs: pa.Table, parts: Sequence[OutputRows], schema: pa.Schema) -> pa.Table:
    """The parts as one table in the order of their logs; what the event does not hold comes from the log itself."""
    parts = [part for part in parts if len(part.logs)]
    if not parts:
        return schema.empty_table()
    columns = [pa.concat_arrays([_column(logs, part, field) for part in parts]) for field in schema]
    rows = np.concatenate([part.logs for part in parts])
    if not (rows[1:] >= rows[:-1]).all():
        order = pa.array(np.argsort(rows, kind="stable"))
        columns = [column.take(order) for column in columns]
    return pa.table(columns, schema=schema)


def undecodable_table(faults: Sequence[Fault], first_row: int) -> pa.Table:
    """The faults as `row` (counted from `first_row`) and `reason`, in the order of the rows."""
    if not faults:
        return UNDECODABLE_SCHEMA.empty_table()
    rows = np.concatenate([fault.rows for fault in faults])
    reasons = pa.concat_arrays([constant(fault.reason, len(fault.rows)) for fault in faults])
    order = np.argsort(rows, kind="stable")
    return pa.table([pa.array(rows[order] + first_row), reasons.take(pa.array(order))], schema=UNDECODABLE_SCHEMA)


def _column(logs: pa.Table, part: OutputRows, field: pa.Field) -> pa.Array:
    own = part.columns.get(field.name)
    if own is not None:
        return own
    column = logs[_LOG_COLUMN.get(field.name, field.name)].combine_chunks().cast(field.type)
    if len(part.logs) != len(column) or not (part.logs == np.arange(len(column))).all():
        column = column.take(pa.array(part.logs))
    return column
