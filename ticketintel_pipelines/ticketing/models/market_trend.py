"""Market trend: how many tickets will each event sell on each of the next seven days?"""

from pathlib import Path

from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.forecasting.series import REACH
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.forecasts import DEMAND_FORECASTS


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import market_trend_method

    return market_trend_method


MARKET_TREND = WindowModel(
    name="market_trend",
    title="Demand of the next seven days",
    card=Card(
        purpose="Says how many tickets each event will sell on each of the next seven days, so that stock, staff and marketing "
        "can be planned; an event far from its forecast is worth a look.",
        target="Tickets sold a day, first sales and resales together.",
        learned_from="Tickets sold by event and day, and the calendar: when events were announced, go on sale and start, and "
        "how many places they have.",
        limits=(
            "Nothing is forecast for days before the sale opens or after the event starts.",
            "The first day of a sale is guessed from the event's size: no demand has shown yet.",
            "Advertising, weather and other events of a city are not known to it.",
            "Intervals are those of single days: a week's total is surer than their sum.",
        ),
    ),
    baseline="last week's same day",
    kind="boosted counts beside a linear trend",
    table=DEMAND_FORECASTS,
    method=_method,
    reads=("transactions",),
    whole=("events",),
    needs=("transactions",),
    learn_days=90,
    reach_days=REACH,
    scored=Scored.NEWEST,
    sources=(
        *sorted(Path(__file__).parent.glob("market_trend*.py")),
        QUERIES / "market_trend_sales.sql",
        QUERIES / "market_trend_events.sql",
    ),
)
