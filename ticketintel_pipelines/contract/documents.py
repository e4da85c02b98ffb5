"""Documents for people, written from the declarations: the data dictionary and the raw contract."""

from collections.abc import Iterable, Sequence

from ticketintel_pipelines.contract.columns import Column
from ticketintel_pipelines.contract.rules import (
    Check,
    Follows,
    Holds,
    InRange,
    Matches,
    NotNull,
    OneOf,
    Refers,
    Severity,
    Unique,
)
from ticketintel_pipelines.contract.tables import Domain, Source, Table

EFFECTS = {
    Severity.QUARANTINE: "quarantine",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "blocks publishing",
}


def data_dictionary(domain: Domain, views: Iterable[tuple[str, str, dict[str, str]]]) -> str:
    """What analysts find in Postgres, as Markdown: views (name, description, columns) first, then tables with their rules."""
    lines = [
        f"# Data dictionary: {domain.name}",
        "",
        f"{domain.description} Generated from the declarations; `make docs` writes it anew.",
        "",
        "Times are UTC. Columns marked *personal* are closed to analysts.",
        "",
        *_versions_section(domain),
        "## Views",
    ]
    for name, description, columns in views:
        lines += ["", f"### {domain.name}.{name}", "", description, "", "| column | meaning |", "|---|---|"]
        lines += [f"| {column} | {_cell(words)} |" for column, words in columns.items()]
    lines += ["", "## Tables"]
    for table in domain.published_tables:
        lines += ["", *_table_section(domain, table)]
    return "\n".join(lines) + "\n"


def _versions_section(domain: Domain) -> list[str]:
    if all(table.version is None for table in domain.published_tables):
        return []
    return [
        "## Versions",
        "",
        "A row of a table with versions can come again with another content. The newest sound version is published, here and "
        f"in the lake under `{domain.name}/validate/<table>/day=…`; the older ones lie beside, with the same columns and days, "
        f"under `{domain.name}/history/<table>/day=…`. What was known of a row at some time is the newest version of both "
        "places whose version column is not later; a null there is older than anything. A row keeps its day: a version with "
        "the time of another day goes to quarantine (`key_unique`), as does one that differs from what came first under the "
        "same version.",
        "",
    ]


def raw_contract(domain: Domain) -> str:
    """What can be handed in, as Markdown: each raw table with its columns, types and other names."""
    lines = [
        f"# The raw contract: {domain.name}",
        "",
        "What `ticketintel import` takes. Generated from the declarations; `make docs` writes it anew.",
        "",
        "A folder of Parquet, CSV (comma, UTF-8, a header) or JSON lines files, any subset of the tables below. A file "
        "belongs to the table that its name contains as a word (`orders.csv`, `orders-2026-01.parquet`) or whose folder it "
        "lies in (`orders/2026-01-01.parquet`). Column order does not matter; columns that are not listed are left out, "
        "and said so.",
        "",
        "- Times: ISO 8601 (`2026-01-31T12:00:00Z`; without an offset: UTC), Parquet timestamps, or whole seconds since 1970.",
        "- Token ids and wei: decimal text of up to 78 digits, or integers; never floats.",
        "- Addresses, hashes, data: `0x` and hexadecimal digits, or Parquet binary.",
        *_address_words(domain),
        "- Logs and blocks come as ethereum-etl or cryo export them: topics in one column or four, and where logs carry no "
        "time, it is taken from the blocks of the same folder or of an earlier import.",
        "",
        "A cell that is not of its column's type refuses the whole folder, with file, row and column named (row 1 is the first "
        "after the header). A row that breaks "
        "a rule is taken in and set aside in quarantine when it is validated.",
    ]
    if any(table.version for table in domain.raw_tables):
        lines += [
            "",
            "What has changed is handed in again, in a new file: the whole row, with the time of the change in the column that "
            "is said to be its version. The newest version of a row is published, in whatever order they come; without that "
            "time, the row that came first stays.",
        ]
    for table in domain.raw_tables:
        lines += [
            "",
            f"## {table.name}",
            "",
            f"{table.description} One row is {table.grain}; `{'`, `'.join(table.key)}` identifies it, `{table.time}` decides "
            f"its day{f', `{table.version}` its version' if table.version else ''}.",
            "",
            "| column | type | required | also called | meaning |",
            "|---|---|---|---|---|",
        ]
        lines += [_raw_row(table, column) for column in table.columns]
    return "\n".join(lines) + "\n"


