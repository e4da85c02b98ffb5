"""A person with recognisable values is erased from a deployment that has been through a night: no byte of them is left."""

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.cli import main
from ticketintel_pipelines.commands.erase import ground_of, refresh_views
from ticketintel_pipelines.contract import PERSON, WALLET
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.nights import stale_ranges, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.retention import erasure as erasing
from ticketintel_pipelines.retention.archive import archive_month
from ticketintel_pipelines.retention.erasure import HeldError, Receipt, Subject, erase, note_request, plan_erasure
from ticketintel_pipelines.retention.erasure_journal import Journal
from ticketintel_pipelines.retention.erasure_requests import open_request, overdue_or_soon
from ticketintel_pipelines.retention.holds import Hold, place, release
from ticketintel_pipelines.retention.index import partitions
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.purge import drop_archived_month
from ticketintel_pipelines.retention.reconcile import reconcile
from ticketintel_pipelines.retention.room import Bounds, BusyError
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.planted_person import PLANTED, PlantedPerson, everything_naming, plant

TODAY = date(2026, 6, 1)
MONTH = date(2026, 1, 1)
ACCOUNT = Subject(PERSON, PLANTED["user_id"])
OTHERS = " UNION ALL ".join(
    f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ticketing.{name} AS t "
    f"WHERE user_id <> '{PLANTED['user_id']}' AND NOT starts_with(user_id, 'erased-')"
    for name in ("users", "sessions", "orders", "payments", "api_requests")
)


class KilledError(Exception):
    pass


class Killing:
    """Progress that dies on entering a step of some name."""

    def __init__(self, at: str = "") -> None:
        self.at = at
        self.steps: list[str] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.steps.append(name)
        if name == self.at:
            raise KilledError(name)
        yield


@pytest.fixture(scope="module")
def deployment(make_settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, PlantedPerson, Path]:
    """A night over a small world, with a month in the archive, a report, a log and truth that name the person."""
    world = tmp_path_factory.mktemp("planted") / "world"
    person = plant(world)
    settings = make_settings()
    workspace = Workspace([TICKETING], lambda: settings)
    take_in(workspace, world)
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    room = ground_of(workspace, TICKETING).room
    with room.session() as connection:
        for name in ("orders", "payments", "users"):
            table = TICKETING.by_name[name]
            archive_month(connection, room, table, MONTH, partitions(connection, room, table)[MONTH], TODAY)
        # A hold that is over names the person still.
        release(connection, room, place(connection, room, Hold(0, None, None, None, PLANTED["user_id"], "a lawsuit of before")))
        # Of one table the month is in the archive alone.
        table = TICKETING.by_name["security_events"]
        where = (connection, room, table, MONTH, partitions(connection, room, table)[MONTH], TODAY)
        archive_month(*where)
        drop_archived_month(*where)
    for folder in ("reports", "truth", "dagster"):
        (settings.home / folder).mkdir(exist_ok=True)
    (settings.home / "reports" / "errors.json").write_text(json.dumps({"worst": [PLANTED["user_id"], PLANTED["full_name"]]}))
    (settings.home / "dagster" / "steps.err").write_text(f"KeyError: '{PLANTED['email']}' of planted-session-1\n")
    pq.write_table(pa.table({"user_id": [PLANTED["user_id"], "other"]}), settings.home / "truth" / "wallets.parquet")
    with sqlite3.connect(settings.home / "dagster" / "events.db") as database:
        database.execute("CREATE TABLE events (event text)")
        database.execute("INSERT INTO events VALUES (?)", (f"row of {PLANTED['user_id']} refused",))
    return workspace, person, world


def run_erasure(workspace: Workspace, subject: Subject = ACCOUNT, progress: Killing | None = None) -> Receipt:
    workspace.progress = progress or Killing()
    return erase(ground_of(workspace, TICKETING), subject, TODAY, lambda: refresh_views(workspace, TICKETING))


def rows(workspace: Workspace, query: str) -> list[tuple]:
    with workspace.catalog() as catalog:
        return catalog.connection.execute(query).fetchall()


def test_the_plan_names_every_kind_of_place_and_changes_nothing(deployment) -> None:
    workspace, person, _ = deployment
    before = everything_naming(workspace, person.values)
    plan = plan_erasure(ground_of(workspace, TICKETING), Subject(WALLET, person.wallet), TODAY)
    assert plan.person is not None and plan.person.accounts == {PLANTED["user_id"]}
    found = {(place_.kind, place_.name): what.rows for place_, what in plan.found}
    assert {kind for kind, _ in found} == {
        "postgres",
        "quarantine",
        "lake raw",
        "lake validate",
        "lake feature",
        "archive",
        "feature states",
        "texts in postgres",
        "files",
    }
    assert ("postgres", "security_events") not in found and found["archive", "security_events"] > 0
    assert found["postgres", "users"] == found["lake raw", "users"] == found["archive", "users"] == 1
    assert found["lake raw", "sessions"] == len(person.sessions) == found["postgres", "sessions"] + 1
    assert everything_naming(workspace, person.values) == before
    # The search finds each planted value where it is.
    assert set().union(*before.values()) == person.values
    assert rows(workspace, "SELECT count(*) FROM ops.erasure_requests") == [(0,)]


