"""How the recommender learns what each signal weighs, is judged by the next day's purchases, and fills its lists."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.arrow_types import arrow_schema
from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Learnt
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.recommending.assessing import MODEL, NDCG, SAME_FOR_ALL, compare, judge
from ticketintel_pipelines.learning.recommending.known import Trial
from ticketintel_pipelines.learning.recommending.ranking import NONE
from ticketintel_pipelines.learning.recommending.recommender import FILE, Recommender, learn_recommender
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.recommender_facts import Facts
from ticketintel_pipelines.ticketing.models.recommender_report import sections
from ticketintel_pipelines.ticketing.models.recommender_words import explain
from ticketintel_pipelines.ticketing.tables.recommendations import MOST_RECOMMENDED, RECOMMENDATIONS

TEST_DAYS = 7
"""At most so many days are judged on, and as many before them are tuned and weighed on."""
LEAST_TEST_DAYS = 2
LEAST_LISTS = 100
"""Lists of which something was bought, in the tuning days and in the test days each."""


def learn(window: Window, seed: int) -> Learnt:
    """Tune and weigh on earlier days, judge on the last ones, then tune and weigh on both.

    Raises:
        TooFewExamplesError: there are too few days, or too few purchases of events that could have been recommended.
    """
    facts = Facts.read(window)
    days = [day for day in window.days.days if facts.purchases_on(day)]
    count = min(TEST_DAYS, len(days) // 4)
    if count < LEAST_TEST_DAYS:
        raise TooFewExamplesError(
            f"the recommender needs purchases on at least {4 * LEAST_TEST_DAYS} days, the window has {len(days)}"
        )
    judged_days = days[-2 * count :]
    # Each is the evening before a day with purchases.
    trials = [facts.trial(day - timedelta(days=1)) for day in judged_days]
    for words, part in (("to tune on", trials[:count]), ("to judge by", trials[count:])):
        lists = sum(len(trial.rows) for trial in part)
        if lists < LEAST_LISTS:
            raise TooFewExamplesError(
                f"{count} days {words} have {lists} wallets that bought an event that was on sale the evening before; "
                f"at least {LEAST_LISTS} are needed"
            )
    assessment = _assess(facts, trials, count, judged_days, seed)
    final = learn_recommender(trials, seed)
    return Learnt({FILE: final.dump()}, assessment, len(facts.buyer))


def _assess(facts: Facts, trials: Sequence[Trial], count: int, judged_days: Sequence[date], seed: int) -> Assessment:
    tried = learn_recommender(trials[:count], seed)
    judged = judge(tried, trials[count:])
    test = judged_days[count:]
    wallets = np.concatenate(
        [facts.at_end_of(day - timedelta(days=1)).wallets[trial.rows] for day, trial in zip(test, trials[count:], strict=True)]
    )
    comparisons = compare(judged, wallets, lambda lists: f"{lists:,} lists of wallets, {test[0]} to {test[-1]}")
    bought = sum(facts.purchases_on(day) for day in test)
    found = int(sum(trial.relevant.sum() for trial in trials[count:]))
    first = comparisons[0]
    verdict = "beats" if first.beats else "loses to" if first.loses else "does not beat"
    return Assessment(
        words=f"Each evening from {test[0] - timedelta(days=1)} on, ten events were recommended to every wallet known by then, "
        "and judged by what it bought on the next day of the events on offer, those it had before left out. Settings and "
        f"weights come from the {count} days before. Intervals draw whole wallets. The stronger baseline decides: on these "
        f"days it is {first.baseline}, which the blend {verdict}. " + _taste(comparisons),
        comparisons=comparisons,
        figures={
            "recall_at_10": comparisons[1].model,
            "ndcg_at_10": first.model,
            "coverage": Measured(judged.coverage[MODEL]),
            "recommendable_share": Measured(found / bought if bought else float("nan")),
        },
        sections=sections(judged, tried, bought, found),
    )


def _taste(comparisons: Sequence[Comparison]) -> str:
    """Whether knowing the person helped, beside one good order for everybody."""
    (found,) = (one for one in comparisons if one.baseline == SAME_FOR_ALL and one.figure == NDCG)
    gain = f"{found.apart.value:+.4f} ({found.apart.low:+.4f} to {found.apart.high:+.4f})".replace("-", "−")
    told = "it helps to know the person" if found.beats else "that knowing the person helps cannot be told from these days"
    return f"Against the same order for everybody it gains {gain} of {NDCG}: {told}."


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The list of every wallet that was lately active, for each day of the window."""
    recommender = Recommender.load(files[FILE])
    facts = Facts.read(window)
    schema = arrow_schema(column for column in RECOMMENDATIONS.columns if column.name not in ("scored_at", "model_version"))
    tables = []
    for day in window.days.days:
        snapshot = facts.at_end_of(day)
        prepared = recommender.prepare(snapshot.known)
        chosen, scores = prepared.top(snapshot.active, MOST_RECOMMENDED)
        there = chosen != NONE
        rows = np.broadcast_to(snapshot.active[:, None], chosen.shape)[there]
        rank = np.broadcast_to(np.arange(1, MOST_RECOMMENDED + 1), chosen.shape)[there]
        source, reason = explain(snapshot, prepared, rows, chosen[there])
        begins = datetime.combine(day, time(), UTC)
        items = snapshot.known.candidates[chosen[there]]
        columns = {
            "day": pa.array([begins], schema.field("day").type).take(pa.array(np.zeros(len(rows), np.int64))),
            "wallet_address": pa.array(snapshot.wallets.tolist(), pa.string()).take(pa.array(rows)),
            "rank": pa.array(rank),
            "event_id": pa.array(snapshot.events["event_id"].tolist(), pa.string()).take(pa.array(items)),
            # What lies below is no meaning of a 32-bit product.
            "score": pa.array(np.round(scores[there].astype(np.float64), 5)),
            "source": source,
            "reason": reason,
        }
        tables.append(pa.table(columns).cast(schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()
