"""Scalping: which wallets buy tickets to sell them, by written rules and a model on top of them."""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.scalping import SCALPING_SCORES

TRAILING_DAYS = 30
"""Of trade that a wallet is judged by, up to the day."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import scalping_method

    return scalping_method


SCALPING = WindowModel(
    name="scalping",
    title="Scalping by wallets",
    card=Card(
        purpose="Shows which wallets buy tickets to sell them dearer, with the rules that they break and the transactions that "
        "prove it.",
        target="The wallet is a scalper's.",
        learned_from="What each wallet bought and sold in 30 days, and verdicts of the fraud desk; written rules where there "
        "are too few.",
        limits=(
            "A scalper with many wallets shows in none of them as one: wallets are judged one by one.",
            "On the day of the purchase only its size and haste are known; what was resold follows.",
            "Mark-ups compare prices in ETH: while its rate moves much, they hold its gains and losses as well.",
            "Without the platform's events it is not known when a sale opened, and the rule on it never fires.",
            "The desk names some scalpers only: those it missed are learned as honest.",
            "Simulated scalpers order four at a time, just what the rule on bulk asks for: its recall says little of others.",
            "Days that a version has learned from are scored by it as well, and look better than they would unseen.",
        ),
    ),
    baseline="tickets bought in 30 days",
    kind="written rules and boosted trees over them",
    table=SCALPING_SCORES,
    method=_method,
    reads=("transactions", "fraud_reviews"),
    whole=("events",),
    needs=("transactions",),
    reach_days=TRAILING_DAYS - 1,
    scored=Scored.EACH,
    sources=(
        *sorted(Path(__file__).parent.glob("scalping*.py")),
        *(QUERIES / f"scalping_{name}.sql" for name in ("trips", "verdicts")),
    ),
)
