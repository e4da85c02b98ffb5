"""Coarse places of addresses, from a MaxMind database of cities or countries.

A place is worth having and nothing hangs on it: a file that is missing, old or broken is said in one sentence, and what would
have been looked up is unknown.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticketintel_pipelines.contract.columns import PLACE_DECIMALS
from ticketintel_pipelines.intake import place_reader
from ticketintel_pipelines.settings import GEOIP_DATABASE, GEOIP_MAX_AGE_DAYS

KINDS = ("City", "Country", "Enterprise")
"""Databases whose records have a country; the others are of networks, domains or anonymity."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: ISO 3166 code of the country, and coordinates in degrees to `PLACE_DECIMALS`. Any of them may be unknown."""

    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


NOWHERE = Spot()


class Places:
    """Looks addresses up, as long as its database serves; without one, every address is nowhere.

    `warnings` are sentences for people: what does not serve, and what to do.
    """

    def __init__(self, path: Path | None = None, reader: "subprocess.Popen[str] | None" = None) -> None:
        self.warnings: list[str] = []
        self._path = path
        self._reader = reader

    @property
    def known(self) -> bool:
        """Whether any place can be known at all."""
        return self._reader is not None

    def look_up(self, addresses: Sequence[str]) -> list[Spot]:
        """The places of IPv4 and IPv6 addresses; those that the database does not have are nowhere."""
        if self._reader is None:
            return [NOWHERE] * len(addresses)
        found = _ask(self._reader, list(addresses))
        if found is None:
            # What was found before stands; a broken file is not asked again.
            self.serve_no_more(f"{self._path} is broken, so addresses get no place; download it again")
            return [NOWHERE] * len(addresses)
        return [Spot(country, _rounded(latitude), _rounded(longitude)) for country, latitude, longitude in found]

    def serve_no_more(self, warning: str) -> None:
        self.warnings.append(warning)
        self._reader = None


@contextmanager
def open_places(path: Path | None, max_age_days: int, now: datetime | None = None) -> Iterator[Places]:
    """The places of a database file, none and a warning where it does not serve. No path: none, and nothing to warn of."""
    if path is None:
        yield Places()
        return
    # Not by its module's name: the package need not be on the path of a new interpreter. `-P` keeps its neighbours off it.
    command = [sys.executable, "-P", place_reader.__file__, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as reader:
        assert reader.stdin is not None
        try:
            places = Places(path, reader)
            if (objection := _objection(_answer(reader), path, max_age_days, now or datetime.now(UTC))) is not None:
                places.serve_no_more(f"{objection}, or mend {GEOIP_DATABASE.name}; until then addresses get no place")
            yield places
        finally:
            reader.kill()
            with suppress(BrokenPipeError):
                # A question that it did not live to read is still in the pipe.
                reader.stdin.close()


def _ask(reader: "subprocess.Popen[str]", question: object) -> Any:
    """The answer of the process; None where it ended instead."""
    assert reader.stdin is not None
    try:
        reader.stdin.write(json.dumps(question) + "\n")
        reader.stdin.flush()
    except BrokenPipeError:
        return None
    return _answer(reader)


def _answer(reader: "subprocess.Popen[str]") -> Any:
    assert reader.stdout is not None
    line = reader.stdout.readline()
    return json.loads(line) if line.endswith("\n") else None


def _objection(said: dict[str, Any] | None, path: Path, max_age_days: int, now: datetime) -> str | None:
    """What speaks against using a database, and what to do about it."""
    if said is None:
        return f"{path} is no MaxMind database, or a broken one: download it again"
    if "unreadable" in said:
        return f"{path} cannot be read ({said['unreadable']}): put a MaxMind database there"
    if not any(kind in said["kind"] for kind in KINDS):
        return f"{path} is a database of the kind {said['kind']} and not of cities or countries: put one of these there"
    built = datetime.fromtimestamp(said["built"], UTC)
    if (now - built).days > max_age_days:
        return (
            f"{path} was built on {built.date()}, more than {GEOIP_MAX_AGE_DAYS.name}={max_age_days} days ago: "
            "download a newer one"
        )
    return None


def _rounded(degrees: float | None) -> float | None:
    return None if degrees is None else round(degrees, PLACE_DECIMALS)
