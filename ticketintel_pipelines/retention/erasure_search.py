"""Who a request is about: from an account or a wallet to all identifiers of the person, wherever rows with them lie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa

from ticketintel_pipelines.contract import PERSON, Column, Table
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, parquet_as
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.retention.erasure_person import TEXT_TYPES, Person, tells_of_people
from ticketintel_pipelines.retention.room import Room

DERIVED_STAGE = "feature"
"""The stage whose tables know people by numbers only."""
SCORED_STAGE = "score"
"""The stage in which models keep the rows that they make."""


@dataclass(frozen=True)
class Ground:
    """Everything of a deployment that an erasure works on. `feature_tables` are the columns of the tables of the stage
    `feature` by name, `states` the folder of their states; `key` is what requests and tombstones are hashed with.
    """

    room: Room
    lake: Lake
    home: Path
    states: Path
    feature_tables: Mapping[str, Sequence[Column]]
    dagster_dsn: str = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def tables(self) -> list[Table]:
        """The tables that hold personal data which can be told to be somebody's."""
        return [table for table in self.room.domain.tables if tells_of_people(table)]

    def lake_files(self, table: str) -> dict[str, list[Path]]:
        """The files of a table by stage; not those of the stage `feature`, where other tables may have the same name."""
        folders = sorted((self.lake.root / self.lake.domain).glob(f"*/{table}"))
        found = {folder.parent.name: sorted(folder.glob("day=*/*.parquet")) for folder in folders}
        return {stage: files for stage, files in found.items() if files and stage != DERIVED_STAGE}

    def archive_files(self, table: str) -> list[Path]:
        return sorted((self.room.archive / self.room.domain.name / table).glob("month=*/*.parquet"))


class Relations:
    """The rows of one table in Postgres and in files, asked alike."""

    def __init__(self, ground: Ground, connection: psycopg.Connection, engine: duckdb.DuckDBPyConnection, table: Table) -> None:
        self.connection, self.engine, self.table = connection, engine, table
        self.columns = [column for column in table.columns if column.personal and column.type in TEXT_TYPES]
        files = [file for found in ground.lake_files(table.name).values() for file in found]
        files += ground.archive_files(table.name)
        types = {column.name: column.type.duckdb for column in self.columns}
        self.files = parquet_as(engine, files, types) if files else None
        # Lake-only tables have no relation in Postgres.
        self.hot = f"{identifier(ground.room.domain.name)}.{identifier(table.name)}" if table.published else None

    def distinct(self, wanted: str, where: str, values: Iterable[str], more: Iterable[str] = ()) -> set[str]:
        """The values of a column among rows for which `where` holds; in it, `{values}` and `{more}` are lists to be IN."""
        first, second = sorted(values), sorted(more)
        found: set[str] = set()
        for relation, ask in ((self.files, self._in_files), (self.hot, self._in_postgres)):
            if relation is not None:
                query = (
                    f"SELECT DISTINCT {identifier(wanted)} FROM {relation} WHERE {identifier(wanted)} IS NOT NULL AND {where}"
                )
                found |= {str(row[0]) for row in ask(query, first, second)}
        return found

    def _in_files(self, query: str, values: list[str], more: list[str]) -> list[tuple[object, ...]]:
        for name, listed in (("asked_values", values), ("asked_more", more)):
            self.engine.register(name, pa.table({"value": pa.array(listed, pa.string())}))
        asked = query.format(values="(SELECT value FROM asked_values)", more="(SELECT value FROM asked_more)")
        return fetch_rows(self.engine, asked)

    def _in_postgres(self, query: str, values: list[str], more: list[str]) -> list[tuple[object, ...]]:
        asked = query.format(values="(SELECT unnest(%(values)s::text[]))", more="(SELECT unnest(%(more)s::text[]))")
        return self.connection.execute(asked, {"values": values, "more": more}).fetchall()


@contextmanager
def open_relations(ground: Ground, connection: psycopg.Connection) -> Iterator[list[Relations]]:
    with ground.room.engine() as engine:
        yield [Relations(ground, connection, engine, table) for table in ground.tables]


def find_person(ground: Ground, connection: psycopg.Connection, word: str, value: str) -> Person | None:
    """The person of an account or a wallet (`word` says which); None where no row tells of any account."""
    with open_relations(ground, connection) as relations:
        accounts = _accounts(relations, word, value)
        if not accounts:
            return None
        found: dict[str, set[str]] = {PERSON: set(accounts)}
        texts: dict[str, set[str]] = {}
        own: dict[str, frozenset[str]] = {PERSON: frozenset(accounts)}
        # Twice: what the account's rows lead to are rows without an account, which have visits of their own.
        for _ in range(2):
            for relation in relations:
                _collect(relation, own, found, texts)
            own = {PERSON: frozenset(accounts)}
            for name, values in found.items():
                if name != PERSON:
                    own[name] = frozenset(values - _of_others(relations, name, values, accounts, by_word=True))
        searched = {
            text
            for name, values in texts.items()
            for text in values - _of_others(relations, name, values, accounts, by_word=False)
        }
    shared = {value for name, values in found.items() for value in values - own.get(name, frozenset())}
    return Person({name: values for name, values in own.items() if values}, frozenset(searched), frozenset(shared))


def _accounts(relations: Sequence[Relations], word: str, value: str) -> set[str]:
    """The accounts that rows tie to a value."""
    accounts: set[str] = set()
    for relation in relations:
        people = [column for column in relation.columns if column.identifies == PERSON]
        for column in relation.columns:
            if column.identifies == word:
                for person in people:
                    accounts |= relation.distinct(person.name, f"{identifier(column.name)} IN {{values}}", [value])
    return accounts


def _collect(
    relation: Relations, own: Mapping[str, frozenset[str]], found: dict[str, set[str]], texts: dict[str, set[str]]
) -> None:
    """Add the personal values of the rows that have one of the person's own identifiers."""
    for leading in relation.columns:
        if leading.identifies is None or not own.get(leading.identifies):
            continue
        for column in relation.columns:
            where = f"{identifier(leading.name)} IN {{values}}"
            values = relation.distinct(column.name, where, own[leading.identifies])
            if column.identifies == PERSON:
                continue
            store = texts if column.identifies is None else found
            store.setdefault(column.identifies or column.name, set()).update(values)


def _of_others(
    relations: Sequence[Relations], name: str, values: Iterable[str], accounts: set[str], *, by_word: bool
) -> set[str]:
    """Those of some values that are on rows of other accounts as well."""
    shared: set[str] = set()
    for relation in relations:
        people = [column for column in relation.columns if column.identifies == PERSON]
        for column in relation.columns:
            if (column.identifies if by_word else column.name) != name:
                continue
            for person in people:
                other = f"{identifier(person.name)} NOT IN {{more}}"
                shared |= relation.distinct(
                    column.name, f"{identifier(column.name)} IN {{values}} AND {other}", values, accounts
                )
    return shared
