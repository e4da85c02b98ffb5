"""Who was erased does not come back from the platform's database either."""

from datetime import UTC, datetime, timedelta

import psycopg

from ticketintel_pipelines.contract import PERSON, WALLET
from ticketintel_pipelines.intake.keys import address_key
from ticketintel_pipelines.retention.tombstones import bury, read_tombstones, value_hash
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines_tests.platform_double import make_platform
from ticketintel_pipelines_tests.postgres.extracting import Pipeline, minutes_ago

SIGN_UP = (
    "INSERT INTO users (user_id, created_at, email, full_name, is_verified, updated_at) "
    "VALUES (%s, '2026-01-01', %s, 'Somebody', false, %s)"
)


def sign_up(pipeline: Pipeline, *users: str, at: datetime) -> None:
    with pipeline.platform() as platform:
        for user in users:
            platform.execute(SIGN_UP, (user, f"{user}@example.net", at))


def test_rows_of_an_erased_account_are_left_out_and_counted(workspace: Workspace, make_platform_url) -> None:
    url = make_platform_url()
    with psycopg.connect(url) as connection:
        make_platform(connection)
    pipeline = Pipeline(workspace, PlatformSource(url), TICKETING)
    with workspace.catalog() as catalog:
        bury(catalog.connection, address_key(workspace.settings), TICKETING, {PERSON: {"ada"}})
    sign_up(pipeline, "ada", "bob", at=minutes_ago(60))
    pipeline.increment()
    assert pipeline.landed("users", "user_id") == [("bob",)]
    assert ("users", 1, 1) in pipeline.ops("table_name, rows, erased_rows", "imported_files")

    with pipeline.platform() as platform:
        platform.execute("UPDATE users SET full_name = 'Ada', updated_at = %s WHERE user_id = 'ada'", (minutes_ago(30),))
    pipeline.increment()
    assert pipeline.landed("users", "user_id") == [("bob",)]


def test_who_came_back_and_is_erased_again_is_erased_up_to_the_second_time(workspace: Workspace) -> None:
    key, wallet = b"a key", "0x" + "ab" * 20
    with workspace.catalog() as catalog:
        for _ in range(2):
            bury(catalog.connection, key, TICKETING, {WALLET: {wallet}})
            since = read_tombstones(catalog.connection, key).since["ticketing"][WALLET][value_hash(key, WALLET, wallet)]
            assert since > datetime.now(UTC) - timedelta(hours=1)
            catalog.connection.execute("UPDATE ops.tombstones SET since = since - interval '1 year'")
