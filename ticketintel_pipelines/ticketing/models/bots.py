"""Bots: which visits of the shop a program makes, by how regular, fast and shared they are."""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.bots import BOT_SCORES

SHARING_DAYS = 2
"""Sharing is counted over the day and the one before it."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import bots_method

    return bots_method


BOTS = WindowModel(
    name="bots",
    title="Bots among the visits",
    card=Card(
        purpose="Tells which visits of the shop a program made, so that their orders can be held back and their accounts "
        "looked at.",
        target="The visit is one of an account that a bot runs.",
        learned_from="Visits with their requests and orders, without labels; verdicts of the fraud desk make a probability of "
        "the outlier score.",
        limits=(
            "A visit is judged at the end of the day on which it began: nothing is stopped while it goes on.",
            "The desk names some bots, and late: the probability is that of being named, and below that of being one.",
            "The bots of the simulated world keep even intervals; see how much rests on that in the report.",
            "Verdicts name accounts: visits of an account's owner before a bot used it count as the bot's.",
            "The rules on forms and agents hold for web pages; of an API's requests only rates, intervals, errors and names "
            "are judged.",
        ),
    ),
    baseline="requests per minute of the visit",
    kind="isolation forest and written rules",
    table=BOT_SCORES,
    method=_method,
    reads=("sessions", "api_requests", "orders", "transactions", "fraud_reviews"),
    whole=("events",),
    needs=("sessions", "api_requests"),
    reach_days=SHARING_DAYS - 1,
    scored=Scored.EACH,
    sources=(
        *sorted(Path(__file__).parent.glob("bot*.py")),
        *(QUERIES / f"bot_{name}.sql" for name in ("sessions", "requests", "orders", "accounts")),
    ),
)
