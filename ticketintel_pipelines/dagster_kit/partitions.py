"""Daily partitions, and the range of days that a run was asked for."""

from datetime import date

import dagster as dg

from ticketintel_pipelines.lake.layout import DayRange

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def daily_partitions(first_day: date) -> dg.DailyPartitionsDefinition:
    """Days in UTC from `first_day` on; a day exists once it has begun, so that a running day can be caught up with."""
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC", end_offset=1)


def wanted_days(context: dg.AssetExecutionContext) -> DayRange:
    """The days of this run: one partition, or the range of a single-run backfill."""
    keys = context.partition_key_range
    return DayRange(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def range_tags(days: DayRange) -> dict[str, str]:
    """Run tags that ask for a range of days in one run."""
    return {RANGE_START_TAG: days.first.isoformat(), RANGE_END_TAG: days.last.isoformat()}
