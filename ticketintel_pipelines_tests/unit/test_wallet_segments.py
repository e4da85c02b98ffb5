"""Segments of wallets: what is known of them at the end of a day, and that nothing later is."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.segments import WALLET_GROUPS
from ticketintel_pipelines.ticketing.models.segments_method import GROUPS_FILE, learn
from ticketintel_pipelines_tests.unit.market_rows import BEGIN, Row, market, sale, same, wallet, window

FIRST = date(2026, 1, 1)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _wallets(folder: Path, rows: list[Row], until_day: date = FIRST + 5 * DAY, **named: object) -> dict[str, dict[str, object]]:
    with window(folder, rows, FIRST, FIRST + 30 * DAY, **named) as opened:
        found = opened.rows(QUERIES / "segments_wallets.sql", from_day=FIRST, until_day=until_day).to_pylist()
    return {row["wallet_address"]: row for row in found}


def test_what_a_wallet_did_is_counted(tmp_path: Path) -> None:
    rows = [
        sale(BEGIN + HOUR / 2, wallet(1), 1.0, token="1", event="e0"),
        sale(BEGIN + 2 * HOUR, wallet(1), 3.0, token="2", event="e1"),
        sale(BEGIN + DAY + HOUR / 2, wallet(2), 2.5, wallet(1), token="1", event="e0"),
        {**sale(BEGIN + 2 * DAY, wallet(3), kind="gift", token="2"), "seller_address": wallet(1), "price_wei": None},
    ]
    found = _wallets(tmp_path, rows)
    one = found[wallet(1)]
    assert (one["value_eth"], one["trades"], one["resale_share"]) == (6.5, 3, pytest.approx(1 / 3))
    assert (one["markup_ratio"], one["hold_days"], one["ticket_price_eth"]) == (2.5, 1.0, 2.0)
    assert (one["events"], one["tickets_per_event"], one["categories"], one["gifts_per_trade"]) == (
        2,
        1,
        2,
        pytest.approx(1 / 3),
    )
    assert one["opening_share"] == 0.5
    assert one["recency_days"] == pytest.approx(4 - 0.5 / 24)
    assert one["lead_days"] == pytest.approx(10 + (20 - 1.25) / 24)
    assert found[wallet(2)]["resale_share"] == 0
    assert found[wallet(2)]["opening_share"] is None
    assert wallet(3) not in found


def test_nothing_is_known_of_events_without_the_platforms_tables(tmp_path: Path) -> None:
    one = _wallets(tmp_path, [sale(BEGIN, wallet(1))], event_rows=[])[wallet(1)]
    assert [one[name] for name in ("events", "tickets_per_event", "categories", "lead_days", "opening_share")] == [None] * 5


def test_a_buyer_whom_a_later_sale_proved_is_known_only_after_it(tmp_path: Path) -> None:
    rows = [
        sale(BEGIN, wallet(1), 1.0, wallet(5), source="repaired"),
        sale(BEGIN + 3 * DAY, wallet(2), 2.0, wallet(1)),
    ]
    assert wallet(1) not in _wallets(tmp_path, rows, FIRST + 3 * DAY)
    assert _wallets(tmp_path, rows, FIRST + 4 * DAY)[wallet(1)]["markup_ratio"] == 2.0


def test_a_purchase_at_the_instant_of_the_resale_is_not_its_cost(tmp_path: Path) -> None:
    rows = [sale(BEGIN, wallet(1), 1.0, wallet(5)), sale(BEGIN, wallet(2), 2.0, wallet(1))]
    assert _wallets(tmp_path, rows)[wallet(1)]["markup_ratio"] is None


def test_an_absurd_price_is_no_money(tmp_path: Path) -> None:
    rows = [{**sale(BEGIN, wallet(1)), "price_wei": "9" * 77}]
    assert _wallets(tmp_path, rows)[wallet(1)]["value_eth"] == 0


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return market(days=13)


@pytest.fixture(scope="module")
def nights(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Files of one night and of the next, which goes on from them."""
    folder = tmp_path_factory.mktemp("nights")
    with window(folder, rows, FIRST, FIRST + 11 * DAY) as opened:
        first = WALLET_GROUPS.learn(opened, 1)
    assert [one.figure for one in first.assessment.comparisons][:1] == ["silhouette of 3 segments"]
    assert first.assessment.comparisons[0].beats
    assert first.assessment.figures == {"silhouette": first.assessment.comparisons[0].model}
    with window(folder, rows, FIRST, FIRST + 12 * DAY) as opened:
        second = learn(replace(opened, previous=first.files), 1)
    assert any("go on from the version in use" in words for section in second.assessment.sections for words in section.words)
    return dict(first.files), dict(second.files)


