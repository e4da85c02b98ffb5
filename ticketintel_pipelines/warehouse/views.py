"""Materialized views: read from one SQL file each, built beside and swapped when their definition changes, else refreshed
without locking readers out, and only when what they read has changed.

A view's file opens with a comment: what it answers, then `-- key:`, `-- reads:`, `-- show:` (in which order a person sees its
first rows) and one `-- column NAME:` a column.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ticketintel_pipelines.errors import BadInputError

HASH_MARK = "definition "


@dataclass(frozen=True)
class View:
    domain: str
    name: str
    description: str
    key: tuple[str, ...]
    reads: tuple[str, ...]
    show: str
    columns: dict[str, str]
    query: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(repr((self.description, self.key, self.columns, self.query)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Refresh:
    """What was done to a view: `built` anew, `refreshed`, or `unchanged` since nothing it reads has changed."""

    action: str
    rows: int


def read_view(domain: str, path: Path) -> View:
    """The view of a SQL file.

    Raises:
        BadInputError: the file's opening comment lacks what the view needs.
    """
    lines = path.read_text().splitlines()
    opening = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    query = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")
    tagged = {found[1]: found[2] for line in opening if (found := re.fullmatch(r"(key|reads|show): *(.*)", line))}
    columns = {found[1]: found[2] for line in opening if (found := re.fullmatch(r"column (\w+): *(.*)", line))}
    prose = [line for line in opening if not re.match(r"(key|reads|show|column \w+):", line)]
    for tag in ("key", "reads", "show"):
        if tag not in tagged:
            raise BadInputError(f"{path.name} has no line '-- {tag}: …' in its opening comment")
    return View(
        domain=domain,
        name=path.stem,
        description=" ".join(prose),
        key=tuple(tagged["key"].replace(" ", "").split(",")),
        reads=tuple(tagged["reads"].replace(" ", "").split(",")),
        show=tagged["show"],
        columns=columns,
        query=query,
    )


def read_views(domain: str, folder: Path) -> list[View]:
    """All views of a folder, by name."""
    return [read_view(domain, path) for path in sorted(folder.glob("*.sql"))]


def refresh_view(connection: psycopg.Connection, view: View, state: str, reader: str) -> Refresh:
    """Bring a view up to date with what it reads; `state` names that state, `reader` is the role that may read it.

    All of it is one transaction: whoever reads sees the old rows or the new ones.

    Raises:
        BadInputError: the view's opening comment and its query do not name the same columns; the old view stays.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"view {view.domain}.{view.name}",))
        if _standing_hash(connection, view) != view.hash:
            _build(connection, view, reader)
            action = "built"
        elif _based_on(connection, view) == state:
            return Refresh("unchanged", _count(connection, view))
        else:
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW CONCURRENTLY {}").format(_name(view)))
            action = "refreshed"
        rows = _count(connection, view)
        connection.execute(
            "INSERT INTO ops.view_refreshes (domain, view_name, based_on, rows) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (domain, view_name) DO UPDATE SET based_on = excluded.based_on, rows = excluded.rows, "
            "refreshed_at = now()",
            (view.domain, view.name, state, rows),
        )
    return Refresh(action, rows)


def is_current(connection: psycopg.Connection, view: View, state: str) -> bool:
    """Whether a refresh would change nothing."""
    with connection.transaction():
        return _standing_hash(connection, view) == view.hash and _based_on(connection, view) == state


def first_rows(connection: psycopg.Connection, view: View, limit: int) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and the first rows of a view, in the order that its file names."""
    query = sql.SQL("SELECT * FROM {} ORDER BY {} LIMIT {}")
    cursor = connection.execute(query.format(_name(view), sql.SQL(view.show), sql.Literal(limit)))
    assert cursor.description is not None
    return [column.name for column in cursor.description], cursor.fetchall()


def _name(view: View, suffix: str = "") -> sql.Identifier:
    return sql.Identifier(view.domain, view.name + suffix)


def _standing_hash(connection: psycopg.Connection, view: View) -> str | None:
    row = connection.execute(
        "SELECT obj_description(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'm' AND c.relispopulated",
        (view.domain, view.name),
    ).fetchone()
    if row is None or row[0] is None or HASH_MARK not in row[0]:
        return None
    return str(row[0]).rsplit(HASH_MARK, 1)[1].rstrip(")")


def _based_on(connection: psycopg.Connection, view: View) -> str | None:
    row = connection.execute(
        "SELECT based_on FROM ops.view_refreshes WHERE domain = %s AND view_name = %s", (view.domain, view.name)
    ).fetchone()
    return None if row is None else str(row[0])


def _count(connection: psycopg.Connection, view: View) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_name(view))).fetchone()
    assert row is not None
    return int(row[0])


def _build(connection: psycopg.Connection, view: View, reader: str) -> None:
    """Build the view under another name, then let it take the place of the one that stands."""
    new = _name(view, "__new")
    connection.execute(sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(new))
    connection.execute(sql.SQL("CREATE MATERIALIZED VIEW {} AS {}").format(new, sql.SQL(view.query)))
    _check_columns(connection, view)
    key = sql.SQL(", ").join(sql.Identifier(name) for name in view.key)
    # Without a name of its own the index cannot collide with that of the view that still stands.
    connection.execute(sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(new, key))
    comment = f"{view.description} ({HASH_MARK}{view.hash})"
    connection.execute(sql.SQL("COMMENT ON MATERIALIZED VIEW {} IS {}").format(new, sql.Literal(comment)))
    for column, meaning in view.columns.items():
        connection.execute(
            sql.SQL("COMMENT ON COLUMN {} IS {}").format(
                sql.Identifier(view.domain, view.name + "__new", column), sql.Literal(meaning)
            )
        )
    connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(new, sql.Identifier(reader)))
    connection.execute(sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(_name(view)))
    connection.execute(sql.SQL("ALTER MATERIALIZED VIEW {} RENAME TO {}").format(new, sql.Identifier(view.name)))


def _check_columns(connection: psycopg.Connection, view: View) -> None:
    """Refuse a view whose opening comment and query do not name the same columns."""
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(_name(view, "__new")))
    selected = {column.name for column in cursor.description or ()}
    complaints = [
        (selected - set(view.columns), "selected but not described"),
        ({*view.columns, *view.key} - selected, "described or part of the key but not selected"),
    ]
    for names, complaint in complaints:
        if names:
            raise BadInputError(
                f"{view.name}.sql: {', '.join(sorted(names))} {complaint}; mend its opening comment or its query"
            )
