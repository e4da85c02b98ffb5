"""Which version of a model is in use: changed in one transaction, remembered for good."""

import threading
import time

import psycopg
import pytest

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning.registry import DamagedModelError
from ticketintel_pipelines.warehouse import model_registry
from ticketintel_pipelines.warehouse.model_registry import (
    Alias,
    aliases_of,
    champion_of,
    list_versions,
    note,
    promote,
    record_version,
    roll_back,
    versions_of,
)
from ticketintel_pipelines.warehouse.prepare import prepare_warehouse
from ticketintel_pipelines.warehouse.roles import ANALYST
from ticketintel_pipelines.warehouse.server import Server, connect, start_server

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
MODEL = ("shop", "fraud")


@pytest.fixture(scope="module")
def server(make_settings) -> Server:
    from ticketintel_pipelines.ticketing.tables import TICKETING

    server = start_server(make_settings())
    prepare_warehouse(server, [TICKETING])
    return server


@pytest.fixture
def connection(server: Server):
    """A session on a registry without models."""
    with connect(server.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM ops.model_aliases; DELETE FROM ops.model_versions")
        yield connection


def train(connection: psycopg.Connection, version: str) -> None:
    manifest = {"model": "fraud", "metrics": {"auc_pr": {"value": 0.61, "low": 0.52, "high": 0.7}}}
    record_version(connection, *MODEL, version, manifest, "run")


def named(connection: psycopg.Connection) -> dict[str, str]:
    return {name: alias.version for name, alias in aliases_of(connection, *MODEL).items()}


def changes(connection: psycopg.Connection, after: int = 0) -> list[tuple]:
    query = "SELECT alias, version, because FROM ops.model_alias_changes WHERE sequence > %s ORDER BY sequence"
    return connection.execute(query, (after,)).fetchall()


def last_change(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT coalesce(max(sequence), 0) FROM ops.model_alias_changes").fetchone()[0]


def test_a_trained_version_challenges_is_promoted_and_is_followed_by_the_next(connection) -> None:
    assert champion_of(connection, *MODEL) is None
    train(connection, ONE)
    assert named(connection) == {"challenger": ONE}
    promote(connection, *MODEL, ONE, "it beats the baseline")
    assert named(connection) == {"champion": ONE}
    train(connection, TWO)
    assert named(connection) == {"champion": ONE, "challenger": TWO}
    promote(connection, *MODEL, TWO, "it beats the champion")
    assert named(connection) == {"champion": TWO, "previous": ONE}
    assert champion_of(connection, *MODEL) == TWO


def test_a_challenger_that_is_not_promoted_makes_way_for_the_next(connection) -> None:
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "first")
    train(connection, TWO)
    note(connection, *MODEL, TWO, "not promoted: it may be no better")
    train(connection, THREE)
    assert named(connection) == {"champion": ONE, "challenger": THREE}
    notes = {one.version: one.note for one in versions_of(connection, *MODEL)}
    assert notes == {ONE: "first", TWO: "not promoted: it may be no better", THREE: ""}


def test_what_is_done_twice_changes_nothing(connection) -> None:
    train(connection, ONE)
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "first")
    train(connection, TWO)
    promote(connection, *MODEL, TWO, "second")
    before, last = aliases_of(connection, *MODEL), last_change(connection)
    # A run that was killed and started again trains the same version, and promotes it.
    train(connection, TWO)
    promote(connection, *MODEL, TWO, "second")
    train(connection, ONE)
    assert aliases_of(connection, *MODEL) == before
    assert changes(connection, last) == []


def test_only_the_version_that_was_judged_is_promoted(connection) -> None:
    train(connection, ONE)
    train(connection, TWO)
    with pytest.raises(BadInputError, match=f"cannot be promoted, the challenger is {TWO}"):
        promote(connection, *MODEL, ONE, "judged before another one was trained")
    promote(connection, *MODEL, TWO, "judged")
    with pytest.raises(BadInputError, match="there is no challenger"):
        promote(connection, *MODEL, THREE, "never trained")
    assert named(connection) == {"champion": TWO}


def test_rolling_back_swaps_champion_and_previous_in_less_than_a_second(connection) -> None:
    for version in (ONE, TWO):
        train(connection, version)
        promote(connection, *MODEL, version, "better")
    started = time.perf_counter()
    assert roll_back(connection, *MODEL, "too many complaints") == ONE
    assert time.perf_counter() - started < 1
    assert named(connection) == {"champion": ONE, "previous": TWO}
    assert roll_back(connection, *MODEL) == TWO
    assert named(connection) == {"champion": TWO, "previous": ONE}


def test_a_version_that_was_rolled_back_from_is_not_promoted_again_by_training(connection) -> None:
    for version in (ONE, TWO):
        train(connection, version)
        promote(connection, *MODEL, version, "better")
    roll_back(connection, *MODEL, "rolled back by hand")
    before = aliases_of(connection, *MODEL)
    train(connection, TWO)
    assert not promote(connection, *MODEL, TWO, "better")
    assert aliases_of(connection, *MODEL) == before
    notes = {one.version: one.note for one in versions_of(connection, *MODEL)}
    assert notes[TWO] == "not promoted: rolled back by hand, and a roll-back brings it back"


def test_a_challenger_outlives_a_roll_back(connection) -> None:
    for version in (ONE, TWO):
        train(connection, version)
        promote(connection, *MODEL, version, "better")
    train(connection, THREE)
    roll_back(connection, *MODEL)
    assert named(connection) == {"champion": ONE, "previous": TWO, "challenger": THREE}
    promote(connection, *MODEL, THREE, "better")
    assert named(connection) == {"champion": THREE, "previous": ONE}