def _score(folder: Path, rows: list[Row], files: dict[str, bytes], first: date, last: date) -> pa.Table:
    with window(folder, rows, first, last, reach_days=WALLET_GROUPS.reach_days) as opened:
        return WALLET_GROUPS.score(files, opened)


def test_wallets_of_one_habit_share_a_segment(rows: list[Row], nights: tuple[dict[str, bytes], ...], tmp_path: Path) -> None:
    day = FIRST + 12 * DAY
    found = _score(tmp_path, rows, nights[1], day, day)
    segment = dict(zip(found["wallet_address"].to_pylist(), found["segment"].to_pylist(), strict=True))
    assert {segment[wallet(1000 + number)] for number in range(30)} == {"S3"}
    assert segment[wallet(1150)] != "S3"
    names = dict(zip(found["segment"].to_pylist(), found["segment_name"].to_pylist(), strict=True))
    assert "high amounts" in names["S3"]


def test_an_id_means_the_same_on_the_next_night(rows: list[Row], nights: tuple[dict[str, bytes], ...], tmp_path: Path) -> None:
    day = FIRST + 12 * DAY
    before, after = (_score(tmp_path, rows, files, day, day) for files in nights)
    for name in ("segment", "persona"):
        kept = [one == two for one, two in zip(before[name].to_pylist(), after[name].to_pylist(), strict=True)]
        assert sum(kept) / len(kept) > 0.9


def test_days_scored_at_once_are_days_scored_one_by_one(
    rows: list[Row], nights: tuple[dict[str, bytes], ...], tmp_path: Path
) -> None:
    first = FIRST + 10 * DAY
    whole = _score(tmp_path, rows, nights[0], first, first + 2 * DAY)
    days = [first + number * DAY for number in range(3)]
    assert same(whole, pa.concat_tables([_score(tmp_path, rows, nights[0], day, day) for day in days]))
    assert set(whole.column_names) == set(WALLET_GROUPS.table.column_names) - {"scored_at", "model_version"}
    assert {stamp.date() for stamp in whole["day"].to_pylist()} == set(days)
    assert {"S1", "S2", "S3"} == set(whole["segment"].to_pylist())


def test_equal_data_give_equal_files(rows: list[Row], nights: tuple[dict[str, bytes], ...], tmp_path: Path) -> None:
    with window(tmp_path, rows[::-1], FIRST, FIRST + 11 * DAY) as opened:
        assert dict(learn(opened, 1).files) == nights[0]
    assert nights[0][GROUPS_FILE] != nights[1][GROUPS_FILE]


def test_too_little_is_refused(tmp_path: Path) -> None:
    with window(tmp_path, [], FIRST, FIRST + 9 * DAY) as opened, pytest.raises(TooFewExamplesError, match="0 days"):
        WALLET_GROUPS.learn(opened, 1)
    few = [sale(BEGIN + number * DAY, wallet(number)) for number in range(9)]
    with window(tmp_path, few, FIRST, FIRST + 9 * DAY) as opened, pytest.raises(TooFewExamplesError, match="9 rows"):
        WALLET_GROUPS.learn(opened, 1)
