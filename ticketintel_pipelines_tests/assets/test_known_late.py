"""Rows that become known long after their own day: features see them from then on, whatever the order of the deliveries."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.assets.handing_in import SALES, address, hand_in, rows, sale, write
from ticketintel_pipelines_tests.assets.platform_rows import (
    EVENTS,
    ORDER,
    ORDERS,
    PAYMENT,
    PAYMENTS,
    SESSION,
    SESSIONS,
    TICKETS,
)
from ticketintel_pipelines_tests.assets.platform_rows import USER as USERS
from ticketintel_pipelines_tests.conftest import take_in

BOUGHT = ("01-03", "02-14", "02-16", "03-10")
LATE = "2026-02-15T09:00:00Z"
"""45 days after the payment."""
METHODS = "SELECT to_char(occurred_at, 'MM-DD'), payment_method_diversity::int FROM ticketing.features ORDER BY 1"


def worked_out(workspace: Workspace) -> dict[tuple[str, date], tuple[str, str]]:
    """Of each day of each observation and family: a hash of its rows, and one of what they were worked out from."""
    found = rows(
        workspace, "SELECT table_name, day, content_hash, inputs_hash FROM ops.feature_days WHERE domain = 'ticketing'"
    )
    return {(name, day): (content, inputs) for name, day, content, inputs in found}


def test_a_payment_known_45_days_late_counts_from_the_day_it_became_known(
    workspace: Workspace, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings()
    at_once = Workspace(DOMAINS, lambda: settings)
    platform = {
        "sales": SALES + "".join(sale(day, n, 5, address("a"), address("b")) for n, day in enumerate(BOUGHT, start=1)),
        "users": USERS,
        "events": EVENTS,
        "tickets": TICKETS,
        "sessions": SESSIONS + SESSION.format(""),
        "orders": ORDERS + ORDER.format(""),
    }
    late = PAYMENTS + PAYMENT.format("captured", LATE)
    refunded = PAYMENTS + PAYMENT.format("refunded", "2026-03-08T12:00:00Z").replace("card", "paypal")
    hand_in(workspace, tmp_path / "platform", **platform)
    assert rows(workspace, METHODS) == [(day, 0) for day in BOUGHT]

    before = worked_out(workspace)
    hand_in(workspace, tmp_path / "late", payments=late)
    after = worked_out(workspace)
    assert rows(workspace, METHODS) == [(day, int(day > "02-15")) for day in BOUGHT]
    touched = {day for name, day in after if name == "payments_made" and after[name, day] != before.get((name, day))}
    looked_back = DayRange(date(2026, 1, 1), date(2026, 1, 31)).days
    assert touched == {*looked_back, date(2026, 2, 15)}
    changed = {key for key in after if after[key][0] != before.get(key, ("", ""))[0]}
    assert {day for name, day in changed if name == "payments_made"} == {date(2026, 2, 15)}
    assert {day for name, day in changed if name == "features"} == {date(2026, 2, 16), date(2026, 3, 10)}

    # What the payment became later is known later: it stays what it was when it was first known.
    hand_in(workspace, tmp_path / "refunded", payments=refunded)
    assert {key: found[0] for key, found in worked_out(workspace).items()} == {key: found[0] for key, found in after.items()}

    write(tmp_path / "once", **platform, payments=late)
    take_in(at_once, tmp_path / "once")
    hand_in(at_once, tmp_path / "once refunded", payments=refunded)
    content = "SELECT table_name, day, content_hash FROM ops.feature_days WHERE rows > 0 ORDER BY 1, 2"
    assert rows(at_once, content) == rows(workspace, content)
