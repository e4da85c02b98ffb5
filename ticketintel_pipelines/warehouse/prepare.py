"""Making a warehouse ready for the code that is about to use it."""

from collections.abc import Sequence

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.warehouse.migrations import LOCK, Migration, migrate, read_migrations
from ticketintel_pipelines.warehouse.roles import grant_roles
from ticketintel_pipelines.warehouse.schema_check import check_schema, write_comments
from ticketintel_pipelines.warehouse.server import Server, connect


def prepare_warehouse(server: Server, domains: Sequence[Domain]) -> list[Migration]:
    """Apply missing migrations, hold the tables against the declarations, write comments and grants.

    Raises:
        BadInputError: database and declarations differ, or a migration was edited after it was applied.
        UnavailableError: the database cannot be reached.
    """
    with connect(server.dsn, autocommit=True) as connection:
        applied = migrate(connection, read_migrations())
        for domain in domains:
            with connection.transaction():
                # Two processes that start together would otherwise change the same comments and grants at once.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                check_schema(connection, domain)
                write_comments(connection, domain)
                grant_roles(connection, domain)
    return applied
