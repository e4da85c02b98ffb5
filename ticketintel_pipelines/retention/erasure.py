"""Erasing a person: a plan first, then place by place, then a receipt that names nobody.

Killed at any point, the same command goes on: each place is looked at anew, and what is erased already is not found again. The
rows that hold for others, such as amounts and times, stay; what says whose they were does not.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import PERSON, Source
from ticketintel_pipelines.errors import BadInputError, TicketIntelError
from ticketintel_pipelines.lake.partitions import move_into_place
from ticketintel_pipelines.retention.erasure_archive import ArchivePlace
from ticketintel_pipelines.retention.erasure_journal import SUFFIX, Journal
from ticketintel_pipelines.retention.erasure_person import Person, personal_columns
from ticketintel_pipelines.retention.erasure_places import Found, LakePlace, Place
from ticketintel_pipelines.retention.erasure_postgres import postgres_places, vacuum
from ticketintel_pipelines.retention.erasure_requests import Request, close_request, newest_request, open_request, subject_of
from ticketintel_pipelines.retention.erasure_search import DERIVED_STAGE, SCORED_STAGE, Ground, find_person
from ticketintel_pipelines.retention.erasure_states import StatesPlace
from ticketintel_pipelines.retention.erasure_texts import models_naming, text_places
from ticketintel_pipelines.retention.holds import Hold, holds_in_force
from ticketintel_pipelines.retention.lake import settle
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.outcome import IN_USE
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, BusyError
from ticketintel_pipelines.retention.tombstones import bury

FOLDER = "erasures"
PASSES = 3
"""What was being published while the first pass went by is met by the next one."""


class HeldError(TicketIntelError):
    """A legal hold is on the person, or on rows of theirs."""


@dataclass(frozen=True)
class Subject:
    """Who is to be erased, as they were named: `word` is what columns with the value identify, the account or the wallet."""

    word: str
    value: str

    @property
    def words(self) -> str:
        return f"{'account' if self.word == PERSON else self.word} {self.value}"


@dataclass(frozen=True)
class Plan:
    """What an erasure would do. `left` are files of models that name the person; they are not changed."""

    request: Request | None
    person: Person | None
    found: tuple[tuple[Place, Found], ...] = ()
    holds: tuple[Hold, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(found.rows for _, found in self.found)


@dataclass(frozen=True)
class Receipt:
    """What was done: the receipt's file, and what it says."""

    file: Path
    content: dict[str, object]
    is_new: bool


def places_of(ground: Ground) -> list[Place]:
    """Every place in the order in which they are erased: what people read first, what Dagster wrote last."""
    first: list[Place] = []
    last: list[Place] = []
    for place in postgres_places(ground):
        (last if place.kind == "texts in postgres" else first).append(place)
    return [*first, *_file_places(ground), *last, *text_places(ground.home)]


def _file_places(ground: Ground) -> Iterator[LakePlace | ArchivePlace | StatesPlace]:
    """All places of files that declarations tell of."""
    for table in ground.tables:
        for stage in ground.lake_files(table.name):
            yield LakePlace(ground, stage, table.name, personal_columns(table))
        if ground.archive_files(table.name):
            yield ArchivePlace(ground, table)
    for name, columns in ground.feature_tables.items():
        if ground.lake.table(DERIVED_STAGE, name).exists() and any(column.personal for column in columns):
            yield LakePlace(ground, DERIVED_STAGE, name, columns)
    if ground.states.exists():
        yield from (StatesPlace(folder) for folder in sorted(ground.states.iterdir()) if folder.is_dir())


def plan_erasure(ground: Ground, subject: Subject, today: date) -> Plan:
    """Look everywhere, change nothing."""
    with ground.room.session() as connection:
        request = newest_request(connection, ground.room.domain.name, subject_of(ground.key, subject.word, subject.value))
        journal = Journal.resume(_work_file(ground, subject))
        person = journal.person if journal else find_person(ground, connection, subject.word, subject.value)
        if person is None:
            return Plan(request, None)
        looked = [(place, place.look(connection, person)) for place in places_of(ground)]
        found = tuple((place, what) for place, what in looked if what.rows)
        holds = _holds(holds_in_force(connection, ground.room, today), person, found)
        return Plan(request, person, found, tuple(holds), tuple(models_naming(ground.home, person)))


def note_request(ground: Ground, subject: Subject) -> Request:
    """Write a request down, with its deadline, to be carried out later."""
    with ground.room.session() as connection:
        return open_request(connection, ground.room.domain.name, subject_of(ground.key, subject.word, subject.value))


