"""Which versions of a model there are and which one is in use, as the tables `ops.model_*` remember it.

Changing what is in use is one transaction; two at a time follow one another.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ticketintel_pipelines.errors import BadInputError

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

VERSIONS = """
SELECT
    v.version, v.manifest, v.note, v.registered_at,
    array(SELECT a.alias FROM ops.model_aliases a
        WHERE a.domain = v.domain AND a.model = v.model AND a.version = v.version ORDER BY a.alias)
FROM ops.model_versions v
WHERE v.domain = %s AND v.model = %s
ORDER BY v.registered_at DESC, v.version
"""


@dataclass(frozen=True)
class ModelVersion:
    """A registered version, the aliases that name it, and the note on why it was promoted, or was not."""

    version: str
    manifest: Mapping[str, Any]
    note: str
    registered_at: datetime
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Alias:
    """What a name stands for, since when, and why."""

    version: str
    because: str
    since: datetime


def record_version(
    connection: psycopg.Connection, domain: str, model: str, version: str, manifest: Mapping[str, Any], run_id: str
) -> None:
    """Make a version known, and the challenger; again, nothing changes. One that is in use stays what it is."""
    with _alone(connection, domain, model):
        connection.execute(
            "INSERT INTO ops.model_versions (domain, model, version, manifest, run_id) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            (domain, model, version, Jsonb(manifest), run_id),
        )
        aliases = _aliases(connection, domain, model)
        if version not in (alias.version for alias in aliases.values()):
            _point(connection, domain, model, CHALLENGER, version, "trained last")


def note(connection: psycopg.Connection, domain: str, model: str, version: str, words: str) -> None:
    """Keep why a version was promoted, or was not.

    Raises:
        BadInputError: the version is not registered.
    """
    with connection.transaction():
        _note(connection, domain, model, version, words)


def promote(connection: psycopg.Connection, domain: str, model: str, version: str, because: str) -> bool:
    """The challenger becomes the champion, and the champion the previous one; returns whether the version is champion now.

    Of a champion nothing changes. The previous version, which training can come to again after somebody rolled back from it,
    stays what it is and is noted so: only a roll-back undoes a roll-back.

    Raises:
        BadInputError: the version is not the challenger: another one was trained since it was judged.
    """
    with _alone(connection, domain, model):
        aliases = _aliases(connection, domain, model)
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if champion is not None and champion.version == version:
            return True
        if PREVIOUS in aliases and aliases[PREVIOUS].version == version:
            _note(
                connection, domain, model, version, f"not promoted: {aliases[PREVIOUS].because}, and a roll-back brings it back"
            )
            return False
        if challenger is None or challenger.version != version:
            now = "there is no challenger" if challenger is None else f"the challenger is {challenger.version}"
            raise BadInputError(f"{domain}.{model}: {version} cannot be promoted, {now}; train and judge again")
        if champion is not None:
            _point(connection, domain, model, PREVIOUS, champion.version, f"replaced by {version}")
        _point(connection, domain, model, CHAMPION, version, because)
        connection.execute(
            "DELETE FROM ops.model_aliases WHERE domain = %s AND model = %s AND alias = %s", (domain, model, CHALLENGER)
        )
        _note(connection, domain, model, version, because)
    return True


def roll_back(
    connection: psycopg.Connection,
    domain: str,
    model: str,
    because: str = "rolled back by hand",
    check: Callable[[str], object] = lambda _: None,
) -> str:
    """The previous version becomes the champion again, and the champion the previous one; returns the new champion.

    `check` is asked first whether that version can be used, such as the registry's `verify`: what it raises changes nothing.

    Raises:
        BadInputError: there is no previous version.
    """
    with _alone(connection, domain, model):
        aliases = _aliases(connection, domain, model)
        if CHAMPION not in aliases or PREVIOUS not in aliases:
            raise BadInputError(f"{domain}.{model} cannot be rolled back: no other version was champion before this one")
        back, away = aliases[PREVIOUS].version, aliases[CHAMPION].version
        check(back)
        _point(connection, domain, model, CHAMPION, back, because)
        _point(connection, domain, model, PREVIOUS, away, because)
    return back


def champion_of(connection: psycopg.Connection, domain: str, model: str) -> str | None:
    """The version that scores; None before the first promotion."""
    champion = aliases_of(connection, domain, model).get(CHAMPION)
    return None if champion is None else champion.version


def champions_of(connection: psycopg.Connection, domain: str) -> dict[str, str]:
    """The version that scores, by model; models without one are left out."""
    return dict(
        connection.execute(
            "SELECT model, version FROM ops.model_aliases WHERE domain = %s AND alias = %s", (domain, CHAMPION)
        ).fetchall()
    )


def aliases_of(connection: psycopg.Connection, domain: str, model: str) -> dict[str, Alias]:
    """What each alias that is given stands for."""
    with connection.transaction():
        return _aliases(connection, domain, model)


def versions_of(connection: psycopg.Connection, domain: str, model: str) -> list[ModelVersion]:
    """All versions, the newest first."""
    with connection.transaction():
        rows = connection.execute(VERSIONS, (domain, model)).fetchall()
    return [ModelVersion(version, manifest, words, at, tuple(aliases)) for version, manifest, words, at, aliases in rows]


def list_versions(connection: psycopg.Connection, domain: str, model: str) -> list[str]:
    """A line for each version, the newest first: when, which aliases, its metrics, and why it was (not) promoted."""
    lines = []
    for one in versions_of(connection, domain, model):
        named = f" [{', '.join(one.aliases)}]" if one.aliases else ""
        metrics = ", ".join(f"{name} {figure_in_words(figure)}" for name, figure in one.manifest.get("metrics", {}).items())
        parts = [f"{one.version}{named} {one.registered_at:%Y-%m-%d %H:%M}", metrics, one.note]
        lines.append("; ".join(part for part in parts if part))
    return lines


def figure_in_words(figure: Mapping[str, float | None]) -> str:
    """A figure of a manifest, with its interval where it has one."""
    value, low, high = (figure.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "unknown"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


@contextmanager
def _alone(connection: psycopg.Connection, domain: str, model: str) -> Iterator[None]:
    """A transaction during which nobody else changes the aliases of a model."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"model {domain}.{model}",))
        yield


def _aliases(connection: psycopg.Connection, domain: str, model: str) -> dict[str, Alias]:
    rows = connection.execute(
        "SELECT alias, version, because, since FROM ops.model_aliases WHERE domain = %s AND model = %s", (domain, model)
    ).fetchall()
    return {alias: Alias(*rest) for alias, *rest in rows}


def _point(connection: psycopg.Connection, domain: str, model: str, alias: str, version: str, because: str) -> None:
    connection.execute(
        "INSERT INTO ops.model_aliases (domain, model, alias, version, because) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (domain, model, alias) DO UPDATE "
        "SET version = excluded.version, because = excluded.because, since = now()",
        (domain, model, alias, version, because),
    )


def _note(connection: psycopg.Connection, domain: str, model: str, version: str, words: str) -> None:
    changed = connection.execute(
        "UPDATE ops.model_versions SET note = %s WHERE domain = %s AND model = %s AND version = %s",
        (words, domain, model, version),
    ).rowcount
    if not changed:
        raise BadInputError(f"{domain}.{model} has no version {version}; 'ticketintel models' lists those it has")
