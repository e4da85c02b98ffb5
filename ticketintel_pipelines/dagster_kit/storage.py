"""Dagster's own storage in the pipeline's Postgres, wherever that is; named by `dagster.yaml`."""

from typing import Any

from dagster import Field
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL

from ticketintel_pipelines.dagster_kit.event_log import EventLog
from ticketintel_pipelines.dagster_kit.redacting import Ticks
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.warehouse.server import start_server


class WarehouseStorage(DagsterPostgresStorage):
    """Postgres storage whose URL comes from the settings, so that the committed configuration names no server."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._event_log_storage = EventLog(postgres_url, should_autocreate_tables)
        self._schedule_storage = Ticks(postgres_url, should_autocreate_tables)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {
            "postgres_url": Field(str, is_required=False, description="Where to, if not where the settings say."),
            "should_autocreate_tables": Field(bool, is_required=False, default_value=True),
        }

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "WarehouseStorage":
        return cls(
            postgres_url=config_value.get("postgres_url") or _url_of_the_settings(),
            should_autocreate_tables=config_value["should_autocreate_tables"],
            inst_data=inst_data,
        )


def storage_at(url: URL) -> dict[str, Any]:
    """The part of an instance's configuration that puts its storage at a URL, whatever the environment says."""
    config = {"postgres_url": url.render_as_string(hide_password=False)}
    return {"storage": {"custom": {"module": __name__, "class": WarehouseStorage.__name__, "config": config}}}


def _url_of_the_settings() -> str:
    return start_server(read_settings()).dagster.render_as_string(hide_password=False)
