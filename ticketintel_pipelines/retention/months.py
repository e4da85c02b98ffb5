"""Months as their first days: what Postgres partitions by and what the archive is filed under."""

from datetime import date, timedelta

LONGEST_MONTH = timedelta(days=31)


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return month_of(month + LONGEST_MONTH)


def last_day_of(month: date) -> date:
    return next_month(month) - timedelta(days=1)


def label(month: date) -> str:
    """Such as 2026-01."""
    return f"{month:%Y-%m}"