def _address_words(domain: Domain) -> list[str]:
    hashed = [column for table in domain.raw_tables for column in table.columns if column.type.is_keyed_hash]
    if not hashed:
        return []
    names = " or ".join(f"`{name}`" for name in dict.fromkeys(name for column in hashed for name in column.aliases))
    return [
        f"- IP addresses of clients: IPv4 or IPv6 as text, under {names}. A keyed hash of the address and one of its network "
        "are kept; the address is stored nowhere. Under the column's own name, 32 hexadecimal digits are a hash made before.",
    ]


def _raw_row(table: Table, column: Column) -> str:
    optional = not column.required or (table.time_from is not None and column.name == table.time)
    names = list(column.aliases) + (["topics"] if column.name.startswith("topic") else [])
    cells = (column.name, column.type.label, "" if optional else "yes", ", ".join(names), _meaning(column))
    return f"| {' | '.join(cells)} |"


def _table_section(domain: Domain, table: Table) -> list[str]:
    lines = [
        f"### {domain.name}.{table.name}",
        "",
        f"{table.description} One row is {table.grain}.",
        f"Key: `{'`, `'.join(table.key)}`. Time: `{table.time}`. {_version(table)}Retention: {table.retention.value}.",
        "",
        "| column | type | may be null | personal | meaning |",
        "|---|---|---|---|---|",
    ]
    for column in table.columns:
        personal = column.personal.value if column.personal else ""
        cells = (column.name, column.type.postgres, "" if column.required else "yes", personal, _meaning(column))
        lines.append(f"| {' | '.join(cells)} |")
    if table.source is not Source.MODEL:
        lines += ["", "| rule | asks for | effect | a row fails when |", "|---|---|---|---|", *_rule_rows(table)]
    return lines


def _version(table: Table) -> str:
    return f"Version: `{table.version}`. " if table.version else ""


def _rule_rows(table: Table) -> Sequence[str]:
    return [
        f"| {rule.name} | {_cell(_asked(rule.check))} | {EFFECTS[rule.severity]} | {_cell(rule.reason)} |"
        for rule in table.rules
    ]


def _asked(check: Check) -> str:
    """What a rule asks for, in a few words."""
    match check:
        case NotNull(column=column):
            return f"{column} is there"
        case InRange(column=column, minimum=minimum, maximum=maximum):
            bounds = [
                f"at least {minimum:,}" if minimum is not None else "",
                f"at most {maximum:,}" if maximum is not None else "",
            ]
            return f"{column} {' and '.join(bound for bound in bounds if bound)}"
        case Matches(column=column, pattern=pattern):
            return f"{column} like `{pattern}`"
        case OneOf(column=column, values=values):
            return f"{column} one of {', '.join(values)}"
        case Follows(later=later, earlier=earlier):
            return f"{later} not before {earlier}"
        case Unique(columns=columns, unless=unless):
            return f"{', '.join(columns)} only once" + (f" among rows without {unless}" if unless else "")
        case Refers(column=column, table=table, not_before=None):
            return f"{column} in {table}"
        case Refers(table=table, not_before=not_before, time=time):
            return f"{time} not before {not_before} of {table}"
        case Holds(sql=sql):
            return f"`{sql}`"


def _meaning(column: Column) -> str:
    return _cell(f"{column.description} ({column.unit})" if column.unit else column.description)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
