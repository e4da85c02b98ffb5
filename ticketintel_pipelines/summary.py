"""What a person reads at the end of a run and in `ticketintel status`: rows in, published, quarantined and why, views."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.view import views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.views import first_rows

VIEW_ROWS = 3
CELL_WIDTH = 22


def text_table(header: Sequence[str], rows: Sequence[Sequence[Any]], indent: str = "  ") -> str:
    """Rows in columns, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells), 0) for place, name in enumerate(header)]
    numeric = [all(isinstance(row[place], int | float) for row in rows) for place in range(len(header))]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        return (indent + "  ".join(parts)).rstrip()

    return "\n".join([line(list(header)), *(line(row) for row in cells)])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if hasattr(value, "isoformat"):
        return str(value)[:16]
    if hasattr(value, "__float__") and not isinstance(value, str):
        return f"{float(value):,.4g}"
    text = str(value)
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + "…"


def tables_summary(connection: psycopg.Connection, domain: Domain) -> str:
    """Per table: rows in = published + quarantined + exact duplicates + superseded versions."""
    rows = connection.execute(
        "SELECT table_name, sum(rows_in)::bigint, sum(published)::bigint, sum(quarantined)::bigint, "
        "sum(duplicates)::bigint, sum(superseded)::bigint, min(day)::text, max(day)::text FROM ops.published_days "
        "WHERE domain = %s AND rows_in > 0 GROUP BY table_name",
        (domain.name,),
    ).fetchall()
    order = {table.name: place for place, table in enumerate(domain.tables)}
    rows.sort(key=lambda row: order[row[0]])
    if not rows:
        return "  nothing has been published yet"
    header = ("table", "rows in", "published", "quarantined", "duplicates", "superseded", "first day", "last day")
    return text_table(header, rows)


def quarantine_summary(connection: psycopg.Connection, domain: Domain) -> str:
    """Quarantine by table and rule, what was mended left out."""
    rows = connection.execute(
        "SELECT table_name || '.' || rule, count(*), min(reason), min(source_file || ' row ' || source_row) "
        "FROM ops.quarantine WHERE domain = %s AND NOT mended GROUP BY table_name, rule ORDER BY 2 DESC, 1",
        (domain.name,),
    ).fetchall()
    if not rows:
        return "  empty"
    lines = [f"  {count:>7,}  {rule}: {reason} (such as {example})" for rule, count, reason, example in rows]
    return "\n".join(lines)


def missing_tables(connection: psycopg.Connection, domain: Domain) -> list[str]:
    """Raw tables of which nothing was ever handed in."""
    landed = {
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT table_name FROM ops.imported_files WHERE domain = %s", (domain.name,)
        ).fetchall()
    }
    return [table.name for table in domain.raw_tables if table.name not in landed]


def late_rows_summary(catalog: Catalog, domain: Domain) -> str:
    """Rows that were landed for days that retention has frozen, a sentence for each table that they would be in."""
    return "\n".join(
        f"  {late.rows:,} row{'s' if late.rows > 1 else ''} of {late.raw} of {DayRange(late.first, late.last)} landed late and "
        f"not published in {late.table}: these days are frozen, since retention took away what belongs to them"
        for late in catalog.late_rows(domain, RAW_INPUTS)
    )


def views_summary(connection: psycopg.Connection, domain: Domain) -> str:
    """The first lines of each view."""
    sections: list[str] = []
    for view in views_of(domain):
        exists = connection.execute("SELECT to_regclass(%s)", (f"{domain.name}.{view.name}",)).fetchone()
        if exists == (None,):
            sections.append(f"{domain.name}.{view.name}: not built yet")
            continue
        header, rows = first_rows(connection, view, VIEW_ROWS)
        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(domain.name, view.name))).fetchone()
        assert count is not None
        shown = text_table(header[:9], [row[:9] for row in rows]) if rows else "  no rows"
        sections.append(f"{domain.name}.{view.name} ({count[0]:,} rows)\n{shown}")
    return "\n\n".join(sections)


def status(workspace: Workspace, domain: Domain, *, views: bool) -> str:
    """The whole report."""
    with workspace.catalog() as catalog:
        connection = catalog.connection
        sections = [
            f"{domain.name}: rows in = published + quarantined + exact duplicates + superseded by a newer version",
            tables_summary(connection, domain),
            "",
            "quarantine by rule",
            quarantine_summary(connection, domain),
        ]
        if pending := catalog.stale_days(domain, RAW_INPUTS):
            days = f"{len(pending):,} day{'s' if len(pending) > 1 else ''}"
            sections += ["", f"to be worked out: {days} from {pending[0]} to {pending[-1]}, with: ticketintel run"]
        if late := late_rows_summary(catalog, domain):
            sections += ["", "came late", late]
        if missing := missing_tables(connection, domain):
            sections += [
                "",
                f"not handed in: {', '.join(missing)}",
                "  what needs them is null in tables and views, and rules that refer to them are not judged",
            ]
        if views:
            sections += ["", views_summary(connection, domain)]
    return "\n".join(sections)
