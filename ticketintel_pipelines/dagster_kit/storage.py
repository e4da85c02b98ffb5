"""Dagster's own storage in the pipeline's Postgres, wherever that is; named by `dagster.yaml`."""

from typing import Any

from dagster import Field
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.warehouse.server import start_server


class WarehouseStorage(DagsterPostgresStorage):
    """Postgres storage whose URL comes from the settings, so that the committed configuration names no server."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"should_autocreate_tables": Field(bool, is_required=False, default_value=True)}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "WarehouseStorage":
        url = start_server(read_settings()).dagster
        return cls(
            postgres_url=url.render_as_string(hide_password=False),
            should_autocreate_tables=config_value["should_autocreate_tables"],
            inst_data=inst_data,
        )
