"""Wash trading: which tickets are passed round to feign trade, by each published definition and by all together."""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.wash_trading import WASH_TRADES

BASELINE = "a token that goes A→B→A within 30 days"


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import wash_trading_method

    return wash_trading_method


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
    baseline=BASELINE,
    kind="graph rules",
    table=WASH_TRADES,
    method=_method,
    reads=("transactions",),
    whole=("value_transfers",),
    needs=("transactions",),
    learn_days=90,
    reach_days=60,
    scored=Scored.EACH,
    sources=(
        *sorted(Path(__file__).parent.glob("wash_trading*.py")),
        *(QUERIES / f"wash_trading_{name}.sql" for name in ("transfers", "value", "truth")),
    ),
)
