"""A declared rule as SQL: an expression that is true for the rows that break it."""

from ticketintel_pipelines.contract import (
    Follows,
    Holds,
    InRange,
    Matches,
    NotNull,
    OneOf,
    Refers,
    Rule,
    Unique,
)
from ticketintel_pipelines.lake.engine import identifier, text


def parent_alias(check: Refers) -> str:
    """Name of the table that holds the parents of the rows that are judged."""
    return f"parent_{check.column}_{check.table}"


def parent_column(check: Refers, name: str) -> str:
    """Name of a parent's column (or `key`) beside the row's own columns."""
    return identifier(f"{parent_alias(check)}.{name}")


def violation(rule: Rule) -> str | None:
    """SQL that is true for a row that breaks the rule, and never null; None for rules that need other rows first.

    A null is no violation of any rule but `NotNull`: absence is judged once. Parents are expected to be joined with their
    columns named as `parent_column` does.
    """
    check = rule.check
    column = identifier(check.column) if isinstance(check, NotNull | InRange | Matches | OneOf | Refers) else ""
    match check:
        case NotNull():
            return f"{column} IS NULL"
        case InRange(minimum=minimum, maximum=maximum):
            outside = []
            if minimum is not None:
                outside.append(f"{column} < {minimum}")
            if maximum is not None:
                outside.append(f"{column} > {maximum}")
            return f"coalesce({' OR '.join(outside)}, false)"
        case Matches(pattern=pattern):
            return f"coalesce(NOT regexp_full_match({column}, {text(pattern)}), false)"
        case OneOf(values=values):
            return f"coalesce({column} NOT IN ({', '.join(text(value) for value in values)}), false)"
        case Follows(later=later, earlier=earlier):
            return f"coalesce({identifier(later)} < {identifier(earlier)}, false)"
        case Refers(not_before=None):
            return f"({column} IS NOT NULL AND {parent_column(check, 'key')} IS NULL)"
        case Refers(not_before=not_before, time=time):
            assert not_before is not None and time is not None
            return f"coalesce({identifier(time)} < {parent_column(check, not_before)}, false)"
        case Holds(sql=sql):
            return f"coalesce(NOT ({sql}), false)"
        case Unique():
            return None
