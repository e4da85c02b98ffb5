"""How bots are told from people: an outlier score of visits, and the fraud desk's verdicts that make it a probability."""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.learning.assessment import Assessment, Learnt
from ticketintel_pipelines.learning.behaviour.access_log import ACCESS_RULES
from ticketintel_pipelines.learning.behaviour.judging import (
    called_figures,
    compare_average_precision,
    measures_section,
    ranking_section,
    rules_section,
    score_section,
)
from ticketintel_pipelines.learning.behaviour.outliers import LABELS, OutlierModel, Outliers
from ticketintel_pipelines.learning.behaviour.rules import Judged, judge
from ticketintel_pipelines.learning.estimators_sklearn import IsolationForest
from ticketintel_pipelines.learning.examples import Flags, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.metrics import average_precision
from ticketintel_pipelines.learning.report_layout import Section
from ticketintel_pipelines.learning.report_words import count, day, number
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.bot_measures import BASELINE, MEASURES, Visits, visits_of
from ticketintel_pipelines.ticketing.models.queries import QUERIES

SHARE = 0.005
"""Of visits assumed to be bots' where the fraud desk has named too few to calibrate by."""
LEAST_VISITS, LEAST_DAYS = 1_000, 4
TEST_SHARE = 1 / 3
VISIT_RULES = tuple(
    rule
    for rule in ACCESS_RULES
    # An API is written to without a page being read first, and a visit has one client: the other rules are for web pages.
    if rule.name in ("many_requests_a_minute", "automated_agent", "even_intervals", "mostly_errors")
)
METRONOME = ("evenness", "gap_order")
FOREST = IsolationForest(trees=100)
MODEL = OutlierModel(tuple(MEASURES), SHARE, FOREST)
NAMES = ("bots", "people")


def learn(window: Window, seed: int) -> Learnt:
    """An isolation forest over measures of visits, its score made a probability by the fraud desk's verdicts.

    Raises:
        TooFewExamplesError: too few visits made a request, or on too few days.
    """
    visits = visits_of(window)
    days = np.unique(visits.day[np.unique(visits.visit)])
    if visits.rows.num_rows < LEAST_VISITS or len(days) < LEAST_DAYS:
        raise TooFewExamplesError(
            f"{visits.rows.num_rows} visits on {len(days)} days with requests are too few to learn what is usual: at least "
            f"{LEAST_VISITS} on {LEAST_DAYS} days are needed"
        )
    labels = _named(window, visits, int(days[-1]) + 1)
    learnt = MODEL.fit(visits.features, labels, seed)
    return Learnt(learnt.dump(), _assessed(window, visits, days, seed), visits.rows.num_rows)


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The rows of `bot_scores` for the visits that began on the window's days."""
    model, visits = Outliers.load(files), visits_of(window)
    probability = model.probability(visits.features)
    is_bot, judged = probability >= model.threshold, _judged(visits)
    notable = is_bot | judged.fired.any(axis=1)
    return pa.table(
        {
            "session_id": visits.rows["session_id"],
            "started_at": visits.rows["started_at"],
            "user_id": visits.rows["user_id"],
            "bot_probability": pa.array(probability),
            "is_bot": pa.array(is_bot),
            "rules_fired": pa.array([json.dumps(judged.names(row)) for row in range(visits.rows.num_rows)], pa.string()),
            "top_features": pa.array(model.reasons(visits.features, notable, MEASURES), pa.string()),
        }
    )


