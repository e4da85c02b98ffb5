"""What became known of the honesty of transactions: once, when it became known, night by night as in one go."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from ticketintel_pipelines.features.keys import key
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.observing import observe
from ticketintel_pipelines_tests.assets.handing_in import address
from ticketintel_pipelines_tests.assets.platform_rows import (
    CHARGEBACKS,
    PAYMENT,
    REVIEWS,
    platform,
)
from ticketintel_pipelines_tests.assets.sale_seen import BY_NAME, SPRING, at, seen, sold, validated


@pytest.mark.parametrize(
    ("received", "news"),
    [
        (None, [(at("01-31"), 1, 0)]),
        ("2026-01-20T08:00:00Z", [(at("01-20", "08:00:00"), 1, 1)]),
        ("2026-02-25T08:00:00Z", [(at("01-31"), 1, 0), (at("02-25", "08:00:00"), 0, 1)]),
    ],
)
def test_a_chargeback_tells_of_its_transaction_when_it_comes(
    workspace: Workspace, tmp_path: Path, received: str | None, news: list[tuple[int, int, int]]
) -> None:
    chargebacks = CHARGEBACKS + (f"c1,{received},p1,42.50,USD,fraud\n" if received else "")
    validated(workspace, platform(tmp_path / "raw", chargebacks=chargebacks))
    sold(workspace)
    labels = seen(workspace, "labels")
    assert [(row["seen"], row["settled"], row["fraud"]) for row in labels] == news
    assert {row["instrument_key"] for row in labels} == {key("visa")}


def test_a_chargeback_for_another_reason_is_no_fraud(workspace: Workspace, tmp_path: Path) -> None:
    chargebacks = f"{CHARGEBACKS}c1,2026-01-20T08:00:00Z,p1,42.50,USD,not_received\n"
    validated(workspace, platform(tmp_path / "raw", chargebacks=chargebacks))
    sold(workspace)
    assert [(row["settled"], row["fraud"]) for row in seen(workspace, "labels")] == [(1, 0)]


def reviews(*verdicts: tuple[str, str]) -> str:
    """Verdicts on the sale: the day of each and what it says, at eight in the morning."""
    lines = (
        f"v{number},2026-{day}T08:00:00Z,sale,{verdict},,desk-3,\n" for number, (day, verdict) in enumerate(verdicts, start=1)
    )
    return REVIEWS + "".join(lines)


EIGHT = "08:00:00"


@pytest.mark.parametrize(
    ("verdicts", "charged_back", "news"),
    [
        pytest.param([("01-05", "fraud")], "01-20", [(at("01-05", EIGHT), 1, 1)], id="verdict before the chargeback"),
        pytest.param([("01-25", "fraud")], "01-20", [(at("01-20", EIGHT), 1, 1)], id="verdict after the chargeback"),
        pytest.param([("01-05", "honest")], None, [(at("01-05", EIGHT), 1, 0)], id="honest settles at once"),
        pytest.param(
            [("01-05", "honest"), ("01-15", "fraud")],
            "01-20",
            [(at("01-05", EIGHT), 1, 0), (at("01-15", EIGHT), 0, 1)],
            id="honest, then overturned",
        ),
        pytest.param(
            [("01-05", "fraud"), ("01-15", "honest")], None, [(at("01-05", EIGHT), 1, 1)], id="fraud, then taken back"
        ),
        pytest.param([("01-25", "honest")], "01-20", [(at("01-20", EIGHT), 1, 1)], id="honest after the chargeback"),
        pytest.param(
            [("01-05", "honest")],
            "02-25",
            [(at("01-05", EIGHT), 1, 0), (at("02-25", EIGHT), 0, 1)],
            id="honest, then charged back",
        ),
        pytest.param([("03-01", "honest")], None, [(at("01-31"), 1, 0)], id="honest when it had settled long since"),
        pytest.param(
            [("03-01", "fraud")],
            None,
            [(at("01-31"), 1, 0), (at("03-01", EIGHT), 0, 1)],
            id="fraud when it had settled long since",
        ),
        pytest.param(
            [("01-05", "fraud"), ("03-25", "fraud")], "03-20", [(at("01-05", EIGHT), 1, 1)], id="verdict beyond what is read"
        ),
    ],
)
def test_a_transaction_settles_once_by_verdict_chargeback_or_age(
    workspace: Workspace, tmp_path: Path, verdicts: list[tuple[str, str]], charged_back: str | None, news: list[tuple[int, ...]]
) -> None:
    chargebacks = CHARGEBACKS + (f"c1,2026-{charged_back}T08:00:00Z,p1,42.50,USD,fraud\n" if charged_back else "")
    validated(workspace, platform(tmp_path / "raw", chargebacks=chargebacks, fraud_reviews=reviews(*verdicts)))
    sold(workspace)
    labels = seen(workspace, "labels")
    assert [(row["seen"], row["settled"], row["fraud"]) for row in labels] == news
    assert {row["instrument_key"] for row in labels} == {key("visa")}
    days = sorted({SPRING.first + timedelta(days=(row[0] - at("01-01", "00:00:00")) // 86_400_000_000) for row in news})
    told_of = {date.fromisoformat(f"2026-{day}") for day, _ in verdicts} | {date(2026, 3, 20)}
    alone = {}
    for day in sorted({*days, *told_of}):
        alone |= observe(workspace, DayRange(day, day), observation=BY_NAME["labels"])
    assert sorted(alone) == days


@pytest.mark.parametrize(
    ("charged_back", "verdicts", "first"),
    [
        (("01-05", "03-20"), [], "01-05"),
        (("01-05",), [("03-20", "fraud")], "01-05"),
        (("03-20",), [("01-05", "fraud")], "01-05"),
    ],
    ids=["charged back twice", "reviewed long after", "charged back long after"],
)
def test_an_order_is_one_fraud_however_far_apart_its_news(
    workspace: Workspace, tmp_path: Path, charged_back: tuple[str, ...], verdicts: list[tuple[str, str]], first: str
) -> None:
    lines = (f"c{day},2026-{day}T08:00:00Z,p{place},42.50,USD,fraud\n" for place, day in enumerate(charged_back, 1))
    payments = PAYMENT.format("captured", "") + PAYMENT.format("captured", "").replace("p1,", "p2,")
    validated(
        workspace,
        platform(
            tmp_path / "raw", payments=payments, chargebacks=CHARGEBACKS + "".join(lines), fraud_reviews=reviews(*verdicts)
        ),
    )
    sold(workspace)
    assert [(row["seen"], row["fraud"]) for row in seen(workspace, "labels")] == [(at(first, EIGHT), 1)]
    alone = {}
    for day in ("01-05", "03-20"):
        on = date.fromisoformat(f"2026-{day}")
        alone |= observe(workspace, DayRange(on, on), observation=BY_NAME["labels"])
    assert list(alone) == [date.fromisoformat(f"2026-{first}")]


@pytest.mark.parametrize(
    ("verdicts", "news"),
    [
        ([], []),
        ([("01-05", "honest")], [(at("01-05", EIGHT), 1, 0)]),
        ([("03-20", "fraud")], [(at("03-20", EIGHT), 1, 1)]),
        ([("01-05", "honest"), ("03-25", "fraud")], [(at("01-05", EIGHT), 1, 0), (at("03-25", EIGHT), 0, 1)]),
    ],
)
def test_a_transaction_without_an_order_settles_by_verdict_alone(
    workspace: Workspace, tmp_path: Path, verdicts: list[tuple[str, str]], news: list[tuple[int, ...]]
) -> None:
    validated(workspace, platform(tmp_path / "raw", fraud_reviews=reviews(*verdicts)))
    sold(workspace, kind="resale", seller_address=address("a"), **dict.fromkeys(("order_id", "user_id", "price_usd")))
    labels = seen(workspace, "labels")
    assert [(row["seen"], row["settled"], row["fraud"]) for row in labels] == news
    assert all((row["wallet_key"], row["instrument_key"]) == (key(address("b")), None) for row in labels)


def test_a_verdict_tells_of_its_transaction_once_it_is_known(workspace: Workspace, tmp_path: Path) -> None:
    late = f"{REVIEWS}v1,2026-01-05T08:00:00Z,sale,fraud,bot,desk-3,2026-01-07T09:00:00Z\n"
    validated(workspace, platform(tmp_path / "raw", fraud_reviews=late))
    sold(workspace)
    assert [row["seen"] for row in seen(workspace, "labels")] == [at("01-07", "09:00:00")]
