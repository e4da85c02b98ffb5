"""Nights that go wrong and mend: a refused extract, a mended row, parents that come after their children."""

from pathlib import Path

import pytest

from ticketintel_pipelines.nights import Night, run_etl, stale_ranges
from ticketintel_pipelines.progress import Silence
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in

USERS = "user_id,created_at,email,is_verified\n"
EVENTS = (
    "event_id,created_at,name,category,venue,city,country_code,organiser_id,contract_address,capacity,face_value_usd,"
    "on_sale_at,starts_at\n"
    f"e1,2026-01-01T08:00:00Z,Night,concert,Hall,Bern,CH,o1,0x{'ab' * 20},100,40.00,2026-01-01T09:00:00Z,2026-02-01T19:00:00Z\n"
)
ORDERS = "order_id,created_at,user_id,event_id,market,quantity,amount,currency,status\n"
BLOCKS = "number,hash,parent_hash,timestamp\n"


def hand_in(workspace: Workspace, folder: Path, **tables: str) -> list[Night]:
    """Import tables given as CSV, and work out what is stale."""
    folder.mkdir()
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text)
    take_in(workspace, folder)
    nights = [run_etl(workspace, TICKETING, days, Silence()) for days in stale_ranges(workspace, TICKETING)]
    if all(night.succeeded for night in nights):
        # What was published may let rows of other days through.
        nights += [run_etl(workspace, TICKETING, days, Silence()) for days in stale_ranges(workspace, TICKETING)]
    return nights


def rows(workspace: Workspace, query: str) -> list[tuple]:
    with workspace.catalog() as catalog:
        return catalog.connection.execute(query).fetchall()


def test_a_critical_rule_keeps_what_was_published_and_turns_the_run_red(workspace: Workspace, tmp_path: Path) -> None:
    block = "1,0x{hash},0x{parent},2026-01-01T00:00:00Z\n"
    first = BLOCKS + block.format(hash="11" * 32, parent="00" * 32)
    other_branch = BLOCKS + block.format(hash="22" * 32, parent="00" * 32)
    (night,) = hand_in(workspace, tmp_path / "first", blocks=first)
    assert night.succeeded, night.failures
    (night,) = hand_in(
        workspace, tmp_path / "second", blocks=other_branch, users=f"{USERS}u1,2026-01-01T09:00:00Z,a@b.example,true\n"
    )
    assert not night.succeeded
    assert len(night.failures) == 1
    assert "one_hash_per_height" in night.failures[0]
    assert rows(workspace, "SELECT block_hash FROM ticketing.blocks") == [("0x" + "11" * 32,)]
    assert rows(workspace, "SELECT user_id FROM ticketing.users") == [("u1",)], "other tables are not held up"
    assert stale_ranges(workspace, TICKETING), "the day stays to be worked out"


def test_a_mended_row_is_published_and_its_broken_twin_is_done_with(workspace: Workspace, tmp_path: Path) -> None:
    order = "o1,2026-01-01T10:00:00Z,u1,e1,primary,1,{amount},USD,paid\n"
    (night,) = hand_in(
        workspace,
        tmp_path / "broken",
        users=f"{USERS}u1,2026-01-01T09:00:00Z,a@b.example,true\n",
        events=EVENTS,
        orders=ORDERS + order.format(amount="-40.00"),
    )
    assert night.succeeded, night.failures
    in_quarantine = "SELECT rule, source_file, source_row, row_key, mended FROM ops.quarantine"
    assert rows(workspace, in_quarantine) == [("amount_range", "orders.csv", 1, "o1", False)]
    assert rows(workspace, "SELECT count(*) FROM ticketing.orders") == [(0,)]

    (night,) = hand_in(workspace, tmp_path / "mended", orders=ORDERS + order.format(amount="40.00"))
    assert night.succeeded, night.failures
    assert rows(workspace, "SELECT order_id, amount::text FROM ticketing.orders") == [("o1", "40.00")]
    assert rows(workspace, in_quarantine) == [("amount_range", "orders.csv", 1, "o1", True)]
    assert stale_ranges(workspace, TICKETING, replay=True) == [], "nothing is left to mend"


@pytest.mark.parametrize("known_before", [False, True], ids=["no users at all before", "other users before"])
def test_children_that_came_before_their_parents_are_judged_again(
    workspace: Workspace, tmp_path: Path, known_before: bool
) -> None:
    order = "{id},2026-01-02T10:00:00Z,{user},e1,primary,1,40.00,USD,paid\n"
    orders = ORDERS + order.format(id="o1", user="u1") + order.format(id="o2", user="nobody")
    early_users = {"users": f"{USERS}u0,2026-01-01T09:00:00Z,a@b.example,true\n"} if known_before else {}
    for night in hand_in(workspace, tmp_path / "children", events=EVENTS, orders=orders, **early_users):
        assert night.succeeded, night.failures
    published = "SELECT order_id FROM ticketing.orders ORDER BY 1"
    assert rows(workspace, published) == ([] if known_before else [("o1",), ("o2",)])

    for night in hand_in(workspace, tmp_path / "parents", users=f"{USERS}u1,2026-01-01T09:30:00Z,c@d.example,true\n"):
        assert night.succeeded, night.failures
    assert rows(workspace, published) == [("o1",)]
    assert rows(workspace, "SELECT row_key, rule FROM ops.quarantine") == [("o2", "user_id_exists")]
    assert stale_ranges(workspace, TICKETING) == []
