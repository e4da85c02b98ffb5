"""The band rule: which figures of the market and of its events are not what they lately were?"""

from pathlib import Path

from ticketintel_pipelines.learning.bands.baseline import BASELINE
from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.window_model import Method, Scored, WindowModel
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.stream_verdicts import STREAM_VERDICTS

REACH_DAYS = 28
"""As far as the longest band looks back."""


def _method() -> Method:
    from ticketintel_pipelines.ticketing.models import stream_bands_method

    return stream_bands_method


STREAM_BANDS = WindowModel(
    name="stream_bands",
    title="Band rule on figures of the market",
    card=Card(
        purpose="Says of each hour's and each day's sales, resale price and volume whether it is what the stream lately was.",
        target="Spikes and drops. Nobody says which figures were wrong: the bands are chosen, and judged, by anomalies planted "
        "into the real streams.",
        learned_from="Sales and resale prices of each event by the hour, and of the whole market by the hour and by the day.",
        limits=(
            "A band knows of the hour of the day only where those of the same hour were found to do better, and nothing of the "
            "day of the week.",
            "The first values of a stream are not judged; an event whose sale has just opened has none before.",
            "An anomaly widens the bands of the values after it until it has left them.",
            "An anomaly is a figure to look at, with no reason given.",
        ),
    ),
    baseline=BASELINE,
    kind="Bollinger bands",
    table=STREAM_VERDICTS,
    method=_method,
    whole=("transactions", "events"),
    needs=("transactions",),
    learn_days=90,
    reach_days=REACH_DAYS,
    scored=Scored.EACH,
    sources=(*sorted(Path(__file__).parent.glob("stream_bands*.py")), QUERIES / "stream_bands_streams.sql"),
)
