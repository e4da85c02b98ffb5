"""No address of a client stays anywhere: rows from the platform's database, rows of a database and a lake from before."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.types.json import Jsonb

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.landing import RAW_STAGE
from ticketintel_pipelines.nights import stale_ranges, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines.warehouse.migrations import migrate, read_migrations
from ticketintel_pipelines.warehouse.server import connect, start_server
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.geoip import ANY_AGE_DAYS, CITIES, LONDON, LONDON_IN_IPV6
from ticketintel_pipelines_tests.platform_double import make_platform
from ticketintel_pipelines_tests.postgres.extracting import Pipeline, of
from ticketintel_pipelines_tests.postgres.publishing import make_partition
from ticketintel_pipelines_tests.searching import found_in_database, found_in_files

DAY = date(2026, 1, 1)
NEIGHBOUR = "81.2.69.161"
BEFORE = 5
"""Migrations of a database whose rows still had their addresses."""
SESSION = "INSERT INTO sessions (session_id, started_at, ip_address, page_views, updated_at, latitude, longitude) "


@pytest.fixture
def platform(make_settings, make_platform_url) -> Pipeline:
    """A platform without rows, of a deployment that looks places up."""
    url = make_platform_url()
    with psycopg.connect(url) as connection:
        make_platform(connection)
    settings = make_settings(TICKETINTEL_GEOIP_DATABASE=str(CITIES), TICKETINTEL_GEOIP_MAX_AGE_DAYS=str(ANY_AGE_DAYS))
    return Pipeline(Workspace(DOMAINS, lambda: settings), PlatformSource(url, chunk_rows=2), TICKETING)


def visit(platform: Pipeline, session_id: str, address: str | None, place: tuple[float, float] | None = None) -> None:
    with platform.platform() as connection:
        values = (session_id, "2026-01-01", address, 1, "2026-01-01", *(place or (None, None)))
        connection.execute(f"{SESSION} VALUES (%s, %s, %s, %s, %s, %s, %s)", values)


def test_an_increment_lands_hashes_and_coarse_places(platform: Pipeline) -> None:
    for number, address in enumerate([LONDON, LONDON_IN_IPV6, "10.0.0.1", "unknown", None]):
        visit(platform, f"s{number}", address)
    visit(platform, "s5", LONDON, (47.3769, 8.5417))
    increment = platform.increment()
    assert increment.warnings == ()
    rows = platform.landed("sessions", "ip_hash, ip_block_hash, country_code, latitude, longitude, session_id")
    london, same, private, unknown, nothing, zurich = sorted(rows, key=lambda row: row[-1])
    assert london[:5] == same[:5]
    assert london[2:5] == ("GB", 51.5, -0.1)
    assert private[2:5] == unknown[2:5] == nothing[2:5] == (None, None, None)
    assert len({len(value) for value in (*london[:2], *private[:2])}) == 1
    assert unknown[:2] == ("no address", None)
    assert nothing[:2] == (None, None)
    assert zurich[:5] == (*london[:2], "GB", 47.4, 8.5)
    assert of(increment, "sessions").notes == ()


def test_rows_that_are_asked_for_again_are_known_whatever_their_place_is_now(platform: Pipeline) -> None:
    visit(platform, "s1", LONDON)
    assert platform.increment().rows == 1
    settings = replace(platform.workspace.settings, geoip_database=Path("/nowhere/none.mmdb"))
    platform.workspace = Workspace(DOMAINS, lambda: settings)
    increment = platform.increment()
    assert increment.rows == 0
    (warning,) = increment.warnings
    assert "none.mmdb cannot be read" in warning
    assert warning in of(increment, "sessions").notes
    assert warning not in of(increment, "api_requests").notes


def test_a_platform_may_keep_addresses_as_inet_or_hashed_already(platform: Pipeline) -> None:
    with platform.platform() as connection:
        connection.execute("ALTER TABLE sessions ALTER COLUMN ip_address TYPE inet USING ip_address::inet")
        connection.execute("ALTER TABLE security_events RENAME COLUMN ip_address TO ip_hash")
        connection.execute(
            "INSERT INTO security_events (security_event_id, occurred_at, kind, ip_hash, updated_at) "
            "VALUES ('x1', '2026-01-01', 'new_device', %s, '2026-01-01')",
            ("ab" * 16,),
        )
    visit(platform, "s1", LONDON)
    visit(platform, "s2", LONDON_IN_IPV6)
    platform.increment()
    assert len(set(platform.landed("sessions", "ip_hash, ip_block_hash"))) == 1
    assert platform.landed("security_events", "ip_hash, ip_block_hash") == [("ab" * 16, None)]


def test_an_address_that_the_platform_does_not_have_is_named_as_the_platform_would(platform: Pipeline) -> None:
    with platform.platform() as connection:
        connection.execute("ALTER TABLE sessions DROP COLUMN ip_address")
    with pytest.raises(BadInputError, match=r"sessions.ip_address is missing \(text or inet is expected\)"):
        platform.increment()


def test_rows_from_before_are_hidden_in_the_database_and_worked_out_anew_from_the_lake(make_settings, tmp_path: Path) -> None:
    """A deployment that was filled before addresses were hidden: its database is migrated, then its stale days are run."""
    settings = make_settings(TICKETINTEL_ADDRESS_KEY="")
    workspace = Workspace(DOMAINS, lambda: settings)
    server = start_server(settings)
    old_fragment(workspace)
    with connect(server.dsn, autocommit=True) as connection:
        migrate(connection, read_migrations()[:BEFORE])
        fill_as_before(connection)
        migrate(connection, read_migrations())
        digests = connection.execute(
            "SELECT session_id, ip_hash, ip_block_hash, latitude FROM ticketing.sessions ORDER BY 1"
        ).fetchall()
        again = connection.execute("SELECT ip_hash FROM ticketing.security_events").fetchall()
        ((content,),) = connection.execute("SELECT content FROM ops.quarantine").fetchall()
        assert found_in_database(connection, {LONDON, NEIGHBOUR}) == {}
    assert [(row[0], row[3]) for row in digests] == [("s1", 51.5), ("s2", None)]
    assert digests[0][1] != digests[1][1]
    assert digests[0][2] == digests[1][2]
    assert again == [(digests[0][1],)]
    assert len(content.pop("ip_hash")) == 32
    assert content == {"session_id": "s3", "ip_block_hash": None, "latitude": 1.3, "longitude": None}

    assert [str(days) for days in stale_ranges(workspace, TICKETING)] == ["2026-01-01"]
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "security_events.csv").write_text(
        f"security_event_id,occurred_at,kind,ip_address\nnew,2026-01-01T00:00:00Z,new_device,{LONDON}\n"
    )
    take_in(workspace, tmp_path / "new")
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    with workspace.catalog() as catalog:
        joined = catalog.connection.execute(
            "SELECT session_id, latitude FROM ticketing.sessions JOIN ticketing.security_events USING (ip_hash, ip_block_hash)"
        ).fetchall()
    # What was published from the lake and what has come since have the same key.
    assert joined == [("s1", 51.5)]
    assert found_in_files(settings.lake_root, {LONDON, NEIGHBOUR}) == {}


def old_fragment(workspace: Workspace) -> Path:
    """The raw rows of two sessions as they lay in the lake before."""
    path = workspace.lake(TICKETING).partition(RAW_STAGE, "sessions", DAY) / "old.parquet"
    path.parent.mkdir(parents=True)
    moment = pa.array([f"{DAY}T00:00:00Z"] * 2).cast(pa.timestamp("us", "UTC"))
    columns = {
        "session_id": ["s1", "s2"],
        "started_at": moment,
        "ip_address": [LONDON, NEIGHBOUR],
        "latitude": pa.array([51.5142, None], pa.float64()),
        "page_views": pa.array([1, 2]),
        "source_file": ["sessions.csv"] * 2,
        "source_row": pa.array([1, 2]),
    }
    pq.write_table(pa.table(columns), path)
    return path


def fill_as_before(connection: psycopg.Connection) -> None:
    for table in ("sessions", "security_events"):
        make_partition(connection, table, f"{DAY:%Y-%m}-01")
    connection.execute(
        "INSERT INTO ticketing.sessions (session_id, started_at, ip_address, latitude, page_views) "
        f"VALUES ('s1', '{DAY}', '{LONDON}', 51.5142, 1), ('s2', '{DAY}', '{NEIGHBOUR}', NULL, 2)"
    )
    connection.execute(
        "INSERT INTO ticketing.security_events (security_event_id, occurred_at, kind, ip_address) "
        f"VALUES ('x1', '{DAY}', 'new_device', '{LONDON}')"
    )
    connection.execute(
        "INSERT INTO ops.quarantine (domain, table_name, day, rule, rules, reason, source_file, source_row, row_key, content) "
        "VALUES ('ticketing', 'sessions', %s, 'ip_form', '{ip_form}', 'no address', 'sessions.csv', 3, 's3', %s)",
        (DAY, Jsonb({"session_id": "s3", "ip_address": "81.2.69.1610", "latitude": 1.26, "longitude": None})),
    )
    connection.execute(
        "INSERT INTO ops.imported_files (domain, content_hash, table_name, source_file, bytes, rows) "
        "VALUES ('ticketing', 'old', 'sessions', 'sessions.csv', 1, 2)"
    )
    connection.execute(
        "INSERT INTO ops.raw_fragments (domain, table_name, day, path, rows, content_hash) "
        "VALUES ('ticketing', 'sessions', %s, %s, 2, 'old')",
        (DAY, f"ticketing/raw/sessions/day={DAY}/old.parquet"),
    )
    connection.execute(
        "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, content_hash, "
        "raw_sequence, run_id) VALUES ('ticketing', 'sessions', %s, 2, 2, 0, 0, 'x', 1, 'run')",
        (DAY,),
    )
