"""What tables of the platform declare alike.

Any row of theirs may change later: an order's status, a chargeback withdrawn. Each table therefore ends with the two columns
that tell when a state of a row became known and whether the platform deleted the row.
"""

from ticketintel_pipelines.contract import Column, ColumnType, Refers, Rule

KNOWN_AT = Column(
    "known_at",
    ColumnType.TIMESTAMP,
    "When this state of the row became known to the platform; null where the export does not say.",
    unit="UTC",
    required=False,
    aliases=("updated_at",),
)
DELETED_AT = Column(
    "deleted_at",
    ColumnType.TIMESTAMP,
    "When the platform deleted the row softly; null while it lives. It stays, so that what refers to it still finds it.",
    unit="UTC",
    required=False,
)
VERSION_COLUMNS = (KNOWN_AT, DELETED_AT)


def user_exists(column: str = "user_id") -> Rule:
    """The rule that a column names an account, or nobody."""
    return Rule(f"{column}_exists", Refers(column, "users", "user_id"), "no published user has this id")
