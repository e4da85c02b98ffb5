"""The generated documents say what the declarations say, and the example queries run."""

from pathlib import Path

import pytest

from ticketintel_pipelines.documents import REPOSITORY, documents
from ticketintel_pipelines.stages.view import bring_up_to_date, views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.roles import ANALYST


@pytest.mark.parametrize("path", documents(), ids=str)
def test_a_generated_document_is_current(path: Path) -> None:
    assert (REPOSITORY / path).read_text() == documents()[path], f"{path} is out of date: run 'make docs'"


def test_every_view_says_its_key_and_every_column(workspace: Workspace) -> None:
    for view in views_of(TICKETING):
        bring_up_to_date(workspace, TICKETING, view)
        with workspace.catalog() as catalog:
            columns = catalog.connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                (f"{view.domain}.{view.name}",),
            ).fetchall()
        assert {column for (column,) in columns} == set(view.columns)
        assert set(view.key) <= set(view.columns)


def test_the_example_queries_run_as_the_analyst(workspace: Workspace) -> None:
    for view in views_of(TICKETING):
        bring_up_to_date(workspace, TICKETING, view)
    queries = sorted((REPOSITORY / "sql" / "ticketing" / "queries").glob("*.sql"))
    assert len(queries) >= 3
    with workspace.catalog() as catalog:
        catalog.connection.execute(f"SET ROLE {ANALYST}")
        for query in queries:
            catalog.connection.execute(query.read_text())