@pytest.mark.parametrize("promoted", [False, True])
def test_without_a_previous_version_there_is_nothing_to_roll_back_to(connection, promoted: bool) -> None:
    train(connection, ONE)
    if promoted:
        promote(connection, *MODEL, ONE, "first")
    with pytest.raises(BadInputError, match=r"shop\.fraud cannot be rolled back: no other version was champion"):
        roll_back(connection, *MODEL)


def test_a_version_whose_files_are_damaged_is_not_rolled_back_to(connection) -> None:
    for version in (ONE, TWO):
        train(connection, version)
        promote(connection, *MODEL, version, "better")
    before = aliases_of(connection, *MODEL)

    def check(version: str) -> None:
        raise DamagedModelError(f"{version} is missing")

    with pytest.raises(DamagedModelError, match=ONE):
        roll_back(connection, *MODEL, check=check)
    assert aliases_of(connection, *MODEL) == before


def test_a_promotion_that_dies_half_way_has_changed_nothing(connection, server, monkeypatch) -> None:
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "first")
    train(connection, TWO)
    before, last = aliases_of(connection, *MODEL), last_change(connection)
    seen = []

    def dies(*_) -> None:
        # The last step of a promotion: all others are done, and nobody sees them.
        seen.append(aliases_of(connection, *MODEL))
        raise KeyboardInterrupt

    monkeypatch.setattr(model_registry, "_note", dies)
    with connect(server.dsn) as other, pytest.raises(KeyboardInterrupt):
        promote(other, *MODEL, TWO, "second")
    assert seen == [before]
    assert aliases_of(connection, *MODEL) == before
    assert changes(connection, last) == []


def test_two_that_promote_at_once_do_it_once(connection, server) -> None:
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "first")
    train(connection, TWO)
    last = last_change(connection)
    start = threading.Barrier(4)
    failed: list[Exception] = []

    def run() -> None:
        with connect(server.dsn, autocommit=True) as own:
            start.wait()
            try:
                promote(own, *MODEL, TWO, "second")
            except (psycopg.Error, BadInputError) as error:
                failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert named(connection) == {"champion": TWO, "previous": ONE}
    assert len(changes(connection, last)) == 3


def test_every_change_is_remembered_even_one_by_hand(connection) -> None:
    last = last_change(connection)
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "it beats the baseline")
    connection.execute("UPDATE ops.model_aliases SET because = 'by hand' WHERE alias = 'champion'")
    connection.execute("DELETE FROM ops.model_aliases")
    assert changes(connection, last) == [
        ("challenger", ONE, "trained last"),
        ("champion", ONE, "it beats the baseline"),
        ("challenger", None, None),
        ("champion", ONE, "by hand"),
        ("champion", None, None),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ops.model_alias_changes SET because = 'otherwise'",
        "DELETE FROM ops.model_alias_changes",
        "TRUNCATE ops.model_alias_changes",
    ],
)
def test_what_is_remembered_cannot_be_changed(connection, change: str) -> None:
    train(connection, ONE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="model_alias_changes is only added to"):
        connection.execute(change)


def test_no_alias_stands_for_a_version_that_is_not_registered_or_is_of_another_name(connection) -> None:
    train(connection, ONE)
    insert = "INSERT INTO ops.model_aliases (domain, model, alias, version, because) VALUES ('shop', 'fraud', %s, %s, '')"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(insert, ("champion", TWO))
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(insert, ("winner", ONE))


def test_models_of_one_name_in_two_domains_have_nothing_to_do_with_each_other(connection) -> None:
    train(connection, ONE)
    record_version(connection, "stall", "fraud", ONE, {"metrics": {}}, "run")
    promote(connection, "stall", "fraud", ONE, "first")
    assert named(connection) == {"challenger": ONE}
    assert champion_of(connection, "stall", "fraud") == ONE


def test_versions_are_listed_with_what_is_known_of_them(connection) -> None:
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "promoted: first")
    record_version(connection, *MODEL, TWO, {"metrics": {"auc_pr": {"value": None, "low": None, "high": None}}}, "run")
    newest, first = list_versions(connection, *MODEL)
    assert newest.startswith(f"{TWO} [challenger] 20")
    assert newest.endswith("; auc_pr unknown")
    assert first.startswith(f"{ONE} [champion] 20")
    assert first.endswith("; auc_pr 0.610 (0.520 to 0.700); promoted: first")
    assert list_versions(connection, "shop", "none") == []


def test_a_note_on_a_version_that_is_not_there_is_refused(connection) -> None:
    with pytest.raises(BadInputError, match="has no version"):
        note(connection, *MODEL, ONE, "words")


def test_an_alias_says_since_when_and_why(connection) -> None:
    train(connection, ONE)
    promote(connection, *MODEL, ONE, "it beats the baseline")
    found = aliases_of(connection, *MODEL)["champion"]
    assert isinstance(found, Alias)
    assert (found.version, found.because) == (ONE, "it beats the baseline")
    assert found.since.tzinfo is not None


@pytest.mark.parametrize("table", ["model_versions", "model_aliases", "model_alias_changes"])
def test_analysts_read_nothing_of_it(connection, server, table: str) -> None:
    with connect(server.dsn, autocommit=True) as own:
        own.execute(f"SET ROLE {ANALYST}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute(f"SELECT 1 FROM ops.{table}")
