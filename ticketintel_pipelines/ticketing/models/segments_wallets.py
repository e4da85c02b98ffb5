"""Wallets as segments describe them: what each did in the 90 days up to a day's end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.learning.examples import Floats, Texts
from ticketintel_pipelines.learning.segmenting.grouping import Grouping
from ticketintel_pipelines.learning.segmenting.scaling import Trait
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.segments import PERIOD_DAYS

VALUE = Trait("value_eth", "low amounts", "high amounts", "ETH", logarithmic=True, offset=0.01)
TRADES = Trait("trades", "few trades", "many trades", logarithmic=True, offset=0.1)
SEGMENTS = Grouping("segment", "S", 3, (VALUE, TRADES))
PERSONAS = Grouping(
    "persona",
    "P",
    5,
    (
        VALUE,
        TRADES,
        Trait("recency_days", "recently active", "long inactive", "days", logarithmic=True, offset=0.5),
        Trait("ticket_price_eth", "cheap tickets", "dear tickets", "ETH", logarithmic=True, offset=0.001),
        Trait("resale_share", "few resales", "many resales"),
        Trait("markup_ratio", "low mark-ups", "high mark-ups", logarithmic=True, offset=0.01),
        Trait("hold_days", "short holding", "long holding", "days", logarithmic=True, offset=0.1),
        Trait("tickets_per_event", "few tickets an event", "many tickets an event", logarithmic=True, offset=0.0),
        Trait("categories", "few kinds of event", "many kinds of event", logarithmic=True, offset=0.0),
        Trait("lead_days", "late purchases", "early purchases", "days", logarithmic=True, offset=0.1),
        Trait("opening_share", "seldom at openings of sales", "often at openings of sales"),
        Trait("gifts_per_trade", "few gifts", "many gifts", logarithmic=True, offset=0.1),
    ),
)
GROUPINGS = (SEGMENTS, PERSONAS)


@dataclass(frozen=True)
class Snapshot:
    """n wallets at the end of a day, with the values of each trait by name."""

    keys: Texts
    columns: Mapping[str, Floats]
    table: pa.Table

    def __len__(self) -> int:
        return len(self.keys)


def snapshot(window: Window, last_day: date, days: int = PERIOD_DAYS) -> Snapshot:
    """What wallets did in so many days up to the end of a day."""
    until = last_day + timedelta(days=1)
    rows = window.rows(QUERIES / "segments_wallets.sql", from_day=until - timedelta(days=days), until_day=until)
    columns = {trait.name: rows[trait.name].fill_null(np.nan).to_numpy().astype(np.float64) for trait in PERSONAS.traits}
    return Snapshot(np.array(rows["wallet_address"].to_pylist(), dtype=object), columns, rows)
