"""Who may read what: the analyst reads views and those columns of tables that hold no personal data, nothing else."""

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import BadInputError

ANALYST = "ticketintel_analyst"
STATEMENT_TIMEOUT = "30s"


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
        except psycopg.errors.InsufficientPrivilege as error:
            raise BadInputError(
                f"the database user may not create the role {ANALYST}; give it CREATEROLE, or create the role once by hand"
            ) from error
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            # Roles are shared by all databases of a server: another pipeline of the same server made it just now.
            pass
        connection.execute(sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(analyst, sql.Literal(STATEMENT_TIMEOUT)))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(analyst))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(domain.name), analyst))
    for table in domain.published_tables:
        _grant_columns(connection, domain, table)


def _grant_columns(connection: psycopg.Connection, domain: Domain, table: Table) -> None:
    open_columns = {column.name for column in table.columns if column.personal is None}
    granted = {
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.column_privileges "
            "WHERE grantee = %s AND table_schema = %s AND table_name = %s AND privilege_type = 'SELECT'",
            (ANALYST, domain.name, table.name),
        ).fetchall()
    }
    for verb, preposition, names in (
        ("GRANT", "TO", open_columns - granted),
        ("REVOKE", "FROM", granted - open_columns),
    ):
        if names:
            columns = sql.SQL(", ").join(sql.Identifier(name) for name in sorted(names))
            connection.execute(
                sql.SQL(f"{verb} SELECT ({{}}) ON {{}} {preposition} {{}}").format(
                    columns, sql.Identifier(domain.name, table.name), sql.Identifier(ANALYST)
                )
            )
