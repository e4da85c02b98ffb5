"""`ticketintel watch-list`: takes in lists of addresses as others publish them, whose rows say nothing of when they were added.

They count as known from the time of taking them in, and go through the same importer as every raw file. What a list named
before it names still: such rows are left out, so that a list can be taken in again whenever it grows.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, add_domain, open_workspace
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    import duckdb

    from ticketintel_pipelines.contract import Domain, Table
    from ticketintel_pipelines.intake.casting import Cast
    from ticketintel_pipelines.intake.files import RawFile
    from ticketintel_pipelines.stages.workspace import Workspace

KEY = ("list_name", "address")
TAKEN = ("address", "label", "list_name")


@dataclass(frozen=True)
class TakenList:
    """One file: how many rows it has, how many of them are new to the list that they belong to, and which columns were left."""

    name: str
    rows: int
    new: int
    left_out: tuple[str, ...]


def declare_watch_list(commands: Commands) -> None:
    watch = add_command(
        commands,
        "watch-list",
        _watch_list,
        "take in lists of addresses to beware of, which count from now on",
        "ticketintel watch-list phishing.csv exploits.parquet --list forta",
    )
    add_domain(watch)
    watch.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="CSV, Parquet or JSON lines with a column of addresses"
    )
    watch.add_argument("--list", metavar="NAME", help="the list's name; else the one a row gives, or the file's")
    watch.add_argument("--listed-at", type=datetime.fromisoformat, metavar="DATE", help="when the addresses became known [now]")


def add_watch_lists(
    workspace: "Workspace",
    domain: "Domain",
    files: Sequence[Path],
    name: str | None,
    listed_at: datetime | None,
    console: Console,
) -> int:
    """Land what the files list and was not listed before, as rows of `watch_list`; prints what came of each file.

    Args:
        name: the list's name; without it the one a row gives, or else the file's.
        listed_at: when the addresses became known; without it, now.

    Raises:
        BadInputError: a file cannot be read as a list of addresses, or the time does not serve. Nothing was taken in.
    """
    import tempfile

    from ticketintel_pipelines.intake.importer import import_folder

    raw_files = [_raw_file(domain.by_name["watch_list"], path) for path in files]
    since = _checked(listed_at, workspace)
    with (
        tempfile.TemporaryDirectory(prefix="ticketintel-watch-list-") as scratch,
        console.step("take in watch lists"),
        workspace.engine() as engine,
        workspace.catalog() as catalog,
        workspace.clients() as clients,
    ):
        landed = catalog.fragments_of(domain.name, "watch_list")
        taken = write_listings(engine, raw_files, name, since, landed, Path(scratch), dated=listed_at is None)
        if any(one.new for one in taken):
            import_folder(engine, domain, Path(scratch), workspace.lake(domain), catalog, workspace.settings.first_day, clients)
    for one in taken:
        known = f"; {one.rows - one.new:,} name what was listed before" if one.new < one.rows else ""
        console.say(f"{one.name}: {one.rows:,} rows, {one.new:,} listed from {since:%Y-%m-%d %H:%M} UTC on{known}")
        if one.left_out:
            console.say(f"  not part of a watch list and left out: {', '.join(one.left_out)}")
    console.say("publish with: ticketintel run" if any(one.new for one in taken) else "nothing is new")
    return 0


def write_listings(
    engine: "duckdb.DuckDBPyConnection",
    files: "Sequence[RawFile]",
    name: str | None,
    since: datetime,
    landed: Sequence[Path],
    folder: Path,
    *,
    dated: bool,
) -> list[TakenList]:
    """Write raw files of `watch_list` to a folder: of each file the rows that neither `landed` nor an earlier one has.

    With `dated` a file that says itself since when its rows are listed is refused: its dates are to be kept.

    Raises:
        BadInputError: a file does not fit the contract; the sentence names file, row, column and rule.
    """
    from ticketintel_pipelines.lake.engine import fetch_row, parquet_as, text

    known = parquet_as(engine, landed, dict.fromkeys(KEY, "VARCHAR")) if landed else "(SELECT '' AS list_name, '' AS address)"
    # In lower case but where the letters did not fit the checksum: such a row may come again mended.
    engine.execute(f"CREATE OR REPLACE TEMP TABLE named AS SELECT * FROM {known}")
    (folder / "watch_list").mkdir()
    taken = []
    for place, file in enumerate(files, start=1):
        rows, left_out = _read(engine, file, name, dated=dated)
        # No word of the file's name may stand for a table of the contract.
        words = re.sub(r"[^A-Za-z0-9]+", "+", file.path.stem)
        target = folder / "watch_list" / f"{words}+{since:%Y%m%dT%H%M%S}+{place}.parquet"
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT listed.* FROM listed "
            "ANTI JOIN named ON named.list_name = listed.list_name AND named.address = lower(listed.address) "
            "ANTI JOIN named AS same ON same.list_name = listed.list_name AND same.address IS NOT DISTINCT FROM listed.address "
            "QUALIFY row_number() OVER (PARTITION BY list_name, lower(address) ORDER BY address <> lower(address), raw_row) = 1"
        )
        (new,) = fetch_row(engine, "SELECT count(*) FROM fresh")
        if new:
            engine.execute("INSERT INTO named SELECT list_name, lower(address) FROM fresh")
            engine.execute(
                f"COPY (SELECT list_name, address, TIMESTAMPTZ '{since.isoformat()}' AS listed_at, label FROM fresh "
                f"ORDER BY raw_row) TO {text(str(target))} (FORMAT parquet)"
            )
        taken.append(TakenList(file.name, rows, new, left_out))
    return taken


def _watch_list(options: argparse.Namespace) -> int:
    console = Console()
    return add_watch_lists(*open_workspace(console), options.files, options.list, options.listed_at, console)


def _read(
    engine: "duckdb.DuckDBPyConnection", file: "RawFile", name: str | None, *, dated: bool
) -> tuple[int, tuple[str, ...]]:
    """Make the relation `listed` (list_name, address, label, raw_row) of a file; its rows, and columns that were left out."""
    import duckdb

    from ticketintel_pipelines.intake.casting import has_column, plan_casts
    from ticketintel_pipelines.intake.reading import ROW, open_relation
    from ticketintel_pipelines.intake.sentences import is_about_the_file, unreadable
    from ticketintel_pipelines.lake.engine import fetch_row, identifier, text

    relation = open_relation(engine, file)
    form = _form(file.table)
    if dated and has_column(form.column(form.time), relation.types):
        raise BadInputError(
            f"{file.name} says itself since when its rows are listed; take it in with ticketintel import, as a file of the "
            f"table {form.name}, or name one time for all with --listed-at"
        )
    casts = {cast.column.name: cast for cast in plan_casts(form, relation.types, file.name, time_is_joined=True)}
    del casts[form.time]
    address = casts["address"]
    # As it was written, where it was: the importer looks at the checksum of its letters.
    kept = address.raw if address.misfit else address.sql
    own = f"coalesce({casts['list_name'].sql}, {text(file.path.stem)})"
    try:
        for cast in casts.values():
            _refuse_misfit(engine, file, relation.sql, cast)
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE listed AS SELECT {own if name is None else text(name)} AS list_name, "
            f"{kept} AS address, {casts['label'].sql} AS label, {ROW} AS raw_row FROM {relation.sql}"
        )
    except duckdb.Error as error:
        if not is_about_the_file(error):
            raise
        raise unreadable(file, error) from error
    (rows,) = fetch_row(engine, "SELECT count(*) FROM listed")
    used = {cast.raw for cast in casts.values()}
    return int(rows), tuple(column for column in relation.types if identifier(column) not in used)


def _form(table: "Table") -> "Table":
    """What a list has to have, or may: an address, a label, the list's name."""
    taken = (column for column in table.columns if column.name in (*TAKEN, table.time))
    return replace(table, version=None, columns=tuple(replace(one, required=one.name == "address") for one in taken))


