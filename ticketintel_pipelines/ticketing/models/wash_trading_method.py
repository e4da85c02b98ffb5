"""How feigned trade is found: hubs and custodians are read off the market, and each definition is then searched for."""

import json
from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.day_numbers import day_number
from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Learnt, compare_rankings
from ticketintel_pipelines.learning.examples import DAY, Flags, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.report_words import count, day
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.settings import Settings, as_json, from_json
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.wash_trading import BASELINE
from ticketintel_pipelines.ticketing.models.wash_trading_market import Known, Market
from ticketintel_pipelines.ticketing.models.wash_trading_report import (
    named_rows,
    overlap_section,
    places_between,
    prevalence_section,
    settings_section,
    truth_section,
)

FILE = "wash_trading.json"
LEAST_SALES = 200
LEAST_DAYS = 6
TEST_SHARE = 1 / 3
BASELINES = {
    BASELINE: (Definition.RETURN_TRIP,),
    "three buys or sells of a token by one wallet within 30 days": (Definition.THREE_BUYS, Definition.THREE_SELLS),
}


def learn(window: Window, seed: int) -> Learnt:
    """Who is a hub and who a custodian, read off the data; nothing of it is drawn, so that `seed` changes nothing.

    Raises:
        TooFewExamplesError: too few sales between wallets, or on too few days.
    """
    market = Market.of(window)
    first, last = _first_instant(window.days.first), _first_instant(window.days.last) + DAY
    inside = places_between(market.transfers, first, last)
    sales = int((market.transfers.sale & inside).sum())
    days = len(window.days.days)
    if sales < LEAST_SALES or days < LEAST_DAYS:
        raise TooFewExamplesError(
            f"{sales} sales between wallets on {days} days are too few to judge by: at least {LEAST_SALES} on {LEAST_DAYS} "
            "days are needed"
        )
    split = last - max(2, round(days * TEST_SHARE)) * DAY
    assessment = _assessed(window, market, market.known(Settings(), split), split, last)
    return Learnt({FILE: _dumped(market.known(Settings(), last))}, assessment, int(inside.sum()))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The rows of `wash_trades` for the window's days."""
    market = Market.of(window)
    judged = market.judge(_loaded(files[FILE]))
    first, last = (_first_instant(day) // DAY for day in (window.days.first, window.days.last))
    return market.rows(judged, first, last)


def _first_instant(day: date) -> int:
    return day_number(day) * DAY


def _dumped(known: Known) -> bytes:
    said = {"settings": as_json(known.settings), "hubs": known.hubs, "custodians": known.custodians}
    return json.dumps(said, indent=1).encode()


def _loaded(content: bytes) -> Known:
    said = json.loads(content)
    return Known(from_json(said["settings"]), tuple(said["hubs"]), tuple(said["custodians"]))


def _assessed(window: Window, market: Market, known: Known, split: int, last: int) -> Assessment:
    """The days before `split` told who is a hub; judged is on those after, in a simulated world."""
    judged = market.judge(known)
    named = named_rows(judged)
    everything = places_between(judged.transfers, _first_instant(window.days.first), last)
    later = places_between(judged.transfers, split, last)
    sections = [
        prevalence_section(judged, named, everything, known.settings.window_days, market.money is not None),
        overlap_section(named, everything),
        settings_section(known, market.money is not None),
    ]
    comparisons: tuple[Comparison, ...] = ()
    of = f"{count(int(later.sum()))} transactions between wallets from {day(split // DAY)} to {day(last // DAY - 1)}"
    words = (
        "Nobody has said which trades were feigned: prevalence is reported by definition, and nothing is compared. Whether a "
        "definition is the right one cannot be told from the trades alone."
    )
    if window.has_truth:
        truth = _truth(window, market)
        sections.insert(0, truth_section(named, truth, later))
        comparisons = _comparisons(market, named, truth, later, of)
        words = (
            f"Hubs and custodians were read off what happened before {day(split // DAY)}; the transactions of {of} were then "
            "called by the flags raised until the last of these days. F1 is that of transactions; whole days are resampled."
        )
    figures = {"f1": comparisons[0].model} if comparisons else {}
    return Assessment(words, comparisons, figures, tuple(sections))


def _comparisons(
    market: Market, named: Mapping[Definition, Flags], truth: Flags, later: Flags, of: str
) -> tuple[Comparison, ...]:
    found = []
    for baseline, definitions in BASELINES.items():
        called = named[Definition.COMBINED]
        other = np.logical_or.reduce([named[one] for one in definitions])
        # What nobody calls and is nothing adds to no figure; days of nothing else are not drawn.
        rows = np.flatnonzero(later & (truth | called | other))
        model, simple, actual = called[rows], other[rows], truth[rows]

        def statistic(
            places: Integers, model: Flags = model, simple: Flags = simple, actual: Flags = actual
        ) -> tuple[float, float]:
            return _f1(model[places], actual[places]), _f1(simple[places], actual[places])

        found.append(compare_rankings("F1", baseline, of, statistic, market.transfers.day[rows]))
    return tuple(found)


def _f1(called: Flags, truth: Flags) -> float:
    either = int(called.sum()) + int(truth.sum())
    return 2 * int((called & truth).sum()) / either if either else float("nan")


def _truth(window: Window, market: Market) -> Flags:
    known = window.rows(QUERIES / "wash_trading_truth.sql")["transaction_id"]
    truth: Flags = pc.is_in(market.table["transaction_id"], value_set=known.combine_chunks()).to_numpy()
    return truth
