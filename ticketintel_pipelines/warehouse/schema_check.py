"""Holding the tables of Postgres against their declarations, and putting the declared words into their comments."""

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Column, Domain, Table
from ticketintel_pipelines.errors import BadInputError


def check_schema(connection: psycopg.Connection, domain: Domain) -> None:
    """Compare every published table with its declaration.

    Raises:
        BadInputError: they differ; the sentence lists each difference and the statement that would mend it.
    """
    differences = [difference for table in domain.published_tables for difference in _differences(connection, domain, table)]
    if differences:
        raise BadInputError(
            "the database and the declared tables differ; write a migration in sql/migrations: " + "; ".join(differences)
        )


def _differences(connection: psycopg.Connection, domain: Domain, table: Table) -> list[str]:
    rows = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a "
        "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (f"{domain.name}.{table.name}",),
    ).fetchall()
    name = f"{domain.name}.{table.name}"
    if not rows:
        return [f"CREATE TABLE {name} is missing"]
    standing = {row[0]: (row[1], row[2]) for row in rows}
    declared = {column.name: column for column in table.columns}
    key = {*table.key, table.time}
    found: list[str] = []
    for column in table.columns:
        if column.name not in standing:
            found.append(f"ALTER TABLE {name} ADD COLUMN {column.name} {column.type.postgres}{_not_null(column)}")
            continue
        kind, not_null = standing[column.name]
        if kind != column.type.postgres:
            found.append(f"ALTER TABLE {name} ALTER COLUMN {column.name} TYPE {column.type.postgres} (it is {kind})")
        if not_null != (column.required or column.name in key):
            verb = "SET" if column.required else "DROP"
            found.append(f"ALTER TABLE {name} ALTER COLUMN {column.name} {verb} NOT NULL")
    found += [f"ALTER TABLE {name} DROP COLUMN {extra}" for extra in standing if extra not in declared]
    if primary := _primary_key(connection, name):
        expected = (*table.key, *(() if table.time in table.key else (table.time,)))
        if primary != expected:
            found.append(f"the primary key of {name} must be ({', '.join(expected)}), it is ({', '.join(primary)})")
    else:
        found.append(f"{name} has no primary key")
    return found


def _not_null(column: Column) -> str:
    return " NOT NULL" if column.required else ""


def _primary_key(connection: psycopg.Connection, name: str) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
        "WHERE i.indrelid = to_regclass(%s) AND i.indisprimary ORDER BY k.place",
        (name,),
    ).fetchall()
    return tuple(row[0] for row in rows)


def write_comments(connection: psycopg.Connection, domain: Domain) -> int:
    """Make the comments of tables and columns say what the declarations say; returns how many were changed."""
    standing = {
        (row[0], row[1]): row[2]
        for row in connection.execute(
            "SELECT c.relname, coalesce(a.attname, ''), d.description FROM pg_description d "
            "JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 "
            "WHERE n.nspname = %s",
            (domain.name,),
        ).fetchall()
    }
    changed = 0
    for table in domain.published_tables:
        words = {"": f"{table.description} One row is {table.grain}. Retention: {table.retention.value}."}
        words |= {column.name: column_words(column) for column in table.columns}
        for name, text in words.items():
            if standing.get((table.name, name)) == text:
                continue
            kind = sql.SQL("COLUMN" if name else "TABLE")
            target = sql.Identifier(domain.name, table.name, *([name] if name else []))
            connection.execute(sql.SQL("COMMENT ON {} {} IS {}").format(kind, target, sql.Literal(text)))
            changed += 1
    return changed


def column_words(column: Column) -> str:
    """What an analyst reads about a column: meaning, unit, and whether it is personal data."""
    words = column.description
    if column.unit:
        words += f" Unit: {column.unit}."
    if column.personal:
        words += f" Personal data ({column.personal.value})."
    return words
