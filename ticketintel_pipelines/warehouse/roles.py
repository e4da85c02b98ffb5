"""Who may read what: the analyst reads views and those columns of tables that hold no personal data, nothing else."""

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import BadInputError

ANALYST = "ticketintel_analyst"
ROLE_SETTINGS = {"statement_timeout": "30s", "default_transaction_read_only": "on"}


def grant_roles(connection: psycopg.Connection, domain: Domain) -> None:
    """Make the analyst's role and give it exactly what the declarations allow.

    Raises:
        BadInputError: the pipeline's own user may not create roles.
    """
    analyst = sql.Identifier(ANALYST)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ANALYST,)).fetchone() is None:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(analyst))
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(analyst))
                for setting, value in ROLE_SETTINGS.items():
                    connection.execute(
                        sql.SQL("ALTER ROLE {} SET {} = {}").format(analyst, sql.Identifier(setting), sql.Literal(value))
                    )
        except psycopg.errors.InsufficientPrivilege as error:
            raise BadInputError(
                f"the database user may not create the role {ANALYST}; give it CREATEROLE, or create the role once by hand"
            ) from error
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            # Roles are shared by all databases of a server: another pipeline of the same server made it just now.
            pass
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(domain.name), analyst))
    for table in domain.published_tables:
        _grant_columns(connection, domain, table)
    _grant_views(connection, domain)


def _grant_columns(connection: psycopg.Connection, domain: Domain, table: Table) -> None:
    allowed = {(column.name, "SELECT") for column in table.columns if column.personal is None}
    granted = connection.execute(
        "SELECT column_name, privilege_type FROM information_schema.column_privileges "
        "WHERE grantee = %s AND table_schema = %s AND table_name = %s",
        (ANALYST, domain.name, table.name),
    ).fetchall()
    if set(granted) == allowed:
        return
    target, analyst = sql.Identifier(domain.name, table.name), sql.Identifier(ANALYST)
    # A privilege on the whole table outlives what is taken away column by column, so all of it is taken away first.
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(target, analyst))
    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _ in sorted(allowed))
    connection.execute(sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(columns, target, analyst))


def _grant_views(connection: psycopg.Connection, domain: Domain) -> None:
    """Let the analyst read the views that stand: a role that was made after them, as on a restored server, could not."""
    unread = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind = 'm' AND NOT has_table_privilege(%s, c.oid, 'SELECT') ORDER BY 1",
        (domain.name, ANALYST),
    ).fetchall()
    for (name,) in unread:
        view = sql.Identifier(domain.name, name)
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(view, sql.Identifier(ANALYST)))
