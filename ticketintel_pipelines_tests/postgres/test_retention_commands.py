"""The commands: what is shown, what is done with --yes, and what the exit codes are."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from ticketintel_pipelines.cli import main
from ticketintel_pipelines.contract import ColumnType, Table
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.retention import retention_room
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import environment_of
from ticketintel_pipelines_tests.postgres.retaining import Depot

ORDERS, SESSIONS, USERS = (TICKETING.by_name[name] for name in ("orders", "sessions", "users"))
LONG_AGO = datetime.now(UTC).date().replace(day=3) - timedelta(days=300)
VALUES = {
    ColumnType.TIMESTAMP: datetime(2020, 1, 1, tzinfo=UTC),
    ColumnType.INTEGER: 1,
    ColumnType.NUMBER: 0.5,
    ColumnType.MONEY: Decimal("1.50"),
    ColumnType.BOOLEAN: True,
    ColumnType.UINT256: Decimal(7),
}
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def depot(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Depot]:
    """The ticketing domain with an old and a new row in three tables, and commands that work on it."""
    settings = make_settings()
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    workspace = Workspace([TICKETING], lambda: settings)
    depot = Depot(retention_room(workspace, TICKETING, actor="a test"))
    for table in (ORDERS, SESSIONS, USERS):
        for day in (LONG_AGO, datetime.now(UTC).date()):
            publish(depot, table, day)
    yield depot


def publish(depot: Depot, table: Table, day: date) -> None:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    row = {column.name: VALUES.get(column.type, f"{day}") for column in table.columns} | {table.time: moment}
    with psycopg.connect(depot.room.dsn) as connection:
        for step in ("make", "attach"):
            connection.execute(f"SELECT ops.{step}_month_partition('ticketing', %s, %s)", (table.name, day.replace(day=1)))
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        connection.execute(f"INSERT INTO ticketing.{table.name} ({names}) VALUES ({places})", list(row.values()))
        connection.execute(
            "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, "
            "content_hash, raw_sequence, run_id) VALUES ('ticketing', %s, %s, 1, 1, 0, 0, '', 1, '')",
            (table.name, day),
        )


@pytest.fixture
def command(depot: Depot, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(arguments)
        out, err = capfdbinary.readouterr()
        return code, (out + err).decode()

    return run


def test_a_purge_is_shown_done_verified_asked_and_undone(depot: Depot, command: Command) -> None:
    month = f"{LONG_AGO:%Y-%m}"
    code, shown = command("purge", "plan")
    assert code == 0
    assert f"drop orders {month}: 1 rows" in shown and f"purge sessions {month}: 1 rows" in shown
    assert "users" not in shown
    code, dry = command("purge", "run")
    assert "nothing was changed; do it with --yes" in dry and len(depot.rows("SELECT 1 FROM {}.orders")) == 2
    code, done = command("purge", "run", "--yes")
    assert code == 0 and f"done: drop orders {month}, 1 rows" in done
    assert [len(depot.rows(f"SELECT 1 FROM {{}}.{table.name}")) for table in (ORDERS, SESSIONS, USERS)] == [1, 1, 2]
    assert "nothing is due" in command("purge", "run", "--yes")[1]
    assert command("archive", "verify") == (0, "1 months with 1 rows in " + command("archive", "verify")[1].split(" in ")[1])
    code, answer = command("archive", "query", "SELECT count(*) AS n, count(DISTINCT order_id) AS ids FROM orders")
    assert (code, answer.split()) == (0, ['"n","ids"', "2,2"])
    code, accounts = command("purge", "accounts")
    assert code == 0
    (line,) = [line.split() for line in accounts.splitlines() if line.startswith("orders")]
    assert line == ["orders", "2", "1", "1", "0", "0", "0"]
    code, restored = command("archive", "restore", "orders", "--from", str(LONG_AGO), "--to", str(LONG_AGO))
    assert code == 0 and "1 rows are in Postgres again" in restored
    assert len(depot.rows("SELECT 1 FROM {}.orders")) == 2
    assert "stopped by its restoration" in command("purge", "plan")[1]


def test_a_hold_is_placed_listed_and_released(depot: Depot, command: Command) -> None:
    code, added = command("hold", "add", "--table", "orders", "--reason", "case 7")
    assert (code, added) == (0, "hold 1 is in force\n")
    assert "1: orders, the beginning to whenever: case 7" in command("hold", "list")[1]
    code, done = command("purge", "run", "--yes")
    assert code == 0 and "held: drop orders" in done and "legal hold 1: case 7" in done
    assert command("hold", "release", "1")[0] == 0
    assert command("hold", "list")[1] == "no hold is in force\n"
    assert "done: drop orders" in command("purge", "run", "--yes")[1]


def test_what_a_hold_keeps_is_not_counted_as_due(depot: Depot, command: Command) -> None:
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute(
            "INSERT INTO ops.quarantine (domain, table_name, day, rule, rules, reason, source_file, source_row, row_key, "
            "content) VALUES ('ticketing', 'sessions', %s, 'r', '{r}', 'why', 'f', 1, 'k', '{}')",
            (LONG_AGO,),
        )
    command("hold", "add", "--reason", "case 7")
    shown = command("purge", "plan")[1]
    assert "delete ops.quarantine, 0 pieces, 0 bytes (1 are held)" in shown
    assert shown.splitlines()[-1].startswith("0 acts are due on ")


def test_a_damaged_archive_ends_verify_and_purge_with_an_exit_code(depot: Depot, command: Command) -> None:
    command("archive", "run", "--yes")
    (file,) = depot.room.archive.rglob("rows-*.parquet")
    file.write_bytes(b"x")
    code, said = command("archive", "verify")
    assert code == 3 and "fault: orders" in said and "1 faults" in said
    code, said = command("purge", "run", "--yes")
    assert code == 3 and "refused: drop orders" in said
    assert len(depot.rows("SELECT 1 FROM {}.orders")) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["archive", "restore", "nothing", "--from", "2026-01-01", "--to", "2026-01-01"], "has no table nothing"),
        (["archive", "restore", "orders", "--from", "2026-01-02", "--to", "2026-01-01"], "lies before"),
        (["archive", "query", "DROP TABLE orders"], "answers one SELECT"),
        (["hold", "add", "--table", "nothing", "--reason", "x"], "has no table nothing"),
        (["hold", "add", "--wallet", "0x12", "--reason", "x"], "--wallet is not 0x and 40 hexadecimal digits"),
        (["hold", "add", "--user", "", "--reason", "x"], "a hold on nobody"),
        (["hold", "add", "--until", "2026-01-01", "--reason", "x"], "--until 2026-01-01 is past"),
        (["hold", "release", "77"], "no hold 77 in force"),
        (["archive"], "say what"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_in_a_sentence(command: Command, arguments: list[str], words: str) -> None:
    code, said = command(*arguments)
    assert code == 2
    assert said.startswith("ticketintel: ") and words in said


def test_another_folder_of_periods_is_taken_from_the_settings(
    depot: Depot, command: Command, tmp_path: Path, monkeypatch
) -> None:
    file = tmp_path / "periods.toml"
    file.write_text('[periods."transaction logs"]\nhot_days = 500\n')
    monkeypatch.setenv("TICKETINTEL_RETENTION", str(file))
    assert "orders" not in command("purge", "plan")[1]
    file.write_text("[periods.nothing]\n")
    assert command("purge", "plan")[0] == 2
