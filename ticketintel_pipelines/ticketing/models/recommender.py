"""The recommender: which events on sale are shown to whom."""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.recommendations import RECOMMENDATIONS

HISTORY_DAYS = 90
"""How far back purchases count."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import recommender_method

    return recommender_method


RECOMMENDER = WindowModel(
    name="recommender",
    title="Recommended events",
    card=Card(
        purpose="Fills the ten places of “for you” in the shop and in the weekly mail, each with a reason that can be shown.",
        target="The wallet buys the event on the next day, in a primary sale or a resale.",
        learned_from=f"Purchases of the last {HISTORY_DAYS} days, attributes of events, and the city near which an account "
        "visits from. What each of them weighs was learned from which of the events on offer were bought.",
        limits=(
            "Only events whose sale is open are recommended. Most purchases follow the opening of a sale within hours, and no "
            "list of the evening before can hold them.",
            "A wallet is taken for a person: who uses several has several lists.",
            "Resales of sold-out events are not recommended, since what is listed for resale is not recorded.",
            "Where an account visits from decides on places: a traveller is shown the events of where they have been.",
        ),
    ),
    baseline="the stronger of popularity and tuned item-kNN",
    kind="blend of content, neighbours and ALS",
    table=RECOMMENDATIONS,
    method=_method,
    reads=("transactions", "sessions"),
    whole=("events", "users"),
    needs=("transactions", "events"),
    learn_days=30,
    reach_days=HISTORY_DAYS,
    held_back_days=0,
    scored=Scored.NEWEST,
    sources=(
        *sorted(Path(__file__).parent.glob("recommender*.py")),
        *sorted(QUERIES.glob("recommender_*.sql")),
    ),
)
