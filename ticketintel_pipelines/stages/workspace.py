"""What a step works with: settings, the server, the lake, and sessions that are opened when they are needed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.features.store import StateStore
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.keys import address_key
from ticketintel_pipelines.intake.places import open_places
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.progress import Progress, Silence
from ticketintel_pipelines.retention.tombstones import Tombstones, read_tombstones
from ticketintel_pipelines.settings import Settings, read_settings
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.prepare import prepare_warehouse
from ticketintel_pipelines.warehouse.server import Server, connect, start_server


@dataclass
class Workspace:
    """One deployment as seen from one process. Making one does nothing; the first use starts and prepares the server."""

    domains: Sequence[Domain]
    read: Callable[[], Settings] = read_settings
    progress: Progress = field(default_factory=Silence)

    @cached_property
    def settings(self) -> Settings:
        return self.read()

    @cached_property
    def server(self) -> Server:
        server = start_server(self.settings)
        prepare_warehouse(server, self.domains)
        return server

    def lake(self, domain: Domain) -> Lake:
        return Lake(self.settings.lake_root, domain.name)

    def states(self, domain: Domain, family: str) -> StateStore:
        """The states of a feature family's folds."""
        return StateStore(self.settings.home / "features" / domain.name / family)

    def truth(self, domain: Domain) -> Path:
        """Where the truth of a simulated world is kept; there is none beside real data."""
        return self.settings.home / "truth" / domain.name

    @property
    def models(self) -> Path:
        """Where the files of trained models are kept."""
        return self.settings.home / "models"

    @property
    def reports(self) -> Path:
        """Where the reports on models are kept."""
        return self.settings.home / "reports"

    @contextmanager
    def engine(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_engine(self.settings.lake_root / ".scratch", self.settings.memory_limit) as engine:
            yield engine

    @contextmanager
    def clients(self) -> Iterator[Clients]:
        """What is kept of clients' addresses: hashed with the deployment's key, their places from the file that is set."""
        with open_places(self.settings.geoip_database, self.settings.geoip_max_age_days) as places:
            yield Clients(address_key(self.settings), places, self._tombstones)

    def _tombstones(self) -> Tombstones:
        with connect(self.server.dsn) as connection:
            return read_tombstones(connection, address_key(self.settings))

    @contextmanager
    def catalog(self) -> Iterator[Catalog]:
        """The catalogue on a session of its own, closed afterwards."""
        with connect(self.server.dsn) as connection:
            yield Catalog(connection, self.settings.lake_root)
