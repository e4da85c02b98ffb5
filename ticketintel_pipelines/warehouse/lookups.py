"""Looking up what is published by key: a night's keys against indexes, so that the cost is that of the night."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import psycopg
import pyarrow as pa
from psycopg import sql

from ticketintel_pipelines.contract import ColumnType, Domain
from ticketintel_pipelines.lake.arrow_types import arrow_type
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.warehouse.loading import copy_batches


def look_up(
    connection: psycopg.Connection,
    domain: Domain,
    table_name: str,
    columns: Sequence[str],
    values: pa.Table,
    carried: Sequence[str] = (),
    outside: DayRange | None = None,
) -> pa.Table:
    """The published rows of a table whose `columns` are among `values`, with the carried columns; not those of `outside`.

    `values` has exactly `columns`, each row once.
    """
    table = domain.by_name[table_name]
    target = sql.Identifier(domain.name, table_name)
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    same = sql.SQL(" AND ").join(sql.SQL("t.{0} = w.{0}").format(sql.Identifier(name)) for name in columns)
    picked = sql.SQL(", ").join(_as_text(table.column(name).type, name) for name in (*columns, *carried))
    with connection.transaction():
        connection.execute("DROP TABLE IF EXISTS pg_temp.wanted")
        connection.execute(
            sql.SQL("CREATE TEMP TABLE wanted ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(names, target)
        )
        copy_batches(connection, ("wanted",), [table.column(name) for name in columns], values.to_batches())
        connection.execute("ANALYZE wanted")
        query = sql.SQL("SELECT {} FROM wanted w JOIN {} t ON {}").format(picked, target, same)
        parameters: tuple[datetime, ...] = ()
        if outside is not None:
            query += sql.SQL(" WHERE NOT (t.{0} >= %s AND t.{0} < %s)").format(sql.Identifier(table.time))
            parameters = (
                datetime.combine(outside.first, time(), UTC),
                datetime.combine(outside.last + timedelta(days=1), time(), UTC),
            )
        rows = connection.execute(query, parameters).fetchall()
    arrays = [
        pa.array([row[place] for row in rows], arrow_type(table.column(name)))
        for place, name in enumerate((*columns, *carried))
    ]
    return pa.table(arrays, names=[*columns, *carried])


def _as_text(kind: ColumnType, name: str) -> sql.Composable:
    """Whole numbers beyond 64 bits come back as text, as the lake keeps them."""
    if kind is ColumnType.UINT256:
        return sql.SQL("t.{}::text").format(sql.Identifier(name))
    return sql.SQL("t.{}").format(sql.Identifier(name))
