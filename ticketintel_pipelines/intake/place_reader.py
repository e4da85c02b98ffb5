"""A program that looks addresses up in a MaxMind database; `places.py` runs it as a process of its own.

The library reads the file in C, and some broken files make it crash. A crash, or any error, ends this process and no other.

Each line in and out is JSON. It begins by saying what the database is, `{"kind": ..., "built": seconds since 1970}`, or
`{"unreadable": why}`; then it answers each list of addresses with a list of `[country, latitude, longitude]`.
"""

import json
import signal
import sys
from typing import Any

import maxminddb

PATIENCE_SECONDS = 300
"""For one batch, which takes a second: a broken file may also lead in circles."""
COORDINATE_LIMITS = {"latitude": 90, "longitude": 180}


def main(path: str) -> None:
    # An interrupt from the terminal is the other process's business; this one ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        reader = maxminddb.open_database(path)
    except OSError as error:
        _say({"unreadable": error.strerror})
        return
    metadata = reader.metadata()
    _say({"kind": metadata.database_type, "built": metadata.build_epoch})
    has_ipv6 = metadata.ip_version > 4
    for line in sys.stdin:
        signal.alarm(PATIENCE_SECONDS)
        addresses = json.loads(line)
        _say([_place(reader.get(address) if has_ipv6 or ":" not in address else None) for address in addresses])
        signal.alarm(0)


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


def _place(record: Any) -> tuple[str | None, float | None, float | None]:
    """Country and coordinates of a record; null where it does not have them in the published form."""
    country = _part(record, "country").get("iso_code")
    location = _part(record, "location")
    coordinates = [_number(location.get(name), limit) for name, limit in COORDINATE_LIMITS.items()]
    latitude, longitude = coordinates if None not in coordinates else (None, None)
    return country if isinstance(country, str) else None, latitude, longitude


def _part(record: Any, name: str) -> dict[str, Any]:
    part = record.get(name) if isinstance(record, dict) else None
    return part if isinstance(part, dict) else {}


def _number(value: Any, limit: int) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) <= limit else None


if __name__ == "__main__":
    main(sys.argv[1])
