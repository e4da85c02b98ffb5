"""Dagster's records without personal values: redacted where Dagster stores them, so that no other way leads around it."""

import json
from typing import Any, NamedTuple, TypeVar, cast

from dagster._core.scheduler.instigation import InstigatorTick, TickData
from dagster._serdes import deserialize_value, serialize_value
from dagster_postgres.schedule_storage import PostgresScheduleStorage

from ticketintel_pipelines.redaction import redacted_tree

Record = TypeVar("Record", bound=NamedTuple)


def redacted_record(record: Record) -> Record:
    """A record of Dagster's as it may be stored: messages, metadata, checks, errors with their causes and tracebacks redacted.

    One that holds nothing to redact is returned itself.
    """
    tree: Any = json.loads(serialize_value(cast("Any", record)))
    clean = redacted_tree(tree)
    return record if clean == tree else deserialize_value(json.dumps(clean), type(record))


class Ticks(PostgresScheduleStorage):
    """What schedules and sensors came to, in Postgres: why one asked for nothing, and how one failed, is redacted."""

    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        return super().create_tick(redacted_record(tick_data))

    def update_tick(self, tick: InstigatorTick) -> InstigatorTick:
        return super().update_tick(redacted_record(tick))
