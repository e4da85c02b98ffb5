"""The band rule on figures of a market: which slots there are, what is called an anomaly, and that days can be split."""

import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.ticketing.models.stream_bands import REACH_DAYS, STREAM_BANDS
from ticketintel_pipelines.ticketing.models.stream_bands_method import BANDS_FILE, FAMILIES, STREAMS
from ticketintel_pipelines_tests.unit.market_rows import BEGIN, Row, market, sale, same, wallet, window

FIRST = date(2026, 1, 1)


def _rows(folder: Path, rows: list[Row], days: int = 1, **named: object) -> dict[str, dict[int, float | None]]:
    """Values of each stream by the hours since the beginning."""
    with window(folder, rows, FIRST, FIRST + timedelta(days=days - 1), **named) as opened:
        found = opened.rows(STREAMS).to_pylist()
    streams: dict[str, dict[int, float | None]] = {}
    for row in found:
        hours = int((row["started_at"] - BEGIN).total_seconds() // 3600)
        streams.setdefault(row["stream"], {})[hours] = row["value"]
    return streams


def test_a_slot_without_a_sale_has_none_and_no_price(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    rows = [
        sale(BEGIN + 2 * hour, wallet(1), 2.0, event="e0"),
        sale(BEGIN + 4 * hour, wallet(2), 3.0, wallet(1), event="e0"),
        sale(BEGIN + 4.5 * hour, wallet(3), 5.0, wallet(2), event="e0"),
        sale(BEGIN + 5 * hour, wallet(4), kind="gift", event="e0"),
    ]
    streams = _rows(tmp_path, rows)
    assert [streams["market/sales/hour"][hour] for hour in range(2, 7)] == [1, 0, 2, 0, 0]
    assert [streams["market/resale_price_eth/hour"][hour] for hour in range(2, 6)] == [None, None, 4.0, None]
    assert streams["market/volume_eth/day"] == {0: 10.0}


def test_streams_of_an_event_run_while_it_sells_and_those_of_the_market_from_its_first_sale(tmp_path: Path) -> None:
    rows = [sale(BEGIN + timedelta(hours=5), wallet(1))]
    one_event: list[Row] = [
        {
            "event_id": "e0",
            "category": "sport",
            "on_sale_at": BEGIN + timedelta(hours=3, minutes=20),
            "starts_at": BEGIN + timedelta(hours=27),
        }
    ]
    streams = _rows(tmp_path, rows, days=3, event_rows=one_event)
    assert list(streams["e0/sales/hour"]) == list(range(3, 28))
    assert list(streams["market/sales/hour"]) == list(range(5, 72))


def test_a_price_that_no_number_holds_is_left_out(tmp_path: Path) -> None:
    rows = [sale(BEGIN, wallet(1), 2.0), {**sale(BEGIN, wallet(1)), "price_wei": "9" * 77}]
    assert _rows(tmp_path, rows)["market/volume_eth/day"] == {0: 2.0}


def _classic() -> dict[str, bytes]:
    return {BANDS_FILE: b"{}"}


def test_a_burst_of_sales_is_an_anomaly(tmp_path: Path) -> None:
    quiet = [sale(BEGIN + timedelta(hours=hour), wallet(1)) for hour in range(240) for _ in range(5 + hour % 3)]
    burst = [sale(BEGIN + timedelta(hours=230), wallet(2)) for _ in range(60)]
    with window(tmp_path, quiet + burst, FIRST + timedelta(days=9), FIRST + timedelta(days=9), [], REACH_DAYS) as opened:
        found = STREAM_BANDS.score(_classic(), opened)
    called = found.filter((pa.compute.field("stream") == "market/sales/hour") & (pa.compute.field("verdict") == "ANOMALY"))
    assert [(row["started_at"] - BEGIN) / timedelta(hours=1) for row in called.to_pylist()] == [230]
    assert called["value"].to_pylist() == [67.0]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return market(days=12)


@pytest.fixture(scope="module")
def learnt(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with window(tmp_path_factory.mktemp("learn"), rows, FIRST, FIRST + timedelta(days=11)) as opened:
        one = STREAM_BANDS.learn(opened, 1)
    assert one.assessment.comparisons[0].figure == "recall at 1% false alarms"
    assert one.assessment.figures["recall"] == one.assessment.comparisons[0].model
    assert all(picture.startswith("<svg") for section in one.assessment.sections for picture, _ in section.pictures)
    return dict(one.files)


def test_every_kind_of_stream_gets_a_band(learnt: dict[str, bytes]) -> None:
    assert set(json.loads(learnt[BANDS_FILE])) == {family.name for family in FAMILIES}


def test_days_scored_at_once_are_days_scored_one_by_one(rows: list[Row], learnt: dict[str, bytes], tmp_path: Path) -> None:
    first, last = FIRST + timedelta(days=8), FIRST + timedelta(days=11)
    with window(tmp_path, rows, first, last, reach_days=REACH_DAYS) as opened:
        whole = STREAM_BANDS.score(learnt, opened)
    single = []
    for number in range(4):
        day = first + timedelta(days=number)
        with window(tmp_path, rows, day, day, reach_days=REACH_DAYS) as opened:
            single.append(STREAM_BANDS.score(learnt, opened))
    assert whole.num_rows > 500
    assert same(whole, pa.concat_tables(single))
    assert set(whole.column_names) == set(STREAM_BANDS.table.column_names) - {"scored_at", "model_version"}
    assert {stamp.date() for stamp in whole["started_at"].to_pylist()} == {first + timedelta(days=n) for n in range(4)}


def test_without_sales_nothing_is_learned_and_nothing_scored(learnt: dict[str, bytes], tmp_path: Path) -> None:
    with window(tmp_path, [], FIRST, FIRST + timedelta(days=20), []) as opened:
        with pytest.raises(TooFewExamplesError, match="no slots"):
            STREAM_BANDS.learn(opened, 1)
        assert STREAM_BANDS.score(learnt, opened).num_rows == 0


def test_a_few_days_are_too_few(rows: list[Row], tmp_path: Path) -> None:
    with (
        window(tmp_path, rows, FIRST, FIRST + timedelta(days=3)) as opened,
        pytest.raises(TooFewExamplesError, match="4 days"),
    ):
        STREAM_BANDS.learn(opened, 1)