@pytest.mark.parametrize(
    "hold",
    [
        Hold(0, None, None, None, PLANTED["user_id"], "a lawsuit"),
        Hold(0, "payments", date(2026, 1, 1), date(2026, 1, 31), None, "an audit"),
    ],
)
def test_a_legal_hold_stops_it_and_says_so(deployment, hold: Hold) -> None:
    workspace, person, _ = deployment
    room = ground_of(workspace, TICKETING).room
    before = everything_naming(workspace, person.values)
    before.pop("ops.legal_holds", None)
    with room.session() as connection:
        number = place(connection, room, hold)
        with pytest.raises(HeldError, match=f"nothing was erased: legal hold {number}: {hold.reason}"):
            run_erasure(workspace)
        release(connection, room, number)
    after = everything_naming(workspace, person.values)
    after.pop("ops.legal_holds", None)
    assert after == before


def test_killed_at_any_step_it_finishes_next_time_with_one_receipt(deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = deployment[0]
    plan = plan_erasure(ground_of(workspace, TICKETING), ACCOUNT, TODAY)
    places = [f"erase {place_.kind} {place_.name}" for place_, _ in plan.found]
    others = rows(workspace, OTHERS)
    steps = ["find the person", "begin", "put up tombstones", *places[1::5]]
    for step in steps:
        with pytest.raises(KilledError):
            run_erasure(workspace, progress=Killing(step))
    done = Journal.after

    def dies_once(journal: Journal, place_: object, hash_: str) -> None:
        monkeypatch.setattr(Journal, "after", done)
        raise KilledError("after a place, before that was written down")

    monkeypatch.setattr(Journal, "after", dies_once)
    with pytest.raises(KilledError):
        run_erasure(workspace)
    for step in ("vacuum", "refresh views", "write the receipt", "close the request", "forget the person"):
        with pytest.raises(KilledError):
            run_erasure(workspace, progress=Killing(step))
    receipt = run_erasure(workspace)
    assert [file.name for file in (workspace.settings.home / "erasures").iterdir()] == [receipt.file.name]
    assert rows(workspace, "SELECT act, rows FROM ops.retention_ledger WHERE act = 'erased' AND table_name IS NULL") == [
        ("erased", plan.rows)
    ]
    assert receipt.content["rows"] == plan.rows
    assert rows(workspace, OTHERS) == others and all(hash_ for (hash_,) in others)
    assert rows(workspace, "SELECT count(*), count(done_at) FROM ops.erasure_requests") == [(1, 1)]
    assert rows(workspace, "SELECT count(*) FROM ops.erasure_requests WHERE receipt IS NULL") == [(0,)]


def test_no_byte_of_the_person_is_left_and_the_books_hold(deployment) -> None:
    workspace, person, _ = deployment
    assert everything_naming(workspace, person.values) == {}
    room = ground_of(workspace, TICKETING).room
    assert verify(room).faults == ()
    with room.session() as connection:
        assert broken_rows(connection) == []
    assert [account.table for account in reconcile(room) if account.missing] == []
    # The wallet is still on the chain, and belongs to nobody.
    bought = f"FROM ticketing.transactions WHERE buyer_address = '{person.wallet}'"
    assert rows(workspace, f"SELECT count(*) > 0, count(user_id) {bought} AND order_id IS NOT NULL") == [(True, 0)]
    assert rows(workspace, f"SELECT count(*) FROM ticketing.users WHERE wallet_address = '{person.wallet}'") == [(0,)]
    # What was paid stays, by an account of which nothing is known.
    account = "FROM ticketing.users WHERE user_id LIKE 'erased-%'"
    assert rows(workspace, f"SELECT email LIKE '%@erased.invalid', full_name {account}") == [(True, None)]
    payments = "FROM ticketing.payments WHERE user_id LIKE 'erased-%'"
    assert rows(workspace, f"SELECT count(*) > 0, count(instrument_id) {payments}") == [(True, 0)]


def test_a_second_time_there_is_nothing_to_do(deployment) -> None:
    workspace, person, _ = deployment
    before = rows(workspace, "SELECT max(sequence) FROM ops.retention_ledger")
    assert not run_erasure(workspace).is_new
    assert rows(workspace, "SELECT max(sequence) FROM ops.retention_ledger") == before
    with pytest.raises(BadInputError, match="nothing is held of wallet"):
        run_erasure(workspace, Subject(WALLET, person.wallet))


def test_who_was_erased_does_not_come_back(deployment, tmp_path: Path) -> None:
    """The same files come once more, with one new row each, so that they are new files."""
    workspace, person, world = deployment
    again = tmp_path / "again"
    for table in ("users", "sessions", "orders"):
        shutil.copytree(world / table, again / table)
        for path in (again / table).glob("*.parquet"):
            table_ = pq.read_table(path)
            key = {"users": "user_id", "sessions": "session_id", "orders": "order_id"}[table]
            more = table_.slice(0, 1).set_column(table_.column_names.index(key), key, pa.array([f"new-{path.stem}"]))
            pq.write_table(pa.concat_tables([table_, more.cast(table_.schema)]), path)
    report = take_in(workspace, again)
    assert sum(file.erased for file in report.landed if file.table == "users") >= 1
    assert sum(file.erased for file in report.landed if file.table == "sessions") >= len(person.sessions)
    recorded = "SELECT sum(erased_rows)::int FROM ops.imported_files WHERE table_name = 'users'"
    assert rows(workspace, recorded) == [(sum(file.erased for file in report.landed if file.table == "users"),)]
    assert everything_naming(workspace, person.values) == {}
    # Worked out again from what is left, with the features that follow from it.
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    assert stale_ranges(workspace, TICKETING) == []
    assert everything_naming(workspace, person.values) == {}
    bought = f"FROM ticketing.transactions WHERE buyer_address = '{person.wallet}'"
    assert rows(workspace, f"SELECT count(user_id) {bought}") == [(0,)]
    lost = "SELECT sum(rows_in - published - quarantined - duplicates - superseded)::int FROM ops.published_days"
    assert rows(workspace, lost) == [(0,)]


@pytest.mark.parametrize(
    "work",
    [
        "platform ticketing",
        "import ticketing",
        "publish ticketing.users",
        "publish ticketing.feature/payments_made",
        "publish ticketing.score/bot_scores",
    ],
)
def test_while_a_run_works_on_rows_of_people_nobody_is_erased(
    workspace: Workspace, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "DEFAULT_BOUNDS", Bounds(lock_seconds=0.2))
    note_request(ground_of(workspace, TICKETING), ACCOUNT)
    with workspace.catalog() as run:
        run.connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (work,))
        with pytest.raises(BusyError, match=work):
            run_erasure(workspace)


