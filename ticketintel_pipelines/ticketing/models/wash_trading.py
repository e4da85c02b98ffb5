"""Wash trading: which tickets are passed round to feign trade, by each published definition and by all together."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Learnt, compare_rankings
from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.examples import DAY, Flags, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.report_words import count
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.settings import Settings, as_json, from_json
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.learning.window_model import Scored, WindowModel
from ticketintel_pipelines.ticketing.models.wash_trading_market import TRANSFERS_SQL, TRUTH_SQL, VALUE_SQL, Known, Market
from ticketintel_pipelines.ticketing.models.wash_trading_report import (
    named_rows,
    overlap_section,
    places_between,
    prevalence_section,
    settings_section,
    truth_section,
)
from ticketintel_pipelines.ticketing.tables.wash_trading import WASH_TRADES

FILE = "wash_trading.json"
LEAST_SALES = 200
LEAST_DAYS = 6
TEST_SHARE = 1 / 3
BASELINES = {
    "a token that goes A→B→A within 30 days": (Definition.RETURN_TRIP,),
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
    """The rows of `WASH_TRADES` for the window's days."""
    market = Market.of(window)
    judged = market.judge(_loaded(files[FILE]))
    first, last = (_first_instant(day) // DAY for day in (window.days.first, window.days.last))
    return market.rows(judged, first, last)


def _first_instant(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY


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
    of = f"{count(int(later.sum()))} transactions between wallets from {_day(split)} to {_day(last - DAY)}"
    words = (
        "Nobody has said which trades were feigned: prevalence is reported by definition, and nothing is compared. Whether a "
        "definition is the right one cannot be told from the trades alone."
    )
    if window.has_truth:
        truth = _truth(window, market)
        sections.insert(0, truth_section(named, truth, later))
        comparisons = _comparisons(market, named, truth, later, of)
        words = (
            f"Hubs and custodians were read off what happened before {_day(split)}; the transactions of {of} were then called "
            "by the flags raised until the last of these days. F1 is that of transactions; whole days are resampled."
        )
    return Assessment(words, comparisons, sections=tuple(sections))


def _comparisons(
    market: Market, named: Mapping[Definition, Flags], truth: Flags, later: Flags, of: str
) -> tuple[Comparison, ...]:
    found = []
    for baseline, definitions in BASELINES.items():
        called = named[Definition.COMBINED]
        other = np.logical_or.reduce([named[one] for one in definitions])
        # What nobody calls and is nothing adds to no figure; all days are kept.
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
    known = window.rows(TRUTH_SQL)["transaction_id"]
    truth: Flags = pc.is_in(market.table["transaction_id"], value_set=known.combine_chunks()).to_numpy()
    return truth


def _day(at: int) -> str:
    return str(np.datetime64(at // DAY, "D"))


WASH_TRADING = WindowModel(
    name="wash_trading",
    title="Wash trading",
    card=Card(
        purpose="Shows trades that changed no owner in truth: tickets passed round in a ring, between wallets of one hand.",
        target="Transactions that the same people are on both sides of: known in a simulated world, and nowhere else.",
        learned_from="Ticket transactions of sixty days, and who funded whom where movements of value are at hand.",
        limits=(
            "Definitions differ, and so does what they find: a flag proves the pattern, not the intent.",
            "A token that comes back once at the price paid may be a refund; by itself it is no wash trade here.",
            "A ring that never closes a way is found only by its money, and not at all without movements of value.",
            "Only the first funder is looked at: money that takes one more step is not followed.",
            "Who meets again over a popular ticket by chance is told from a ring by how soon the same way is repeated; "
            "a patient ring is not found by that.",
        ),
    ),
    baseline=next(iter(BASELINES)),
    kind="graph rules",
    table=WASH_TRADES,
    learn=learn,
    score=score,
    reads=("transactions",),
    whole=("value_transfers",),
    needs=("transactions",),
    learn_days=90,
    reach_days=60,
    scored=Scored.EACH,
    sources=(*sorted(Path(__file__).parent.glob("wash_trading*.py")), TRANSFERS_SQL, VALUE_SQL, TRUTH_SQL),
)