def _assessed(window: Window, visits: Visits, days: Integers, seed: int) -> Assessment:
    """Learned on the earlier days with the verdicts known by then, judged on the last days."""
    first = int(days[-max(1, round(len(days) * TEST_SHARE))])
    earlier, later = visits.day < first, visits.day >= first
    named = _named(window, visits, first)[earlier]
    model = MODEL.fit(visits.features[earlier], named, seed)
    scores, rate = model.probability(visits.features[later]), visits.column(BASELINE)[later]
    called, group, judged = scores >= model.threshold, visits.day[later], _judged(visits).taken(later)
    by = (
        f"Its score became a probability by beta calibration on {count(int(named.sum()))} visits of accounts that the fraud "
        "desk had named as bots by then, and its threshold is the one with the best F1 on them."
        if model.calibrated_by == LABELS
        else f"The fraud desk had named only {int(named.sum())} such visits by then: the probability is the rank of the "
        f"outlier score, scaled to an assumed share of {SHARE:.1%}, and not calibrated."
    )
    of = f"{count(int(later.sum()))} visits from {day(first)} to {day(int(days[-1]))}"
    words = f"Learned from {count(int(earlier.sum()))} visits before {day(first)} and judged on {of}. {by}"
    if not window.has_truth:
        what = f"{words} Who is a bot in truth is not known here, so that nothing is compared."
        sections = (
            score_section((), scores, None, NAMES, model.threshold),
            measures_section(MEASURES, visits.features[later], None, NAMES),
            rules_section(judged, None, "bots", ("On the same visits.",)),
        )
        return Assessment(what, sections=sections)
    truth = _accounts(window, visits, "bot_truth.sql")[later]
    if not truth.any():
        return Assessment(f"{words} No bot visited on these days, so that nothing is compared.")
    hidden = window.rows(QUERIES / "hidden_truth.sql", label="bot", from_day=day_of(first)).to_pylist()[0]
    words += (
        f" In truth {count(int(truth.sum()))} of these visits are those of accounts that a bot runs; every visit of such an "
        f"account counts as its, ordering or not. Of the {count(hidden['transactions'])} transactions of bots on these days "
        f"{count(hidden['hidden'])} are hidden: nothing that can be observed sets them apart."
    )
    compared = compare_average_precision("requests per minute of the visit", of, truth, scores, rate, group)
    return Assessment(
        words,
        (compared,),
        {"average_precision": compared.model, **called_figures(truth, called, group)},
        (
            score_section((), scores, truth, NAMES, model.threshold),
            ranking_section((), truth, {"isolation forest": scores, "requests per minute": rate, "rules": judged.score}),
            measures_section(MEASURES, visits.features[later], truth, NAMES),
            rules_section(judged, truth, "bots", ("On the same visits, by the truth of the simulated world.",)),
            _without_metronome(visits, earlier, later, named, truth, scores, seed),
        ),
    )


def _without_metronome(
    visits: Visits, earlier: Flags, later: Flags, named: Integers, truth: Integers, scores: np.ndarray, seed: int
) -> Section:
    """How much rests on the one thing that simulated bots do and cautious ones would not."""
    kept = [place for place, name in enumerate(MEASURES) if name not in METRONOME]
    names = tuple(name for name in MEASURES if name not in METRONOME)
    less = OutlierModel(names, SHARE, FOREST).fit(visits.features[earlier][:, kept], named, seed)
    found = average_precision(truth, less.probability(visits.features[later][:, kept]))
    return Section(
        "Without the evenness of intervals",
        (
            "The bots of the simulated world ask at exactly even intervals, which a bot that wants to pass for a person would "
            f"not do. Learned again without {' and '.join(METRONOME)}, the average precision is {number(found)} instead of "
            f"{number(average_precision(truth, scores))}.",
        ),
    )


def _named(window: Window, visits: Visits, until: int) -> Integers:
    """1 for the visits of accounts that the fraud desk had named as bots before a day began."""
    known = window.rows(QUERIES / "bot_accounts.sql", known_before=day_of(until))
    return _among(visits, known)


def _accounts(window: Window, visits: Visits, query: str) -> Integers:
    return _among(visits, window.rows(QUERIES / query))


def _among(visits: Visits, accounts: pa.Table) -> Integers:
    wanted = set(accounts["user_id"].to_pylist())
    return np.array([user in wanted for user in visits.rows["user_id"].to_pylist()], dtype=np.int64)


def _judged(visits: Visits) -> Judged:
    """The rules on the visits; one without requests breaks none."""
    return judge(VISIT_RULES, visits.requests, visits.visit, visits.rows.num_rows)
