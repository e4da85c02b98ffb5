"""The places of Postgres in which a person can be found: published tables, quarantine, and what is written there for people.

An UPDATE leaves the old version of a row on its page until the table is vacuumed, which is done at the end, and the bytes stay
in the free part of the page until that is written again, in write-ahead log until its segments are reused, and in backups until
those expire. No query leads to them. Where that is not enough, `VACUUM FULL` writes a table anew.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Column, Table
from ticketintel_pipelines.retention.erasure_messages import TextsPlace, texts_of
from ticketintel_pipelines.retention.erasure_person import TEXT_TYPES, Person, form_of, personal_columns
from ticketintel_pipelines.retention.erasure_places import NOTHING, Found, keyed_hash
from ticketintel_pipelines.retention.erasure_search import Ground
from ticketintel_pipelines.warehouse.server import connect


@dataclass(frozen=True)
class TablePlace:
    """The rows of a published table."""

    ground: Ground
    table: Table

    kind = "postgres"

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def _relation(self) -> sql.Identifier:
        return sql.Identifier(self.ground.room.domain.name, self.table.name)

    def _about(self, person: Person) -> tuple[sql.Composable, dict[str, object]]:
        leading = person.leading(self.table.columns)
        equal = sql.SQL("coalesce({} = ANY ({}), FALSE)")
        terms = [equal.format(sql.Identifier(name), sql.Placeholder(name)) for name in leading]
        about = sql.SQL(" OR ").join([*terms, sql.SQL("FALSE")])
        return about, {name: sorted(values) for name, values in leading.items()}

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        about, parameters = self._about(person)
        query = sql.SQL("SELECT t::text, ({time} AT TIME ZONE 'UTC')::date FROM {relation} AS t WHERE {about}")
        rows = connection.execute(
            query.format(time=sql.Identifier(self.table.time), relation=self._relation, about=about), parameters
        ).fetchall()
        if not rows:
            return NOTHING
        days = [row[1] for row in rows]
        return Found(len(rows), min(days), max(days), keyed_hash(self.ground.key, (row[0] for row in rows)))

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        about, parameters = self._about(person)
        changes = [
            sql.SQL("{} = {}").format(sql.Identifier(column.name), _new_value(column))
            for column in personal_columns(self.table)
        ]
        rows = connection.execute(
            sql.SQL("UPDATE {} AS t SET {} WHERE {} RETURNING t::text").format(
                self._relation, sql.SQL(", ").join(changes), about
            ),
            {**parameters, "salt": person.salt},
        ).fetchall()
        return keyed_hash(self.ground.key, (row[0] for row in rows))


def _new_value(column: Column) -> sql.Composable:
    """What a personal cell becomes, as `Person.stand_in` has it."""
    if not column.required:
        return sql.NULL
    if column.type not in TEXT_TYPES:
        raise ValueError(f"{column.name} is personal, required and no text: there is nothing that could take its place")
    template, digits = form_of(column)
    return sql.SQL(
        "replace({template}, '*', left(encode(sha256(convert_to(%(salt)s || {column}, 'UTF8')), 'hex'), {digits}))"
    ).format(template=sql.Literal(template), column=sql.Identifier(column.name), digits=sql.Literal(digits))


@dataclass(frozen=True)
class QuarantinePlace:
    """The rows of a table that were set aside, which are kept as JSON."""

    ground: Ground
    table: Table

    kind = "quarantine"

    @property
    def name(self) -> str:
        return self.table.name

    def _rows(self, connection: psycopg.Connection, person: Person) -> list[tuple[Any, ...]]:
        leading = person.leading(self.table.columns)
        terms = [
            sql.SQL("content ->> {} = ANY ({})").format(sql.Literal(name), sql.Literal(sorted(values)))
            for name, values in leading.items()
        ]
        if not terms:
            return []
        query = sql.SQL(
            "SELECT ctid::text, row_key, content, day FROM ops.quarantine WHERE domain = {} AND table_name = {} AND ({})"
        )
        asked = query.format(
            sql.Literal(self.ground.room.domain.name), sql.Literal(self.table.name), sql.SQL(" OR ").join(terms)
        )
        return connection.execute(asked).fetchall()

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        rows = self._rows(connection, person)
        if not rows:
            return NOTHING
        days = [row[3] for row in rows]
        return Found(len(rows), min(days), max(days), keyed_hash(self.ground.key, (repr(row[1:3]) for row in rows)))

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        after = []
        with connection.transaction():
            # The places of rows are those of this moment: nobody may move them until they are rewritten.
            connection.execute("LOCK TABLE ops.quarantine IN SHARE ROW EXCLUSIVE MODE")
            for place, row_key, content, _ in self._rows(connection, person):
                for column in personal_columns(self.table):
                    old = content.get(column.name)
                    if old is None:
                        continue
                    new = person.stand_in(column, str(old)) if column.required and column.type in TEXT_TYPES else None
                    content[column.name] = new
                    if column.name in self.table.key:
                        row_key = row_key.replace(str(old), new or "")
                connection.execute(
                    "UPDATE ops.quarantine SET content = %s, row_key = %s WHERE ctid = %s::tid",
                    (json.dumps(content), row_key, place),
                )
                after.append(repr((row_key, content)))
        return keyed_hash(self.ground.key, after)


def vacuum(ground: Ground, places: Iterable[tuple[str, str]]) -> None:
    """Have the old versions of rows removed from the pages of the tables of some places, given by kind and name."""
    for kind, name in places:
        if kind in (TablePlace.kind, QuarantinePlace.kind, TextsPlace.kind):
            schema, _, table = name.rpartition(".")
            if kind == QuarantinePlace.kind:
                schema, table = "ops", "quarantine"
            schema = schema or ground.room.domain.name
            with connect(ground.dagster_dsn if schema == "public" else ground.room.dsn, autocommit=True) as connection:
                connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(schema, table)))


def postgres_places(ground: Ground) -> Iterator[TablePlace | QuarantinePlace | TextsPlace]:
    """All places of Postgres, Dagster's database included."""
    for table in ground.tables:
        if table.published:
            yield TablePlace(ground, table)
        yield QuarantinePlace(ground, table)
    yield from texts_of(ground.room.dsn, ["ops"], ground.key)
    yield from texts_of(ground.dagster_dsn, ["public"], ground.key)
