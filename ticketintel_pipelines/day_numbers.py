"""Days as numbers, counted from 1970-01-01."""

from datetime import date, timedelta

EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """The day of a number of days since 1970."""
    return EPOCH + timedelta(days=number)
