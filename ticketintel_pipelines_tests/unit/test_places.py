"""Places of addresses: what the database holds, and files that do not serve."""

import os
import random
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ticketintel_pipelines.intake.places import NOWHERE as NO_SPOT
from ticketintel_pipelines.intake.places import Places, Spot, open_places
from ticketintel_pipelines_tests.geoip import ANY_AGE_DAYS, CITIES, LONDON, NOWHERE, known_places
from ticketintel_pipelines_tests.shared_data import shared_data

BUILT = datetime(2026, 2, 4, tzinfo=UTC)


def test_every_network_of_the_database_is_where_its_source_says() -> None:
    known = known_places()
    assert len(known) > 200
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        found = places.look_up([place.address for place in known])
    assert places.warnings == []
    for place, spot in zip(known, found, strict=True):
        assert spot.country == place.country, place
        if place.latitude is None:
            assert spot.latitude is spot.longitude is None
        else:
            assert (spot.latitude, spot.longitude) == (round(place.latitude, 1), round(place.longitude, 1)), place


def test_an_address_that_the_database_does_not_have_is_nowhere_and_no_warning() -> None:
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        assert places.look_up([NOWHERE, LONDON, "2001:db8::1"]) == [NO_SPOT, Spot("GB", 51.5, -0.1), NO_SPOT]
        assert places.look_up([]) == []
    assert places.warnings == []


def test_without_a_setting_nothing_is_looked_up_and_nobody_is_warned() -> None:
    with open_places(None, 90) as places:
        assert not places.known
        assert places.look_up([LONDON]) == [NO_SPOT]
    assert places.warnings == []


def refused(path: Path, max_age_days: int = ANY_AGE_DAYS, now: datetime | None = None) -> str:
    """The one warning of a file that does not serve; every address is nowhere."""
    with open_places(path, max_age_days, now) as places:
        assert not places.known
        assert places.look_up([LONDON]) == [NO_SPOT]
    (warning,) = places.warnings
    assert str(path) in warning
    assert "TICKETINTEL_GEOIP_DATABASE" in warning
    assert "addresses get no place" in warning
    return warning


def test_a_missing_file() -> None:
    assert "No such file" in refused(Path("/nowhere/cities.mmdb"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (path := tmp_path / "cities.mmdb").write_bytes(CITIES.read_bytes())
    path.chmod(0)
    assert "Permission denied" in refused(path)


@pytest.mark.parametrize("size", [0, 100, 10_000, CITIES.stat().st_size - 300])
def test_a_truncated_file(tmp_path: Path, size: int) -> None:
    (path := tmp_path / "cities.mmdb").write_bytes(CITIES.read_bytes()[:size])
    assert "download it again" in refused(path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    assert "no MaxMind database" in refused(tmp_path)
    (tmp_path / "notes.txt").write_text("no database\n" * 1_000)
    assert "no MaxMind database" in refused(tmp_path / "notes.txt")
    assert "GeoLite2-ASN and not of cities" in refused(shared_data("maxmind_mmdb") / "GeoLite2-ASN-Test.mmdb")


def test_a_database_that_is_too_old_says_since_when() -> None:
    warning = refused(CITIES, 90, BUILT + timedelta(days=92))
    assert "built on 2026-02-04" in warning
    assert "TICKETINTEL_GEOIP_MAX_AGE_DAYS=90" in warning
    with open_places(CITIES, 90, BUILT + timedelta(days=90)) as places:
        assert places.known


def corrupt(path: Path, seed: int) -> Path:
    """The database with bytes of its search tree and data exchanged; what it says of itself is whole."""
    content = bytearray(CITIES.read_bytes())
    random_ = random.Random(seed)
    for _ in range(400):
        content[random_.randrange(len(content) - 1_000)] = random_.randrange(256)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("seed", range(12))
def test_a_broken_database_is_found_out_while_it_is_asked_and_ends_nothing(tmp_path: Path, seed: int) -> None:
    """Some of these files make the library crash."""
    asked = [place.address for place in known_places()]
    with open_places(corrupt(tmp_path / "cities.mmdb", seed), ANY_AGE_DAYS) as places:
        assert places.look_up(asked) == [NO_SPOT] * len(asked)
        assert places.look_up(asked) == [NO_SPOT] * len(asked)
    (warning,) = places.warnings
    assert "cities.mmdb is broken, so addresses get no place; download it again" in warning
    assert not [address for address in asked if address in warning]


def test_a_look_up_that_is_killed_leaves_what_was_found_before(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    start = subprocess.Popen

    def noted(*arguments: object, **options: object) -> "subprocess.Popen[str]":
        started.append(start(*arguments, **options))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", noted)
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        assert places.look_up([LONDON]) == [Spot("GB", 51.5, -0.1)]
        started[0].send_signal(signal.SIGKILL)
        started[0].wait()
        assert places.look_up([LONDON] * 50_000) == [NO_SPOT] * 50_000
    assert len(places.warnings) == 1


def test_places_without_a_database_know_nothing() -> None:
    assert Places().look_up(["1.1.1.1"]) == [NO_SPOT]