def erase(ground: Ground, subject: Subject, today: date, refresh_views: Callable[[], Sequence[str]]) -> Receipt:
    """Erase a person from every place, whatever was done of it before.

    Raises:
        BadInputError: nothing is held of them.
        HeldError: a legal hold is on them, or on what is left of them; the request stays open.
        BusyError: something works on tables of the domain just now.
    """
    room, progress = ground.room, ground.room.progress
    hashed = subject_of(ground.key, subject.word, subject.value)
    with room.alone(DEFAULT_BOUNDS) as connection:
        # What a purge that was killed left on its way out of the lake would come back later.
        settle(connection, room, ground.lake)
        known = newest_request(connection, room.domain.name, hashed)
        journal = Journal.resume(_work_file(ground, subject))
        if journal is not None and known is not None and known.done_at is not None:
            # A request is opened before its journal is begun: all was done, only the journal was left.
            journal.end()
            journal = None
        with progress.step("find the person"):
            person = journal.person if journal else find_person(ground, connection, subject.word, subject.value)
        if person is None:
            if known is None:
                raise BadInputError(f"nothing is held of {subject.words}")
            if known.receipt is not None:
                return _read(ground.home / known.receipt)
        request = open_request(connection, room.domain.name, hashed)
        person = person or Person({subject.word: frozenset({subject.value})})
        _lock_tables(ground, connection)
        _refuse_if_held(ground, connection, person, today, hashed, "nothing was" if journal is None else "no more is")
        if journal is None:
            with progress.step("begin"):
                journal = Journal.begin(_work_file(ground, subject), person)
        with progress.step("put up tombstones"):
            bury(connection, ground.key, room.domain, person.identifiers)
        for _ in range(PASSES):
            if not _one_pass(ground, connection, journal):
                break
        with progress.step("vacuum"):
            vacuum(ground, [(str(known["kind"]), str(known["name"])) for known in journal.places.values()])
        with progress.step("refresh views"):
            views = list(refresh_views())
        with progress.step("write the receipt"):
            receipt = _write_receipt(ground, request, journal, views)
        with progress.step("close the request"), connection.transaction():
            name, hash_ = str(receipt.file.relative_to(ground.home)), hashlib.sha256(receipt.file.read_bytes()).hexdigest()
            rows = int(str(receipt.content["rows"]))
            detail = {"request": hashed, "receipt": name, "places": len(journal.places)}
            append(connection, room, Entry("erased", None, rows=rows, file_hash=hash_, detail=detail))
            close_request(connection, request, name, hash_)
        with progress.step("forget the person"):
            journal.end()
    return receipt


def _work_file(ground: Ground, subject: Subject) -> Path:
    return ground.home / FOLDER / f"{subject_of(ground.key, subject.word, subject.value)}{SUFFIX}"


def _one_pass(ground: Ground, connection: psycopg.Connection, journal: Journal) -> bool:
    """Erase what is found anywhere; whether anything was."""
    any_found = False
    for place in places_of(ground):
        with ground.room.progress.step(f"erase {place.kind} {place.name}"):
            found = place.look(connection, journal.person)
            if found.rows or found.hash:
                any_found = True
                journal.before(place, found)
                journal.after(place, place.erase(connection, journal.person))
    return any_found


def _lock_tables(ground: Ground, connection: psycopg.Connection) -> None:
    """Keep runs and imports away until the session ends."""
    # An increment of the platform's database reads the tombstones before it lands its rows; it takes this lock first, too.
    names = [f"platform {ground.room.domain.name}", f"import {ground.room.domain.name}"]
    names += [f"publish {ground.room.domain.name}.{table.name}" for table in ground.tables]
    names += [f"publish {ground.room.domain.name}.{DERIVED_STAGE}/{name}" for name in ground.feature_tables]
    scored = [table.name for table in ground.tables if table.source is Source.MODEL]
    names += [f"publish {ground.room.domain.name}.{SCORED_STAGE}/{name}" for name in scored]
    for name in names:
        try:
            connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (name,))
        except IN_USE as error:
            raise BusyError(f"something is being worked out just now ({name}); run the same command once it ended") from error


def _refuse_if_held(
    ground: Ground, connection: psycopg.Connection, person: Person, today: date, hashed: str, words: str
) -> None:
    in_force = holds_in_force(connection, ground.room, today)
    if not in_force:
        return
    found = [(place, place.look(connection, person)) for place in places_of(ground)]
    if holds := _holds(in_force, person, found):
        detail = {"request": hashed, "holds": [hold.hold_id for hold in holds]}
        append(connection, ground.room, Entry("held", None, result="held", detail=detail))
        raise HeldError(f"{words} erased: {'; '.join(hold.words for hold in holds)}")


def _holds(in_force: Sequence[Hold], person: Person, found: Sequence[tuple[Place, Found]]) -> list[Hold]:
    """The holds on the person by name, and those on days of a table in which there are rows of theirs."""
    return [hold for hold in in_force if (hold.subject in person.values if hold.subject else _covers(hold, found))]


def _covers(hold: Hold, found: Sequence[tuple[Place, Found]]) -> bool:
    return any(
        hold.table in (None, place.name)
        and what.first_day is not None
        and what.last_day is not None
        and (hold.first_day is None or hold.first_day <= what.last_day)
        and (hold.last_day is None or hold.last_day >= what.first_day)
        for place, what in found
    )


def _write_receipt(ground: Ground, request: Request, journal: Journal, views: Sequence[str]) -> Receipt:
    places = [place for place in journal.places.values() if "rows" in place]
    content: dict[str, object] = {
        "request": request.subject,
        "domain": request.domain,
        "requested_at": request.requested_at.astimezone(UTC).isoformat(timespec="seconds"),
        "erased_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "actor": ground.room.actor,
        "policy_version": ground.room.policy.version,
        "rows": sum(int(str(place["rows"])) for place in places),
        "places": places,
        "views_refreshed": list(views),
        "left": list(models_naming(ground.home, journal.person)),
    }
    file = ground.home / FOLDER / f"{request.subject}-{request.requested_at.astimezone(UTC):%Y%m%dT%H%M%S}.json"
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(content, indent=2) + "\n")
    move_into_place(beside, file)
    return Receipt(file, content, is_new=True)


def _read(file: Path) -> Receipt:
    content = json.loads(file.read_text()) if file.exists() else {}
    return Receipt(file, content, is_new=False)
