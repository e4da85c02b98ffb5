"""Segments: which wallets are alike in what they buy and what they do with it?"""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.segments import WALLET_SEGMENTS

PERIOD_DAYS = 90
"""Of behaviour that a wallet is described by."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import segments_method

    return segments_method


WALLET_GROUPS = WindowModel(
    name="segments",
    title="Segments and personas of wallets",
    card=Card(
        purpose="Says which wallets are alike: three segments by value and frequency, five personas by behaviour, and which "
        "are unlike any other.",
        target="None: groups are found, not known.",
        learned_from="What wallets bought, resold and gave away in the last 90 days.",
        limits=(
            "Three and five are what was asked for; the report shows what the wallets themselves would ask for.",
            "Purchases before the 90 days are left out: a mark-up and a hold time need both ends within them.",
            "A person with several wallets is in as many groups.",
            "Unknown values count as those of the mean wallet.",
        ),
    ),
    baseline="equal shares of the wallets by total value",
    kind="K-means, DBSCAN",
    table=WALLET_SEGMENTS,
    method=_method,
    reads=("transactions",),
    whole=("events",),
    needs=("transactions",),
    learn_days=2 * PERIOD_DAYS,
    reach_days=PERIOD_DAYS - 1,
    scored=Scored.NEWEST,
    sources=(
        *sorted(Path(__file__).parent.glob("segments*.py")),
        QUERIES / "segments_wallets.sql",
    ),
)
