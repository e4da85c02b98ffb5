"""What a wallet did with tickets in the 30 days up to a day on which it traded, and the written rules of scalping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.behaviour.measures import largest, median, medians, share
from ticketintel_pipelines.learning.behaviour.rules import Judged, Rule, judge
from ticketintel_pipelines.learning.columns import codes_of, floats_of
from ticketintel_pipelines.learning.examples import DAY, Features, Floats, Integers
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.scalping import TRAILING_DAYS

if TYPE_CHECKING:
    from ticketintel_pipelines.learning.window import Window

ON_SALE_S = 600.0
"""Goods that sell out are bought in the first ten minutes."""
LEAST_PRICE_ETH = 1e-6
"""A sale for less is a gift in the form of a sale: on CryptoPunks some are made for a single wei."""
RULES = (
    Rule(
        "bulk_at_on_sale",
        "bought many tickets of one event as its sale opened",
        largest("event", "is_at_on_sale"),
        4,
        "shops commonly sell four to a person: all that one may have, within ten minutes",
        weight=2.0,
    ),
    Rule(
        "mark_up",
        "resold well above what it had paid",
        median("mark_up"),
        1.25,
        "fees of a tenth on both sides are earned back at 1.2; from 1.25 on the median ticket makes a profit",
        least_rows=2,
    ),
    Rule(
        "short_hold",
        "resold within a day of buying",
        median("hold_hours"),
        24,
        "whose plans change finds out later than the next day, as a rule",
        at_most=True,
        least_rows=2,
    ),
    Rule(
        "mostly_resold",
        "resold most of what it bought",
        share("is_resold", among="is_bought"),
        0.5,
        "who buys to attend keeps most tickets; half of four or more is no spare seat",
        least_rows=4,
        weight=2.0,
    ),
)
PROVED_BY_PURCHASES = ("bulk_at_on_sale",)
"""The others are proved by purchases and sales."""
BOUGHT, SOLD = "bought_id", "sold_id"
MEASURES: Mapping[str, str] = {
    "bought": "tickets bought in 30 days",
    "sold": "tickets sold in 30 days",
    "bought_at_on_sale": "most tickets of one event bought within ten minutes of its sale opening",
    "at_on_sale_share": "share of the tickets that were bought within ten minutes of a sale opening",
    "fastest_on_sale": "log10 of the seconds from the opening of a sale to the soonest purchase",
    "tickets_an_order": "tickets bought, per chain transaction",
    "events": "different events bought for",
    "price_eth": "median price paid for a ticket",
    "mark_up": "median of price got over price paid, of tickets resold",
    "hold_hours": "median hours from purchase to sale",
    "share_resold": "share of the tickets bought that were resold",
}
BASELINE = "bought"


@dataclass(frozen=True)
class WalletDays:
    """n wallets each on a day on which it traded, with measures (n, m), the rules on them, and r tickets behind them."""

    day: Integers
    """Days since 1970 UTC, (n,)."""
    wallet: pa.Array
    features: Features
    judged: Judged
    trips: pa.Table
    """The tickets, (r,)."""

    def column(self, name: str) -> Floats:
        """A measure by name, NaN where unknown."""
        found: Floats = self.features[:, list(MEASURES).index(name)].astype(np.float64)
        return found

    def evidence(self) -> list[dict[str, list[str]]]:
        """The transactions that prove each rule that fired, for each wallet and day."""
        ids = {name: self.trips[name].to_pylist() for name in (BOUGHT, SOLD)}

        def shown(rule: str, places: list[int]) -> list[str]:
            columns = (BOUGHT,) if rule in PROVED_BY_PURCHASES else (BOUGHT, SOLD)
            return list(dict.fromkeys(one for place in places for name in columns if (one := ids[name][place]) is not None))

        return [{rule: shown(rule, places) for rule, places in proofs.items()} for proofs in self.judged.evidence()]


def wallet_days(window: "Window") -> WalletDays:
    """Every wallet on every day of the window on which it bought or sold."""
    trips = window.rows(QUERIES / "scalping_trips.sql", trailing_days=TRAILING_DAYS, least_price_eth=LEAST_PRICE_ETH)
    day = pc.cast(trips["day"], pa.int64()).to_numpy() // DAY
    wallet = trips["wallet_address"].combine_chunks()
    # Trips come in order of day and wallet.
    wallet_code = codes_of(wallet)
    begins = np.r_[True, (np.diff(day) != 0) | (np.diff(wallet_code) != 0)][: len(day)]
    subject = np.cumsum(begins).astype(np.int64) - 1
    subjects = int(begins.sum())
    rows = _rows(trips)
    judged = judge(RULES, rows, subject, subjects)
    firsts = np.flatnonzero(begins)
    return WalletDays(day[firsts], wallet.take(pa.array(firsts)), _features(rows, judged, subject, subjects), judged, trips)


def _rows(trips: pa.Table) -> dict[str, np.ndarray]:
    since = floats_of(trips["seconds_since_on_sale"])
    kind = trips["bought_kind"].combine_chunks()
    return {
        "is_bought": pc.is_valid(trips[BOUGHT].combine_chunks()).to_numpy(zero_copy_only=False),
        "is_resold": trips["is_resold"].to_numpy(),
        "is_at_on_sale": pc.equal(kind, "primary_sale").fill_null(False).to_numpy(zero_copy_only=False)
        & (np.nan_to_num(since, nan=-1.0) >= 0)
        & (since < ON_SALE_S),
        "event": codes_of(trips["event_id"]),
        "order": codes_of(trips["bought_hash"]),
        "since": since,
        "bought_eth": floats_of(trips["bought_eth"]),
        "mark_up": floats_of(trips["mark_up"]),
        "hold_hours": floats_of(trips["hold_hours"]),
    }


def _features(rows: Mapping[str, np.ndarray], judged: Judged, subject: Integers, subjects: int) -> Features:
    bought = rows["is_bought"]

    def counted(flags: np.ndarray) -> Floats:
        return np.bincount(subject[flags], minlength=subjects).astype(np.float64)

    def different(codes: np.ndarray) -> Floats:
        known = bought & (codes >= 0)
        pairs = np.unique(np.column_stack([subject[known], codes[known]]), axis=0)
        return np.bincount(pairs[:, 0], minlength=subjects).astype(np.float64)

    def middle(name: str) -> Floats:
        known = ~np.isnan(rows[name])
        return medians(rows[name][known], subject[known], subjects)

    soonest = np.full(subjects, np.inf)
    primary = rows["since"] >= 0
    np.minimum.at(soonest, subject[primary], rows["since"][primary])
    largest_lot = judged.values[:, [rule.name for rule in judged.rules].index("bulk_at_on_sale")]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "bought": counted(bought),
            "sold": counted(rows["is_resold"]),
            "bought_at_on_sale": largest_lot,
            "at_on_sale_share": counted(rows["is_at_on_sale"]) / counted(bought),
            "fastest_on_sale": np.where(np.isfinite(soonest), np.log10(np.maximum(soonest, 1.0)), np.nan),
            "tickets_an_order": counted(bought) / different(rows["order"]),
            "events": different(rows["event"]),
            "price_eth": middle("bought_eth"),
            "mark_up": middle("mark_up"),
            "hold_hours": middle("hold_hours"),
            "share_resold": counted(bought & rows["is_resold"]) / counted(bought),
        }
    return np.column_stack([found[name] for name in MEASURES]).astype(np.float32)
