"""Wallet addresses as they arrive: EIP-55 checksums in, lower case stored, wrong ones left as they are.

A cell that is left in mixed case breaks the form of an address, so that validation sets its row aside.
"""

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa

from ticketintel_pipelines.chain.checksums import wrong_checksums
from ticketintel_pipelines.contract import ColumnType
from ticketintel_pipelines.intake.casting import Cast
from ticketintel_pipelines.lake.engine import stream

BATCH_ROWS = 100_000
WRONG = "wrong_checksums"


def keep_wrong_checksums(connection: duckdb.DuckDBPyConnection, relation: str, casts: Sequence[Cast]) -> list[Cast]:
    """The casts of a relation's columns, those of address texts changed to leave a cell with a wrong checksum as it is.

    Where there are any, the changed casts refer to a temporary table of them. Reads the address columns once more, and costs
    5 µs for each distinct address in mixed case.
    """
    columns = [cast.raw for cast in casts if cast.column.type is ColumnType.ADDRESS and cast.misfit]
    if not columns:
        return list(casts)
    mixed = (
        f"SELECT DISTINCT address FROM (SELECT unnest([{', '.join(columns)}]) AS address FROM {relation}) "
        "WHERE address <> lower(address)"
    )
    wrong = [batch.filter(pa.array(wrong_checksums(batch.column(0)))) for batch in stream(connection, mixed, BATCH_ROWS)]
    if not sum(batch.num_rows for batch in wrong):
        return list(casts)
    connection.register("found_checksums", pa.Table.from_batches(wrong))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {WRONG} AS FROM found_checksums")
    connection.unregister("found_checksums")
    return [_keeping(cast) if cast.raw in columns else cast for cast in casts]


def _keeping(cast: Cast) -> Cast:
    wrong = f"{cast.raw} IN (SELECT address FROM {WRONG})"
    return replace(cast, sql=f"CASE WHEN {wrong} THEN {cast.raw} ELSE {cast.sql} END")
