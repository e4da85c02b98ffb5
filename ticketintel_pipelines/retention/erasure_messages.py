"""Texts of Postgres that nobody declared, in which a person can be named: messages, keys of rows, Dagster's events."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ticketintel_pipelines.retention.erasure_person import Person
from ticketintel_pipelines.retention.erasure_places import NOTHING, Found, keyed_hash
from ticketintel_pipelines.retention.erasure_texts import forms_of, masked, pattern_of, searched
from ticketintel_pipelines.warehouse.server import connect

TEXTS_AT_ONCE = 100
"""More alternatives in one expression make the server refuse it as too complex."""
OWN_TABLES = ("retention_ledger", "erasure_requests", "tombstones", "quarantine")
"""Of `ops`: hold no personal data, or are places of their own."""


@dataclass(frozen=True)
class TextsPlace:
    """The texts of one table that nobody declared: messages, events of Dagster, keys of rows. What is found is masked."""

    dsn: str
    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]
    """Each with its type."""
    key: bytes

    kind = "texts in postgres"

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    def _rows(self, connection: psycopg.Connection, person: Person) -> dict[str, list[str | None]]:
        """The texts of the rows in which any of the person's stands, by the rows' places."""
        pattern = pattern_of(person)
        if pattern is None:
            return {}
        texts = sorted(searched_as(person))
        shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name, _ in self.columns)
        together = sql.SQL("concat_ws(' ', {})").format(shown)
        found: dict[str, list[str | None]] = {}
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            alternatives = "|".join(re.sub(r"([^A-Za-z0-9])", r"\\\1", text) for text in texts[first : first + TEXTS_AT_ONCE])
            query = sql.SQL("SELECT ctid::text, {} FROM {} WHERE {} ~ {}").format(
                shown, sql.Identifier(self.schema, self.table), together, sql.Literal(alternatives)
            )
            found |= {row[0]: list(row[1:]) for row in connection.execute(query).fetchall()}
        return {
            place: cells
            for place, cells in found.items()
            if any(cell is not None and pattern.search(cell.encode()) for cell in cells)
        }

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        with connect(self.dsn, autocommit=True) as own:
            rows = self._rows(own, person)
        return Found(len(rows), None, None, keyed_hash(self.key, map(repr, rows.values()))) if rows else NOTHING

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        pattern = pattern_of(person)
        if pattern is None:
            return ""
        after = []
        with connect(self.dsn) as own:
            own.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(self.schema, self.table)))
            for place, cells in self._rows(own, person).items():
                new = [None if cell is None else masked(cell.encode(), pattern).decode() for cell in cells]
                changes = [
                    sql.SQL("{} = {}::" + kind).format(sql.Identifier(name), sql.Literal(cell))
                    for (name, kind), cell in zip(self.columns, new, strict=True)
                ]
                own.execute(
                    sql.SQL("UPDATE {} SET {} WHERE ctid = {}::tid").format(
                        sql.Identifier(self.schema, self.table), sql.SQL(", ").join(changes), sql.Literal(place)
                    )
                )
                after.append(repr(new))
            own.commit()
        return keyed_hash(self.key, after)


def searched_as(person: Person) -> set[str]:
    """The texts as they stand in JSON as well."""
    return {form for text in searched(person) for form in forms_of(text)}


TEXT_COLUMNS = """
SELECT c.table_schema, c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position),
       array_agg(c.udt_name::text ORDER BY c.ordinal_position)
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = ANY (%s) AND t.table_type = 'BASE TABLE' AND c.table_name <> ALL (%s)
  AND c.is_generated = 'NEVER' AND c.udt_name IN ('text', 'varchar', 'json', 'jsonb')
  AND NOT EXISTS (
      SELECT 1 FROM pg_trigger g WHERE g.tgname = 'only_added_to'
      AND g.tgrelid = to_regclass(format('%%I.%%I', c.table_schema, c.table_name)))
GROUP BY 1, 2 ORDER BY 1, 2
"""


def texts_of(dsn: str, schemas: Sequence[str], key: bytes) -> Iterator[TextsPlace]:
    with connect(dsn, autocommit=True) as connection:
        tables = connection.execute(TEXT_COLUMNS, (list(schemas), list(OWN_TABLES))).fetchall()
    for schema, table, names, types in tables:
        yield TextsPlace(dsn, schema, table, tuple(zip(names, types, strict=True)), key)