def _refuse_misfit(engine: "duckdb.DuckDBPyConnection", file: "RawFile", relation: str, cast: "Cast") -> None:
    from ticketintel_pipelines.intake.casting import EXPECTED
    from ticketintel_pipelines.intake.reading import ROW
    from ticketintel_pipelines.intake.sentences import shortened
    from ticketintel_pipelines.lake.engine import fetch_rows

    if cast.misfit is None:
        return
    query = f"SELECT {ROW}, CAST({cast.raw} AS VARCHAR) FROM {relation} WHERE {cast.misfit} ORDER BY {ROW} LIMIT 1"
    for row, cell in fetch_rows(engine, query):
        raise BadInputError(
            f"{file.name}, row {row}, column {cast.column.name}: {shortened(cell)!r} is not {EXPECTED[cast.column.type]} "
            f"(rule {cast.rule}); mend it and take the list in again, nothing was taken in"
        )


def _raw_file(table: "Table", path: Path) -> "RawFile":
    from ticketintel_pipelines.intake.files import FORMATS, RawFile

    if not path.is_file():
        raise BadInputError(f"{path} is not a file; name lists of addresses, as Parquet, CSV or JSON lines")
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"{path} is no list that can be read; name files ending in {', '.join(FORMATS)}")
    return RawFile(path, path.name, table, FORMATS[path.suffix.lower()])


def _checked(listed_at: datetime | None, workspace: "Workspace") -> datetime:
    """The time in UTC; one without a zone is UTC."""
    now = datetime.now(UTC)
    if listed_at is None:
        return now
    since = listed_at.replace(tzinfo=UTC) if listed_at.tzinfo is None else listed_at.astimezone(UTC)
    if since > now:
        raise BadInputError(f"--listed-at {since.isoformat()} lies in the future; nothing can be known from it on yet")
    if since.date() < (first := workspace.settings.first_day):
        raise BadInputError(
            f"--listed-at {since.isoformat()} is before {first}, the first day of the pipeline; set TICKETINTEL_FIRST_DAY"
        )
    return since
