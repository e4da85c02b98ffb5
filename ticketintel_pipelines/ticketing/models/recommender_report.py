"""What the report on the recommender shows beside its comparisons."""

from collections.abc import Mapping

import numpy as np

from ticketintel_pipelines.learning.recommending.assessing import (
    BASELINES,
    MODEL,
    NDCG,
    RECALL,
    SAME_FOR_ALL,
    Judged,
    by_itself,
)
from ticketintel_pipelines.learning.recommending.recommender import WITH_HISTORY, WITHOUT_HISTORY, Recommender
from ticketintel_pipelines.learning.recommending.signals import POPULARITY
from ticketintel_pipelines.learning.report_layout import Grid, Section

SIGNAL_WORDS: Mapping[str, str] = {
    "popularity": "wallets that bought it, recent ones first",
    "price_level": "face value",
    "places_left": "places that are left",
    "days_on_sale": "days since the sale opened",
    "days_to_start": "days until doors open",
    "category": "category like those bought",
    "city": "city of events bought",
    "country": "country of events bought",
    "home_city": "city from which the account visits",
    "home_country": "country from which the account visits",
    "price": "price like those bought",
    "time": "hour and weekday like those bought",
    "neighbours": "item neighbours: who bought the same events",
    "factors": "factors of users and events (ALS)",
}


def sections(judged: Judged, recommender: Recommender, bought: int, judged_purchases: int) -> tuple[Section, ...]:
    """`bought` counts all purchases of the test days, `judged_purchases` those of events that could be recommended."""
    return (_rankings(judged, bought, judged_purchases), _weights(recommender))


def _rankings(judged: Judged, bought: int, judged_purchases: int) -> Section:
    with_history, without = judged.has_history, ~judged.has_history

    def cells(name: str, shown: str) -> list[str]:
        everybody = np.ones(len(with_history), dtype=bool)
        parts = (judged.recall[name], everybody), *((judged.ndcg[name], one) for one in (everybody, with_history, without))
        means = (f"{values[rows].mean():.3f}" if rows.any() else "–" for values, rows in parts)
        return [shown, *means, f"{judged.coverage[name]:.0%}"]

    names = [MODEL, *BASELINES, SAME_FOR_ALL]
    rows = [cells(name, name) for name in names]
    rows += [cells(by_itself(name), by_itself(SIGNAL_WORDS.get(name, name))) for name in judged.signals if name != POPULARITY]
    share = judged_purchases / bought if bought else float("nan")
    header = ("ranked by", RECALL, NDCG, f"{NDCG}, bought before", f"{NDCG}, never bought", "events shown")
    return Section(
        "What ranks well",
        (
            f"{int(with_history.sum()):,} lists of wallets that had bought before and {int(without.sum()):,} of wallets that "
            f"had not, of {min(judged.offered)} to {max(judged.offered)} events on offer: where they are few, a list "
            "of ten holds many of them by chance. “Events shown” is the share of the events on offer that stand in anybody's "
            "list.",
            f"Only {judged_purchases:,} of {bought:,} purchases of these days ({share:.0%}) could be recommended at all the "
            "evening before: the others are of events whose sale had not opened yet, resales of sold-out events, or by wallets "
            "that nobody had seen.",
            f"“{SAME_FOR_ALL[0].upper()}{SAME_FOR_ALL[1:]}” gives everybody the same order by the same weights: what the blend "
            "gains over it is what is known of tastes and homes.",
        ),
        (Grid(header, rows),),
    )


def _weights(recommender: Recommender) -> Section:
    settings = recommender.settings
    rows = [
        [SIGNAL_WORDS.get(name, name), f"{weight:+.3f}".replace("-", "−"), f"{cold:+.3f}".replace("-", "−")]
        for name, weight in recommender.weights[WITH_HISTORY].items()
        for cold in (recommender.weights[WITHOUT_HISTORY][name],)
    ]
    nearest = "all" if settings.neighbours >= 1_000_000 else f"{settings.neighbours}"
    return Section(
        "What weighs how much",
        (
            "Log odds for each unit of a signal: a cosine, or one spread over the events on offer. Learned on the days before "
            "those it was judged on.",
            f"Tuned on the same days: half-life of popularity {settings.half_life_days:g} days; {nearest} neighbours, shrunk "
            f"by {settings.shrink:g}; {settings.factors} factors, regularisation {settings.regularization:g}.",
        ),
        (Grid(("signal", "bought before", "never bought"), rows),),
    )
