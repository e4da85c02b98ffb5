"""What the source's tables look like, held against the declarations before anything is taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from ticketintel_pipelines.contract import Column, ColumnType, Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.settings import PLATFORM_SCHEMA
from ticketintel_pipelines.upstream.source import Snapshot

UPDATED_AT = Column("updated_at", ColumnType.TIMESTAMP, "When the row was last written, by the platform.")
INTEGERS = ("bigint", "integer", "smallint")
ACCEPTED = {
    ColumnType.ADDRESS: ("text", "bytea"),
    ColumnType.HASH: ("text", "bytea"),
    ColumnType.HEX: ("text", "bytea"),
    ColumnType.IP_HASH: ("text", "inet"),
    ColumnType.IP_BLOCK_HASH: ("text", "inet"),
    ColumnType.TEXT: ("text", "uuid", "inet", *INTEGERS),
    ColumnType.INTEGER: (*INTEGERS, "numeric"),
    ColumnType.UINT256: ("numeric", "text", *INTEGERS),
    ColumnType.NUMBER: ("double precision", "real", "numeric", *INTEGERS),
    # No binary fractions: they do not hold every amount.
    ColumnType.MONEY: ("numeric", *INTEGERS),
    ColumnType.BOOLEAN: ("boolean",),
    ColumnType.TIMESTAMP: ("timestamp with time zone", "timestamp without time zone"),
}
"""The source's types that hold a declared type's values; `text` stands for every type of characters, and for enums."""

DESCRIBE = """
WITH RECURSIVE bases (oid, base) AS (
    SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT t.oid, b.base FROM pg_type t JOIN bases b ON t.typbasetype = b.oid WHERE t.typtype = 'd'
)

SELECT
    c.relname,
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    CASE WHEN t.typcategory = 'S' OR t.typtype = 'e' THEN 'text' ELSE format_type(t.oid, NULL) END,
    NOT a.attnotnull,
    has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN bases b ON b.oid = a.atttypid
