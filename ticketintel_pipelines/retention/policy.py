"""How long the rows of each retention class are kept: data, with defaults that a file may change."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.errors import BadInputError

DAYS_OF_YEARS = {1: 366, 2: 731, 5: 1_827, 7: 2_557}
"""As many days as so many years have at most: nothing goes before its years are full."""


@dataclass(frozen=True)
class Periods:
    """How long rows are kept, in days after the day that they belong to; None: for ever.

    Rows stay in Postgres for `hot_days`. Those of an archived class go into the archive then, until `deleted_after_days`;
    the others are deleted at once. `on_request`: a person's rows are erased when that person asks for it.
    """

    hot_days: int | None
    deleted_after_days: int | None = None
    archived: bool = False
    on_request: bool = False

    def kept_from(self, today: date) -> date | None:
        """The first day that stays in Postgres; None where all do."""
        return None if self.hot_days is None else today - timedelta(days=self.hot_days)

    def archived_from(self, today: date) -> date | None:
        """The first day that stays in the archive; None where all do."""
        return None if self.deleted_after_days is None else today - timedelta(days=self.deleted_after_days)

    @property
    def words(self) -> str:
        if self.hot_days is None:
            return "permanent, erased on request" if self.on_request else "permanent"
        hot = f"{self.hot_days:,} days in Postgres"
        return f"{hot}, deleted after {self.deleted_after_days:,} days" if self.archived else f"{hot}, then deleted"


def _archived(hot_days: int, years: int) -> Periods:
    return Periods(hot_days, DAYS_OF_YEARS[years], archived=True)


def _deleted(days: int) -> Periods:
    return Periods(days, days)


PERMANENT = Periods(None)
DEFAULTS: Mapping[RetentionClass, Periods] = {
    RetentionClass.ON_CHAIN: PERMANENT,
    RetentionClass.TRANSACTION_LOG: _archived(90, 2),
    RetentionClass.FAILED_TRANSACTION: _deleted(180),
    RetentionClass.USER_SESSION: _deleted(30),
    RetentionClass.PREDICTION: _archived(180, 5),
    RetentionClass.AUDIT_AND_SECURITY: _archived(DAYS_OF_YEARS[1], 7),
    RetentionClass.DEBUG_LOG: _deleted(30),
    RetentionClass.USER_MASTER: Periods(None, on_request=True),
}


@dataclass(frozen=True)
class Policy:
    """The periods of every class. `version` changes whenever a period does; ledger and manifests name it."""

    periods: Mapping[RetentionClass, Periods]

    def __post_init__(self) -> None:
        missing = set(RetentionClass) - set(self.periods)
        if missing:
            raise ValueError(f"no periods for {', '.join(sorted(one.value for one in missing))}")

    def of(self, retention: RetentionClass) -> Periods:
        return self.periods[retention]

    @cached_property
    def version(self) -> str:
        """The beginning of the SHA-256 of all periods, 16 hexadecimal digits."""
        listed = {one.value: asdict(self.periods[one]) for one in RetentionClass}
        return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:16]


DEFAULT_POLICY = Policy(DEFAULTS)


def read_policy(file: Path) -> Policy:
    """The default policy with the periods that a TOML file changes; without the file, the default.

    The file has a table `[periods."user sessions"]` for each class that differs, with `hot_days` or `deleted_after_days`.

    Raises:
        BadInputError: the file cannot be read, or names what there is not, or a period that the class cannot have.
    """
    if not file.exists():
        return DEFAULT_POLICY
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{file} is not a TOML file that can be read: {error}") from error
    if set(content) - {"periods"} or not isinstance(content.get("periods", {}), dict):
        raise BadInputError(f"{file} may have the table periods and nothing else")
    by_words = {one.value: one for one in RetentionClass}
    periods = dict(DEFAULTS)
    for words, changes in content.get("periods", {}).items():
        if words not in by_words:
            raise BadInputError(f"{file}: there is no class {words!r}; the classes are {', '.join(by_words)}")
        if not isinstance(changes, dict):
            raise BadInputError(f"{file}: the periods of {words!r} are a table with hot_days and deleted_after_days")
        periods[by_words[words]] = _changed(file, words, periods[by_words[words]], changes)
    return Policy(periods)


def _changed(file: Path, words: str, default: Periods, changes: Mapping[str, object]) -> Periods:
    allowed = ("hot_days", "deleted_after_days") if default.archived else ("hot_days",)
    if default.hot_days is None:
        raise BadInputError(f"{file}: {words} are {default.words}; that is no setting")
    for name, value in changes.items():
        if name not in allowed:
            raise BadInputError(f"{file}: {words} have no {name}; they take {' and '.join(allowed)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadInputError(f"{file}: {name} of {words} is not a number of days from 1 on")
    hot_days = changes.get("hot_days", default.hot_days)
    deleted = changes.get("deleted_after_days", default.deleted_after_days) if default.archived else hot_days
    assert isinstance(hot_days, int) and isinstance(deleted, int)
    if deleted < hot_days:
        raise BadInputError(f"{file}: {words} would be deleted after {deleted} days, before the {hot_days} in Postgres end")
    return Periods(hot_days, deleted, default.archived, default.on_request)