def land(workspace: Workspace, user: str, *, leaving: bool = False) -> Path:
    """A raw file with an account, in its place or where a purge that was killed left it."""
    lake = workspace.lake(TICKETING)
    home = lake.part("raw", "users", MONTH)
    file = lake.root / ".leaving" / "ticketing" / "a-purge" / home.relative_to(lake.root) if leaving else home
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": [user], "email": [f"{user}@example.net"], "full_name": ["Ada Lovelace"]}), file)
    return home


def test_what_a_killed_purge_left_on_its_way_out_of_the_lake_is_erased_too(workspace: Workspace) -> None:
    file = land(workspace, "ada", leaving=True)
    receipt = run_erasure(workspace, Subject(PERSON, "ada"))
    assert receipt.content["rows"] == 1
    assert pq.read_table(file, partitioning=None)["full_name"].to_pylist() == [None]
    assert not list((workspace.lake(TICKETING).root / ".leaving").rglob("*.parquet"))


def test_a_hold_that_is_placed_after_an_erasure_broke_off_keeps_what_is_left(workspace: Workspace) -> None:
    file, ada = land(workspace, "ada"), Subject(PERSON, "ada")
    before, room = file.read_bytes(), ground_of(workspace, TICKETING).room
    with pytest.raises(KilledError):
        run_erasure(workspace, ada, Killing("put up tombstones"))
    with room.session() as connection:
        number = place(connection, room, Hold(0, None, None, None, "ada", "a lawsuit"))
        with pytest.raises(HeldError, match=f"no more is erased: legal hold {number}"):
            run_erasure(workspace, ada)
        assert file.read_bytes() == before
        release(connection, room, number)
    assert run_erasure(workspace, ada).is_new and file.read_bytes() != before


def test_the_command_takes_one_person_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--wallet", "0x12"]) == 2
    assert "--wallet is not 0x and 40 hexadecimal digits" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["erase", "--user", "a", "--wallet", "0x" + "00" * 20])


def test_a_request_turns_red_before_its_deadline(workspace: Workspace) -> None:
    today = datetime.now(UTC).date()
    with workspace.catalog() as catalog:
        open_request(catalog.connection, "ticketing", "of one")
        open_request(catalog.connection, "ticketing", "of one")
        assert overdue_or_soon(catalog.connection, today) == []
        (soon,) = overdue_or_soon(catalog.connection, today + timedelta(days=24))
        assert soon.subject == "of one" and not soon.is_overdue(today + timedelta(days=24))
        (late,) = overdue_or_soon(catalog.connection, today + timedelta(days=32))
        assert late.is_overdue(today + timedelta(days=32))
