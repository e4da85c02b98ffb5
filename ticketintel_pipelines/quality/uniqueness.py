"""Rows that compete: versions of one row, of which the newest sound one is published, and values that may be there once.

All of it touches only the rows that compete. Whatever is refused here leaves its place to the version before it.
"""

from collections.abc import Sequence

from ticketintel_pipelines.contract import Rule, Unique
from ticketintel_pipelines.lake.engine import fetch_row, fetch_table, identifier
from ticketintel_pipelines.quality.judged import KEY_RULE, Judged

LANDING = "landing_order, source_file, source_row"
"""Which of two rows came first, where their time does not tell."""


def settle(judged: Judged) -> None:
    """Refuse the judged rows that break a uniqueness rule, mark those that are superseded, and those that are mended.

    Expects the table `contested`: the keys that several judged rows have.
    """
    contested = fetch_row(judged.connection, "SELECT count(*) FROM contested") != (0,)
    versioned = contested and judged.table.version is not None
    if versioned:
        _refuse_ties(judged)
    settled = False
    while not settled:
        if versioned:
            _supersede(judged)
        for rule in judged.table.rules:
            if isinstance(rule.check, Unique):
                _judge_uniqueness(judged, rule, rule.check, contested)
        # Each round refuses a version or is the last one.
        settled = not versioned or not _has_unpublished_versions(judged)
    _mark_mended(judged)


def _names(columns: Sequence[str]) -> str:
    return ", ".join(identifier(name) for name in columns)


def _version(judged: Judged) -> str:
    assert judged.table.version is not None
    return identifier(judged.table.version)


def _refuse_ties(judged: Judged) -> None:
    """Of sound rows that are the same version of the same row, the first landed stays."""
    key = _names(judged.table.key)
    judged.connection.execute(
        f"UPDATE judged SET broken = broken | {judged.bits[KEY_RULE]} WHERE rowid IN (SELECT row FROM ("
        f"SELECT j.rowid AS row, row_number() OVER (PARTITION BY {key}, day, {_version(judged)} ORDER BY {LANDING}) AS place "
        f"FROM judged j SEMI JOIN contested USING ({key}) WHERE {judged.sound}) WHERE place > 1)"
    )


def _supersede(judged: Judged) -> None:
    """Of the sound versions of a row, let all but the newest stand back."""
    key = _names(judged.table.key)
    judged.connection.execute(
        f"UPDATE judged SET broken = CASE WHEN place = 1 THEN broken & ~{judged.superseded_bit} "
        f"ELSE broken | {judged.superseded_bit} END FROM (SELECT j.rowid AS row, row_number() OVER ("
        f"PARTITION BY {key}, day ORDER BY {_version(judged)} DESC NULLS LAST) AS place "
        f"FROM judged j SEMI JOIN contested USING ({key}) WHERE {judged.sound}) AS versions WHERE judged.rowid = versions.row"
    )


def _has_unpublished_versions(judged: Judged) -> bool:
    """Whether some row's newest version was refused while an older one stands back."""
    key = _names(judged.table.key)
    waiting = (
        f"SELECT 1 FROM judged SEMI JOIN contested USING ({key}) WHERE {judged.sound} "
        f"GROUP BY {key}, day HAVING NOT bool_or({judged.accepted})"
    )
    return fetch_row(judged.connection, f"SELECT count(*) FROM ({waiting})") != (0,)


