"""Putting what is kept of clients' addresses in the place of the addresses, before anything of a row is written.

Distinct addresses are hashed and joined. That costs half of what hashing row by row in SQL does, knows every way of writing an
address, and is one pass with looking their places up.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column, Place, Table
from ticketintel_pipelines.intake.casting import Cast, plan_casts
from ticketintel_pipelines.intake.clients import Clients, kept_name
from ticketintel_pipelines.intake.reading import RawRelation
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, parquet, stream, text
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder

BATCH_ROWS = 100_000
ADDRESS = "client address"
KEPT = "kept_of_clients"
COORDINATES = (Place.LATITUDE, Place.LONGITUDE)


def hide_addresses(
    connection: duckdb.DuckDBPyConnection, relation: RawRelation, casts: Sequence[Cast], clients: Clients
) -> tuple[RawRelation, list[Cast]]:
    """The relation joined with what is kept of its addresses, and casts that write that and not the addresses.

    A place that the source does not tell is filled from the address. The join lives as long as the connection, or until the
    next one.
    """
    raw = next((cast.raw for cast in casts if cast.plain), None)
    if raw is None:
        return relation, list(casts)
    placed = any(cast.column.place for cast in casts)
    distinct = f"SELECT DISTINCT {raw} AS {identifier(ADDRESS)} FROM {relation.sql} WHERE {raw} <> ''"
    pieces = [_kept(batch.column(0), clients, placed) for batch in stream(connection, distinct, BATCH_ROWS)]
    connection.register(KEPT, pa.concat_tables(pieces or [_kept(pa.array([], pa.string()), clients, placed)]))
    joined = f"(SELECT * FROM {relation.sql} AS raw LEFT JOIN {KEPT} AS kept ON kept.{identifier(ADDRESS)} = raw.{raw})"
    # The engine keeps the order of the joined rows in all but odd plans. Sorting them to be sure costs as much as the join,
    # and nothing depends on it: each row has its number beside it.
    return replace(relation, sql=joined), [_hiding(cast, casts) for cast in casts]


def _kept(addresses: pa.Array, clients: Clients, placed: bool) -> pa.Table:
    return clients.kept(addresses, placed=placed).append_column(ADDRESS, addresses)


def _hiding(cast: Cast, casts: Sequence[Cast]) -> Cast:
    if cast.plain:
        return replace(cast, sql=identifier(kept_name(cast.column.type)))
    if cast.column.place is None:
        return cast
    together = _together(cast.column.place)
    unknown = " AND ".join(f"({other.sql}) IS NULL" for other in casts if other.column.place in together)
    return replace(cast, sql=f"CASE WHEN {unknown} THEN {identifier(kept_name(cast.column.place))} ELSE {cast.sql} END")


def _together(place: Place) -> tuple[Place, ...]:
    """What is filled together with a part of a place: a coordinate each of two sources would be a third place."""
    return COORDINATES if place in COORDINATES else (place,)


def hide_in_batch(batch: pa.RecordBatch, table: Table, plain: Sequence[str], clients: Clients) -> pa.RecordBatch:
    """A batch of texts under declared names with the addresses of its `plain` columns, which are the same, hidden.

    Columns of the place that the batch does not have are added to it.
    """
    places = [column for column in table.columns if column.place is not None]
    encoded = _unless_empty(batch.column(plain[0])).dictionary_encode()
    kept = clients.kept(encoded.dictionary, placed=bool(places)).take(encoded.indices)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns |= {name: _one(kept, table.column(name)) for name in plain}
    own = {column.name: _unless_empty(columns.get(column.name, pa.nulls(len(batch), pa.string()))) for column in places}
    for column in places:
        assert column.place is not None
        told = [own[other.name].is_valid() for other in places if other.place in _together(column.place)]
        looked_up = _one(kept, column).cast(pa.string())
        columns[column.name] = pc.if_else(reduce(pc.or_, told), own[column.name], looked_up)
    return pa.record_batch(columns)


def _one(kept: pa.Table, column: Column) -> pa.Array:
    return kept[kept_name(column.place or column.type)].combine_chunks()


def _unless_empty(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def with_addresses(table: Table, fragments: Sequence[Path]) -> list[Path]:
    """Those fragments of a table that were landed while addresses were still kept."""
    names = {alias for column in table.columns if column.type.is_keyed_hash for alias in column.aliases}
    return [path for path in fragments if names.intersection(pq.read_schema(path).names)] if names else []


def hide_old_addresses(
    connection: duckdb.DuckDBPyConnection, table: Table, fragments: Sequence[Path], lake: Lake, clients: Clients
) -> None:
    """Rewrite fragments that hold addresses without them, each in one step."""
    with scratch_folder(lake) as scratch:
        for path in fragments:
            described = fetch_rows(connection, f"DESCRIBE SELECT * FROM {parquet([path])}")
            relation = RawRelation(parquet([path]), {row[0]: row[1] for row in described})
            relation, casts = hide_addresses(connection, relation, plan_casts(table, relation.types, path.name), clients)
            columns = ", ".join(f"{cast.sql} AS {identifier(cast.column.name)}" for cast in casts)
            hidden = scratch / path.name
            connection.execute(
                f"COPY (SELECT {columns}, source_file, source_row FROM {relation.sql} ORDER BY source_row) "
                f"TO {text(str(hidden))} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )
            move_into_place(hidden, path)
