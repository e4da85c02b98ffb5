"""What modules share: a database of the pipeline, and the platform's database that tests of the extraction take from."""

import itertools
import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines_tests.platform_double import make_platform
from ticketintel_pipelines_tests.postgres.extracting import SHOP_TABLES, Pipeline

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def make_platform_url(server_url: str) -> Callable[[], str]:
    """The URL of a new, empty database on the session's server."""

    def make() -> str:
        name = f"platform_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server_url.replace("/ticketintel?", f"/{name}?")

    return make


@pytest.fixture(scope="module")
def dsn(make_settings: Callable[..., Settings]) -> str:
    """A database with the pipeline's own tables, which the tests of a module share."""
    settings = make_settings()
    return Workspace((), lambda: settings).server.dsn


@pytest.fixture(scope="module")
def shops(make_settings: Callable[..., Settings], make_platform_url: Callable[[], str]) -> tuple[Workspace, str]:
    """A deployment, and the URL of the platform's database, that the shops of a module share."""
    settings = make_settings()
    return Workspace((), lambda: settings), make_platform_url()


@pytest.fixture
def pipeline(shops: tuple[Workspace, str]) -> Pipeline:
    """A shop without rows, and a domain of its own that has taken nothing yet."""
    workspace, url = shops
    name = f"shop_{next(_numbers)}".translate(str.maketrans("0123456789", "abcdefghij"))
    with psycopg.connect(url) as connection:
        make_platform(connection, SHOP_TABLES, name)
    return Pipeline(workspace, PlatformSource(url, schema=name, chunk_rows=3), Domain(name, "A shop for tests.", SHOP_TABLES))


@pytest.fixture
def shop(pipeline: Pipeline) -> Iterator[psycopg.Connection]:
    """The platform's own session on the shop."""
    with pipeline.platform() as connection:
        yield connection