def _judge_uniqueness(judged: Judged, rule: Rule, check: Unique, contested: bool) -> None:
    connection = judged.connection
    columns = _names(check.columns)
    broken = f"broken = broken | {judged.bits[rule.name]}"
    competing = " AND ".join([judged.accepted, *(f"{identifier(name)} IS NOT NULL" for name in check.columns)])
    living = f"{identifier(check.unless)} IS NULL" if check.unless else "true"
    by_key = check.columns == judged.table.key and check.unless is None
    if contested or not by_key:
        # Which keys repeat is known from looking for copies; other values are counted here.
        rows = f"judged SEMI JOIN contested USING ({columns})" if by_key else "judged"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {columns} FROM {rows} WHERE {competing} AND {living} "
            f"GROUP BY {columns} HAVING count(*) > 1"
        )
        if fetch_row(connection, "SELECT count(*) FROM repeated") != (0,):
            standing = _find_standing(judged, check)
            connection.execute(
                f"UPDATE judged SET {broken} WHERE rowid IN (SELECT row FROM (SELECT j.rowid AS row, row_number() OVER ("
                f"PARTITION BY {columns} ORDER BY list_contains(standing, {identifier(judged.table.time)}) DESC NULLS LAST, "
                f"{identifier(judged.table.time)}, {LANDING}) AS place FROM judged j SEMI JOIN repeated USING ({columns}) "
                f"LEFT JOIN standing USING ({standing}, day) WHERE {competing} AND {living}) WHERE place > 1)"
            )
    carried = (check.unless,) if check.unless else ()
    for taken in judged.published_elsewhere(check.columns, f"{competing} AND {living}", carried):
        connection.register("taken", taken)
        connection.execute(
            f"UPDATE judged SET {broken} WHERE {competing} AND {living} AND rowid IN (SELECT j.rowid FROM judged j "
            f"SEMI JOIN (SELECT * FROM taken WHERE {living}) USING ({columns}))"
        )
        connection.unregister("taken")


def _find_standing(judged: Judged, check: Unique) -> str:
    """Make `standing`: the published rows among those that share their columns, which therefore stay.

    A row is known again by the columns that are returned and its day; `standing` lists the times it is published with, one
    unless the rule is only a warning.
    """
    table, connection = judged.table, judged.connection
    key = [name for name in table.key if name not in check.columns]
    names, time = _names([*check.columns, *key]), identifier(table.time)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE found AS SELECT {names}, {time} FROM judged LIMIT 0")
    if judged.surroundings.has_rows(table.name):
        repeated = fetch_table(connection, "SELECT * FROM repeated")
        published = judged.surroundings.look_up(table.name, check.columns, repeated, (*key, table.time))
        connection.register("published", published)
        connection.execute(f"INSERT INTO found SELECT {names}, {time} FROM published")
        connection.unregister("published")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE standing AS SELECT {names}, CAST({time} AT TIME ZONE 'UTC' AS DATE) AS day, "
        f"list({time}) AS standing FROM found GROUP BY ALL"
    )
    return names


def _mark_mended(judged: Judged) -> None:
    """Mark the refused rows of which another one with the same key is published: nothing is left to do about them.

    Of a row with versions that has to be the same version or a newer one; against what came first only a newer one counts.
    """
    connection, table = judged.connection, judged.table
    blocked = f"broken & {judged.bits[KEY_RULE]} <> 0"
    carried = (table.version,) if table.version else ()
    waiting, newer = f"{judged.refused} AND NOT {blocked}", "true"
    if carried:
        waiting = judged.refused
        own, other = (f"coalesce({row}.{_version(judged)}, TIMESTAMPTZ '-infinity')" for row in ("j", "other"))
        newer = f"{other} > {own} OR ({other} = {own} AND NOT {blocked})"
    if fetch_row(connection, f"SELECT count(*) FROM judged WHERE {waiting}") == (0,):
        return
    key = _names(table.key)
    here = (
        f"SELECT {_names([*table.key, *carried])} FROM judged SEMI JOIN (SELECT {key} FROM judged WHERE {waiting}) "
        f"USING ({key}) WHERE {judged.accepted}"
    )
    present = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in table.key)
    elsewhere = judged.published_elsewhere(table.key, f"{waiting} AND {present}", carried)
    for published in (fetch_table(connection, here), *elsewhere):
        connection.register("published", published)
        connection.execute(
            f"UPDATE judged SET mended = true WHERE {waiting} AND rowid IN "
            f"(SELECT j.rowid FROM judged j JOIN published AS other USING ({key}) WHERE {newer})"
        )
        connection.unregister("published")
