"""What is due in the lake: files of expired days, and why some of them stay.

A day of a class that is not archived goes once it is older than what Postgres holds. Of an archived class, what Postgres
held goes once its month was dropped, since the archive has it then. What the archive has not - older versions of rows,
observations and features, rows that came after their month was dropped - goes with the end of the archive: until then the
lake is its archive.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import RetentionClass, Table
from ticketintel_pipelines.lake.engine import fetch_row, parquet_as
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.retention.acts import Plan
from ticketintel_pipelines.retention.holds import Hold, held_rows, holds_in_force, holds_on
from ticketintel_pipelines.retention.index import archived_months
from ticketintel_pipelines.retention.months import label, month_of
from ticketintel_pipelines.retention.room import Room


@dataclass(frozen=True)
class Shelf:
    """The days of one table in one stage of the lake.

    `table` is the declaration of its rows, None for what has none; then `made_of` names the tables whose holds are on it too.
    `is_raw`: its files are fragments, and only those count that `ops.raw_fragments` lists. `in_archive`: its rows are those of
    the table's month in Postgres. `frozen_as` is its name in `ops.retained_from`, `writers` are the advisory locks of those who
    write it.
    """

    stage: str
    name: str
    retention: RetentionClass
    frozen_as: str
    writers: tuple[str, ...]
    table: Table | None = None
    made_of: tuple[Table, ...] = ()
    is_raw: bool = False
    in_archive: bool = False

    @property
    def words(self) -> str:
        return f"{self.stage}/{self.name}"


@dataclass(frozen=True)
class LakeFile:
    """One file; `rows` are those that count. A raw file that nothing lists was left by an import that was killed."""

    path: Path
    day: date
    rows: int
    bytes: int
    is_listed: bool = True


@dataclass(frozen=True)
class LakeAct:
    """The files of one month of a shelf that are to go; `stopped` says why they are not."""

    shelf: Shelf
    month: date
    files: tuple[LakeFile, ...]
    stopped: str | None = None
    holds: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def first_day(self) -> date:
        return min(file.day for file in self.files)

    @property
    def last_day(self) -> date:
        return max(file.day for file in self.files)

    @property
    def title(self) -> str:
        return f"purge lake {self.shelf.words} {label(self.month)}"

    @property
    def words(self) -> str:
        words = f"{self.title}: {self.rows:,} rows, {self.bytes:,} bytes, {self.first_day} to {self.last_day}"
        return f"{words}; stopped by {self.stopped}" if self.stopped else words


@dataclass(frozen=True)
class LakePlan(Plan[LakeAct]):
    """What is due on some shelves, month by month of each."""

    shelves: tuple[Shelf, ...]


def plan_lake(room: Room, lake: Lake, shelves: Sequence[Shelf], today: date) -> LakePlan:
    """What is due in the lake. Nothing is changed."""
    with room.session() as connection, connection.transaction():
        acts = [act for shelf in shelves for act in acts_on(connection, room, lake, shelf, today)]
    return LakePlan(room.domain.name, today, room.policy.version, tuple(acts), tuple(shelves))


def acts_on(
    connection: psycopg.Connection, room: Room, lake: Lake, shelf: Shelf, today: date, month: date | None = None
) -> list[LakeAct]:
    """The acts that are due on one shelf (in one month of it): the files that go, and those that a hold keeps."""
    periods = room.policy.of(shelf.retention)
    kept_from, archived_from = periods.kept_from(today), periods.archived_from(today)
    if kept_from is None or archived_from is None:
        return []
    dropped: set[date] = set()
    if periods.archived and shelf.in_archive:
        dropped = {one.month for one in archived_months(connection, room, shelf.name) if one.dropped_at is not None}
    by_month: dict[date, list[LakeFile]] = defaultdict(list)
    for day in _days(lake, shelf):
        if day >= kept_from or (month is not None and month_of(day) != month):
            continue
        is_over = day < archived_from or not periods.archived
        if is_over or month_of(day) in dropped:
            by_month[month_of(day)] += _files(connection, room, lake, shelf, day, only_published=not is_over)
    holds = holds_in_force(connection, room, today)
    acts: list[LakeAct] = []
    for one in sorted(by_month):
        acts += _split(room, shelf, one, by_month[one], holds)
    return acts


def _days(lake: Lake, shelf: Shelf) -> Iterator[date]:
    for folder in lake.table(shelf.stage, shelf.name).glob("day=*"):
        yield date.fromisoformat(folder.name.removeprefix("day="))


def _files(
    connection: psycopg.Connection, room: Room, lake: Lake, shelf: Shelf, day: date, *, only_published: bool
) -> Iterator[LakeFile]:
    found = {path: path.stat().st_size for path in sorted(lake.partition(shelf.stage, shelf.name, day).glob("*.parquet"))}
    if not shelf.is_raw:
        for path, size in found.items():
            yield LakeFile(path, day, pq.read_metadata(path).num_rows, size)
        return
    fragments = connection.execute(
        "SELECT f.path, f.rows, f.sequence <= coalesce(p.raw_sequence, 0) FROM ops.raw_fragments f "
        "LEFT JOIN ops.published_days p USING (domain, table_name, day) "
        "WHERE f.domain = %s AND f.table_name = %s AND f.day = %s ORDER BY f.sequence",
        (room.domain.name, shelf.name, day),
    ).fetchall()
    for name, rows, was_published in fragments:
        path = lake.root / name
        # A list that names a file which is not there is put right as well.
        if was_published or not only_published:
            yield LakeFile(path, day, rows, found.get(path, 0))
    listed = {lake.root / name for name, _, _ in fragments}
    if not only_published:
        for path in found.keys() - listed:
            yield LakeFile(path, day, 0, found[path], is_listed=False)


def _split(room: Room, shelf: Shelf, month: date, files: Sequence[LakeFile], holds: Sequence[Hold]) -> Iterator[LakeAct]:
    """The files that go, and those of days that a hold is on."""
    by_holds: dict[tuple[int, ...], list[LakeFile]] = defaultdict(list)
    words = {hold.hold_id: hold.words for hold in holds}
    for file in files:
        by_holds[_holds_of(room, shelf, file, holds)].append(file)
    for numbers, some in sorted(by_holds.items()):
        yield LakeAct(shelf, month, tuple(some), "; ".join(words[number] for number in numbers) or None, numbers)


def _holds_of(room: Room, shelf: Shelf, file: LakeFile, holds: Sequence[Hold]) -> tuple[int, ...]:
    """The holds on any row of a file. What has no declared columns is held whole: nobody could tell whose its rows are."""
    named = {hold.hold_id: hold for table in shelf.made_of for hold in holds_on(holds, table, file.day, file.day)}
    if shelf.table is not None:
        for hold in holds_on(holds, shelf.table, file.day, file.day):
            if hold.subject is None or _has_held(room, shelf.table, file.path, hold):
                named[hold.hold_id] = hold
    elif not shelf.made_of:
        for hold in holds:
            is_near = (hold.first_day or file.day) <= file.day <= (hold.last_day or file.day)
            if hold.table is None and is_near:
                named[hold.hold_id] = hold
    return tuple(sorted(named))


def _has_held(room: Room, table: Table, path: Path, hold: Hold) -> bool:
    if not path.exists():
        return False
    with room.engine() as engine:
        source = parquet_as(engine, [path], table.duckdb_types)
        return bool(fetch_row(engine, f"SELECT count(*) FROM {source} WHERE {held_rows(table, [hold])}")[0])
