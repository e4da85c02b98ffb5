"""MaxMind's test database of cities, and what it is known to hold."""

import csv
import ipaddress
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "geoip_test"
CITIES = FOLDER / "GeoIP2-City-Test.mmdb"
ANY_AGE_DAYS = 100_000
LONDON, LONDON_IN_IPV6 = "81.2.69.160", "::ffff:81.2.69.160"
NOWHERE = "192.0.2.1"
"""Set aside for documentation, and in no database."""


@dataclass(frozen=True)
class Known:
    """The first address of a network that no smaller network of the database has, and its place as published."""

    address: str
    country: str
    latitude: float | None
    longitude: float | None


def known_places() -> list[Known]:
    networks = {}
    with (FOLDER / "expected_city.csv").open() as stream:
        for row in csv.DictReader(stream):
            network = ipaddress.ip_network(row["network"])
            if network.prefixlen >= 96 and int(network.network_address) < 1 << 32:
                # The database holds IPv4 in the last 32 bits of IPv6.
                network = ipaddress.ip_network((int(network.network_address), network.prefixlen - 96))
            networks[network] = row
    found = []
    for network, row in networks.items():
        address = network.network_address
        smaller = [n for n in networks if n.version == network.version and n.prefixlen > network.prefixlen and address in n]
        if not smaller:
            latitude, longitude = (float(row[name]) if row[name] else None for name in ("lat", "lon"))
            found.append(Known(str(address), row["country"] or None, latitude, longitude))
    return found
