"""Rows that come late change other days: whatever the order of arrival, the tables end up as if all had come at once."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.chain.encode import encode_transfer
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex, hex_to_bytes
from ticketintel_pipelines.chain.uint256 import from_uint64
from ticketintel_pipelines.definitions import build_defs
from ticketintel_pipelines.nights import dagster_instance, requested_days, stale_ranges, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, SALES, ZERO, address, hand_in, rows, sale
from ticketintel_pipelines_tests.conftest import take_in


def move_log(day: str, block: int, sender: str, receiver: str) -> pa.Table:
    """One ERC-721 transfer of token 7, as ethereum-etl exports it."""
    sender20, receiver20 = (hex_to_bytes(pa.array([who]), 20)[0] for who in (sender, receiver))
    encoded = encode_transfer(sender20, receiver20, from_uint64([7]))
    topics = [encoded[f"topic{place}"][0].as_py() for place in range(4)]
    hash_ = bytes_to_hex(from_uint64([block]))[0].as_py()
    return pa.table(
        {
            "block_number": [block],
            "block_timestamp": [f"2026-{day}T12:00:00Z"],
            "transaction_hash": [hash_],
            "log_index": [0],
            "address": [CONTRACT],
            "topics": [topics],
            "data": ["0x"],
        }
    )


def test_a_sale_in_between_corrects_a_buyer_that_was_inferred(workspace: Workspace, tmp_path: Path) -> None:
    buyers = "SELECT buyer_source, buyer_address FROM ticketing.transactions WHERE block_number = 1"
    hand_in(workspace, tmp_path / "1", sales=SALES + sale("01-01", 1, 5, address("1"), ZERO))
    assert rows(workspace, buyers) == [("unknown", None)]
    hand_in(workspace, tmp_path / "2", sales=SALES + sale("03-10", 9, 5, address("3"), address("4")))
    assert rows(workspace, buyers) == [("repaired", address("3"))]
    hand_in(workspace, tmp_path / "3", sales=SALES + sale("02-05", 4, 5, address("2"), address("3")))
    assert rows(workspace, buyers) == [("repaired", address("2"))]


def test_two_tokens_sold_in_one_chain_transaction_are_two_transactions(workspace: Workspace, tmp_path: Path) -> None:
    both = [sale("01-01", 1, token, address("1"), address("2"), "ab" * 32) for token in (5, 6)]
    hand_in(workspace, tmp_path / "1", sales=SALES + "".join(both))
    assert rows(workspace, "SELECT token_id::int FROM ticketing.transactions ORDER BY 1") == [(5,), (6,)]
    hand_in(workspace, tmp_path / "2", sales=SALES + both[1])
    assert rows(
        workspace, "SELECT sum(published)::int, sum(duplicates)::int FROM ops.published_days WHERE table_name = 'transactions'"
    ) == [(2, 1)]


def test_a_movement_that_was_missing_lets_the_later_one_through(workspace: Workspace, tmp_path: Path) -> None:
    moves = {"mint": ("01-01", 1, ZERO, address("a")), "sold": ("02-03", 4, address("a"), address("b"))}
    for name, log in {**moves, "late": ("03-05", 9, address("b"), address("d"))}.items():
        (tmp_path / name).mkdir()
        pq.write_table(move_log(*log), tmp_path / name / "logs.parquet")
    found = "SELECT block_number::int FROM ticketing.transfers ORDER BY 1"
    console = Console(stream=io.StringIO())
    for name, expected in (("mint", [(1,)]), ("late", [(1,)]), ("sold", [(1,), (4,), (9,)])):
        take_in(workspace, tmp_path / name)
        work_out(workspace, TICKETING, None, console)
        assert rows(workspace, found) == expected, name
    assert rows(workspace, "SELECT count(*)::int FROM ticketing.transactions") == [(3,)]


def test_tickets_that_come_after_the_sales_of_their_tokens_are_joined_on_every_day(
    workspace: Workspace, tmp_path: Path
) -> None:
    sales = [sale(day, block, 5, address("1"), address("2")) for day, block in (("01-01", 1), ("02-05", 4), ("03-10", 9))]
    hand_in(workspace, tmp_path / "1", sales=SALES + "".join(sales))
    events = (
        "event_id,created_at,name,category,venue,city,country_code,organiser_id,contract_address,capacity,face_value_usd,"
        f"on_sale_at,starts_at\ne1,2026-01-01T08:00:00Z,Night,concert,Hall,Bern,CH,o1,{CONTRACT},100,40.00,"
        "2026-01-01T09:00:00Z,2026-04-01T19:00:00Z\n"
    )
    tickets = (
        "ticket_id,issued_at,event_id,contract_address,token_id,tier,face_value_usd\n"
        f"t1,2026-01-01T10:00:00Z,e1,{CONTRACT},5,standard,40.00\n"
    )
    hand_in(workspace, tmp_path / "2", events=events, tickets=tickets)
    assert rows(workspace, "SELECT event_id, ticket_id FROM ticketing.transactions") == [("e1", "t1")] * 3


def test_a_ticket_moved_to_another_event_takes_its_transactions_of_all_days_along(workspace: Workspace, tmp_path: Path) -> None:
    sales = [sale(day, block, 5, address("1"), address("2")) for day, block in (("01-01", 1), ("02-05", 4), ("03-10", 9))]
    tickets = "ticket_id,issued_at,event_id,contract_address,token_id,tier,face_value_usd,updated_at\n"
    ticket = f"t1,2026-01-01T10:00:00Z,{{}},{CONTRACT},5,standard,40.00,2026-0{{}}-01T10:00:00Z\n"
    hand_in(workspace, tmp_path / "1", sales=SALES + "".join(sales), tickets=tickets + ticket.format("e1", 1))
    hand_in(workspace, tmp_path / "2", tickets=tickets + ticket.format("e2", 4))
    assert rows(workspace, "SELECT event_id FROM ticketing.transactions") == [("e2",)] * 3


def test_users_of_another_night_do_not_wake_days_that_they_cannot_mend(workspace: Workspace, tmp_path: Path) -> None:
    users = "user_id,created_at,email,is_verified\n"
    sessions = "session_id,started_at,user_id,ip_address,page_views\ns1,2026-01-02T10:00:00Z,nobody,10.0.0.1,1\n"
    hand_in(workspace, tmp_path / "1", users=f"{users}u1,2026-01-01T09:00:00Z,a@b.example,true\n", sessions=sessions)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "users.csv").write_text(f"{users}u2,2026-02-01T09:00:00Z,a@b.example,true\n")
    take_in(workspace, tmp_path / "2")
    assert [str(days) for days in stale_ranges(workspace, TICKETING)] == ["2026-02-01"]


def test_a_row_that_was_published_first_stays_whatever_comes_later(workspace: Workspace, tmp_path: Path) -> None:
    users = "user_id,created_at,email,is_verified\n"
    hand_in(workspace, tmp_path / "1", users=f"{users}u1,2026-01-05T09:00:00Z,a@b.example,true\n")
    hand_in(workspace, tmp_path / "2", users=f"{users}u1,2026-01-03T09:00:00Z,a@b.example,true\n")
    standing = "SELECT created_at::date::text FROM ticketing.users"
    assert rows(workspace, standing) == [("2026-01-05",)]
    work_out(workspace, TICKETING, requested_days("2026-01-01", "2026-01-06"), Console(stream=io.StringIO()))
    assert rows(workspace, standing) == [("2026-01-05",)]


def test_a_withdrawn_file_takes_its_rows_with_it(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", sales=SALES + sale("01-01", 1, 5, address("1"), address("2")))
    with workspace.catalog() as catalog:
        catalog.withdraw("ticketing", "sales.csv", RAW_INPUTS)
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    assert rows(workspace, "SELECT count(*)::int FROM ticketing.transactions") == [(0,)]
    assert stale_ranges(workspace, TICKETING) == []


def test_the_whole_job_is_green_on_a_day_without_anything(workspace: Workspace) -> None:
    """What a schedule or a person in the UI launches does not leave out the tables that have nothing to do."""
    job = build_defs({"workspace": workspace}, workspace.settings).resolve_job_def("ticketing_etl")
    with dagster_instance(workspace) as instance:
        assert job.execute_in_process(instance=instance, partition_key="2026-01-01", raise_on_error=False).success
