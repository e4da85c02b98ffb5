"""Fair price: what should a resale have cost, by what was known before it, and between which bounds?

Seller and buyer are left out on purpose. A scalper's prices are high, and a model that knew the seller would call them fair.
"""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.prices import FAIR_PRICES

USUAL = "median earlier price of the event"
REACH_DAYS = 30
"""An event is sold for days or weeks. On a collection that is sold for years, prices of half a year ago are no better."""
COMPARED_DAYS = 8
"""How far before an earlier sale the prices go that it is compared with."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import fair_price_method

    return fair_price_method


FAIR_PRICE = WindowModel(
    name="fair_price",
    title="Fair price of resales",
    card=Card(
        purpose="Says what each resale should have cost and within which bounds, so that a price can be called high or low.",
        target="The logarithm of the price paid, in ETH: the one unit that every market states.",
        learned_from="Resales with a price; face value, earlier prices of the event, its tier and the token, the event's "
        "demand and time to its start, all known strictly before the sale.",
        limits=(
            "Primary sales go at face value and are not priced.",
            "It says what is usual: where a whole event is resold dear, dear is fair.",
            "Wash trades are prices, too: they pull the usual price of a quiet market.",
            "On a market that rises or falls fast, the interval covers less than it says.",
        ),
    ),
    baseline=USUAL,
    kind="linear regression and boosted quantiles",
    table=FAIR_PRICES,
    method=_method,
    reads=("transactions",),
    whole=("events", "tickets"),
    features={"features": "features"},
    needs=("transactions",),
    learn_days=90,
    reach_days=REACH_DAYS + COMPARED_DAYS,
    held_back_days=7,
    scored=Scored.UNSEEN,
    sources=(*sorted(Path(__file__).parent.glob("fair_price*.py")), QUERIES / "fair_price_sales.sql"),
)