JOIN pg_type t ON t.oid = b.base
WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = ANY (%(names)s)
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source has it: `type` in its own words, `kind` without lengths, domains and kinds of characters."""

    name: str
    type: str
    kind: str
    nullable: bool
    readable: bool


@dataclass(frozen=True)
class SourceTable:
    """A table of the source that can be read as the declared one.

    `columns` are what is read, by declared name; the declared version column is read from `updated_at`, any other from the
    first of its names that the source has. `types` are all columns as found, by their own name.
    """

    table: Table
    version: str
    columns: Mapping[str, SourceColumn]
    types: Mapping[str, str]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns of the source that no declared column is read from."""
        used = {column.name for column in self.columns.values()}
        return tuple(name for name in self.types if name not in used)

    @property
    def plain(self) -> tuple[str, ...]:
        """Declared columns of keyed hashes that are read from the addresses of clients."""
        return tuple(
            name for name, found in self.columns.items() if self.table.column(name).type.is_keyed_hash and found.name != name
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the table's form, in sentences."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        if self.left_out:
            yield f"left out, since they are not declared: {', '.join(self.left_out)}"
        absent = [column for column in self.table.columns if column.name not in self.columns]
        if never := [column.name for column in absent if column.place is None]:
            yield f"null, since the source does not have or show them: {', '.join(never)}"
        if places := [column.name for column in absent if column.place is not None]:
            yield f"looked up by address alone, since the source does not have or show them: {', '.join(places)}"
        if zoneless := [column.name for column in self.columns.values() if column.kind == "timestamp without time zone"]:
            yield f"read as UTC, since the source does not say their time zone: {', '.join(zoneless)}"
        if self.columns[self.version].nullable:
            yield f"{UPDATED_AT.name} may be null: such rows are taken by the first increment only; declare it NOT NULL"

    def changes(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """What is different from the columns and types that the last increment found, in sentences."""
        found = [f"{name} ({kind}) is new" for name, kind in self.types.items() if name not in before]
        found += [f"{name} is gone" for name in before if name not in self.types]
        found += [
            f"{name} was {before[n]} and is {kind} now"
            for n, kind in self.types.items()
            if (name := n) in before and before[n] != kind
        ]
        return tuple(found)


def find_tables(snapshot: Snapshot, schema: str, tables: Sequence[Table], taken_before: Sequence[str]) -> list[SourceTable]:
    """The tables that the source has; those of `taken_before` it must have.

    Raises:
        BadInputError: a table is missing that was taken before, or none is there at all; a required column is missing, may not
            be read or has another type. The sentence names all of them at once.
    """
    _check_schema(snapshot, schema)
    described: dict[str, dict[str, SourceColumn]] = {}
    parameters = {"schema": schema, "names": [table.name for table in tables]}
    for name, *column in snapshot.connection.execute(DESCRIBE, parameters).fetchall():
        described.setdefault(name, {})[column[0]] = SourceColumn(*column)
    if not described and not taken_before:
        raise BadInputError(
            f"schema {schema} of the platform's database has none of the tables {', '.join(parameters['names'])}; "
            f"name the schema that has them in {PLATFORM_SCHEMA.name}"
        )
    problems = [f"table {name} is missing, and was taken before" for name in taken_before if name not in described]
    found: list[SourceTable] = []
    for table in tables:
        if table.name in described:
            columns = described[table.name]
            problems += _problems(table, columns)
            found.append(_source_table(table, columns))
    if problems:
        raise BadInputError(
            f"the platform's database does not fit the declared tables: {'; '.join(problems)}; nothing was taken: mend it "
            f"there, or make views of the declared form and name their schema in {PLATFORM_SCHEMA.name}"
        )
    return found


def _check_schema(snapshot: Snapshot, schema: str) -> None:
    row = snapshot.connection.execute(
        "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone()
    if row is None:
        raise BadInputError(f"the platform's database has no schema {schema}; name the right one in {PLATFORM_SCHEMA.name}")
    if row == (False,):
        raise BadInputError(
            f"the platform's database does not let this role into schema {schema}; GRANT USAGE ON SCHEMA {schema} to it"
        )


def _version(table: Table) -> str:
    if table.version is None:
        raise ValueError(f"table {table.name} declares no version, so that what changes later could not be told apart")
    return table.version


def _read_from(table: Table, columns: Mapping[str, SourceColumn]) -> Iterator[tuple[Column, str, bool]]:
    """Each declared column, the source's column that it is read from, and whether that has to be there."""
    for column in table.columns:
        if column.name == _version(table):
            yield column, UPDATED_AT.name, True
        else:
            names = (column.name, *column.aliases)
            yield column, next((name for name in names if name in columns), names[-1]), column.required


def _problems(table: Table, columns: Mapping[str, SourceColumn]) -> Iterator[str]:
    if not any(column.readable for column in columns.values()):
        yield f"{table.name} may not be read by this role (GRANT SELECT on it)"
        return
    for column, name, required in _read_from(table, columns):
        found = columns.get(name)
        expected = " or ".join(ACCEPTED[column.type])
        if found is None:
            if required:
                yield f"{table.name}.{name} is missing ({expected} is expected)"
        elif found.kind not in ACCEPTED[column.type]:
            yield f"{table.name}.{name} is {found.type}, and {expected} is expected"
        elif required and not found.readable:
            yield f"{table.name}.{name} may not be read by this role (GRANT SELECT on it)"


def _source_table(table: Table, columns: Mapping[str, SourceColumn]) -> SourceTable:
    read = {
        column.name: columns[name]
        for column, name, _ in _read_from(table, columns)
        if name in columns and columns[name].readable
    }
    return SourceTable(table, _version(table), read, {name: column.type for name, column in columns.items()})


def as_text(column: Column, found: SourceColumn) -> sql.Composable:
    """SQL of a source's column as the text that raw files write: exact, whatever its type."""
    name = sql.Identifier(found.name)
    if found.kind == "bytea":
        return sql.SQL("'0x' || encode({}, 'hex')").format(name)
    if found.kind == "inet":
        return sql.SQL("host({})").format(name)
    if found.kind == "numeric" and column.type in (ColumnType.INTEGER, ColumnType.UINT256):
        return sql.SQL("trim_scale({})::text").format(name)
    if found.kind == "timestamp without time zone":
        return sql.SQL("({} AT TIME ZONE 'UTC')::text").format(name)
    return sql.SQL("{}::text").format(name)
