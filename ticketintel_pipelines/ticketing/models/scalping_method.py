"""How scalpers are told: written rules, and boosted trees over them where the fraud desk has named enough."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.learning.assessment import Assessment, Comparison, Learnt
from ticketintel_pipelines.learning.behaviour.judging import (
    called_figures,
    compare_average_precision,
    measures_section,
    ranking_section,
    rules_section,
    score_section,
)
from ticketintel_pipelines.learning.estimators import FittedXGBoost, XGBoost
from ticketintel_pipelines.learning.examples import DAY, Features, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.report_words import count, day
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.scalping_measures import (
    BASELINE,
    MEASURES,
    RULES,
    WalletDays,
    wallet_days,
)

ESTIMATOR = XGBoost(trees=150, depth=3, rate=0.05, rows=0.7, columns=0.5)
"""Shallow and slow: some dozens of positives are all there is to learn from."""
LEAST_LABELS = 10
LEAST_WALLET_DAYS, LEAST_DAYS = 200, 4
TEST_SHARE = 1 / 3
THRESHOLD = 0.5
RULES_THRESHOLD = 1.0
"""Without a model, a wallet is called a scalper if every rule fires: by itself each is broken by many honest owners."""
ON_SALE_RULE = "bulk_at_on_sale"
FILE = "scalping.json"
NAMES = ("scalpers", "others")


@dataclass(frozen=True)
class Scorer:
    """Scores wallets on days: a booster over measures and rules, or (`booster` None) the rules' weight alone.

    `rules` are those that the market's data can judge.
    """

    booster: FittedXGBoost | None
    rules: tuple[str, ...]

    @property
    def threshold(self) -> float:
        return THRESHOLD if self.booster else RULES_THRESHOLD

    def scores(self, found: WalletDays) -> Floats:
        """Scores (n,) between 0 and 1."""
        if self.booster is None:
            return found.judged.score_of(self.rules)
        return np.clip(self.booster.predict(_features(found)), 0.0, 1.0)

    def dump(self) -> dict[str, bytes]:
        kept = json.dumps({"by": "model" if self.booster else "rules", "rules": self.rules})
        return {FILE: kept.encode(), **(self.booster.dump() if self.booster else {})}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "Scorer":
        """The scorer of a dump."""
        kept = json.loads(files[FILE])
        return cls(FittedXGBoost.load(files) if kept["by"] == "model" else None, tuple(kept["rules"]))


def learn(window: Window, seed: int) -> Learnt:
    """A model over the rules where the fraud desk has named enough scalpers, else the rules themselves.

    Raises:
        TooFewExamplesError: too few wallets traded, or on too few days.
    """
    found = wallet_days(window)
    days = np.unique(found.day)
    if len(found.day) < LEAST_WALLET_DAYS or len(days) < LEAST_DAYS:
        raise TooFewExamplesError(
            f"{len(found.day)} wallets and days of trade on {len(days)} days are too few to tell scalpers by: at least "
            f"{LEAST_WALLET_DAYS} on {LEAST_DAYS} days are needed"
        )
    first = int(days[-max(1, round(len(days) * TEST_SHARE))])
    earlier = found.day < first
    named = _named(window, found, first)
    # Without events nobody knows when a sale opened.
    rules = tuple(rule.name for rule in RULES if rule.name != ON_SALE_RULE or "events" not in window.empty)
    tested = scorer = Scorer(None, rules)
    if int(named[earlier].sum()) >= LEAST_LABELS:
        features, everything = _features(found), _named(window, found, int(days[-1]) + 1)
        tested = Scorer(ESTIMATOR.fit(features[earlier], named[earlier], seed), rules)
        scorer = Scorer(ESTIMATOR.fit(features, everything, seed), rules)
    return Learnt(scorer.dump(), _assessed(window, found, tested, named, first), len(found.day))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The rows of `scalping_scores` for the window's days."""
    scorer, found = Scorer.load(files), wallet_days(window)
    scores = scorer.scores(found)
    return pa.table(
        {
            "day": pa.array(found.day * DAY, pa.timestamp("us", tz="UTC")),
            "wallet_address": found.wallet,
            "scalping_score": pa.array(scores),
            "is_scalper": pa.array(scores >= scorer.threshold),
            "rules_fired": pa.array([json.dumps(found.judged.names(row)) for row in range(len(scores))], pa.string()),
            "evidence": pa.array([json.dumps(one) for one in found.evidence()], pa.string()),
            "tickets_bought": pa.array(found.column("bought").astype(np.int64)),
            "bought_at_on_sale": pa.array(found.column("bought_at_on_sale").astype(np.int64)),
            **{name: pa.array(found.column(name), from_pandas=True) for name in ("mark_up", "hold_hours", "share_resold")},
        }
    )


def _features(found: WalletDays) -> Features:
    """The measures, what the rules weigh together, and each rule, (n, m)."""
    return np.column_stack([found.features, found.judged.score, found.judged.fired]).astype(np.float32)


def _named(window: Window, found: WalletDays, until: int) -> Integers:
    """1 for wallets that the fraud desk had named as scalpers before a day began, on all their days."""
    verdicts = window.rows(QUERIES / "scalping_verdicts.sql", known_before=day_of(until))
    return _among(found, verdicts)


def _among(found: WalletDays, wallets: pa.Table) -> Integers:
    wanted = set(wallets["wallet_address"].to_pylist())
    return np.array([wallet in wanted for wallet in found.wallet.to_pylist()], dtype=np.int64)


def _assessed(window: Window, found: WalletDays, scorer: Scorer, named: Integers, first: int) -> Assessment:
    """What was learned before a day, judged from it on; `named` (n,) are the wallets that were named before it."""
    later = found.day >= first
    fresh, named = named[later] == 0, named[~later]
    scores, judged, days = scorer.scores(found)[later], found.judged.taken(later), found.day[later]
    of = f"{count(int(later.sum()))} wallets and days from {day(first)} to {day(int(days.max()))}"
    words = (
        f"Learned from {count(len(named))} wallets and days before {day(first)}, {count(int(named.sum()))} of them of wallets "
        f"that the fraud desk had named by then, and judged on {of}."
        if scorer.booster
        else f"The fraud desk had named scalpers on only {int(named.sum())} wallets and days before {day(first)}, fewer than "
        f"{LEAST_LABELS}: the score is the share of the rules' weight that fired, looked at on {of}."
    )
    if not window.has_truth:
        return Assessment(
            f"{words} Who is a scalper in truth is not known here, so that nothing is compared.",
            sections=(
                score_section((), scores, None, NAMES, scorer.threshold),
                measures_section(MEASURES, found.features[later], None, NAMES),
                rules_section(judged, None, NAMES[0], (f"On the {of}.",)),
            ),
        )
    truth = _among(found, window.rows(QUERIES / "scalping_truth.sql"))[later]
    if not truth.any():
        return Assessment(f"{words} No scalper traded on these days, so that nothing is compared.")
    hidden = window.rows(QUERIES / "hidden_truth.sql", label="scalping", from_day=day_of(first)).to_pylist()[0]
    words += (
        f" In truth {count(int(truth.sum()))} of them are scalpers'; every day on which a scalper's wallet trades counts. Of "
        f"the {count(hidden['transactions'])} scalping transactions on these days {count(hidden['hidden'])} are hidden: "
        "nothing that can be observed sets them apart."
    )
    bought, resold = found.column(BASELINE)[later], np.nan_to_num(found.column("share_resold")[later])
    others = {"tickets bought in 30 days": bought, "share resold": resold}
    if scorer.booster:
        others["written rules alone"] = judged.score
    comparisons: tuple[Comparison, ...] = tuple(
        compare_average_precision(name, of, truth, scores, values, days) for name, values in others.items()
    )
    if scorer.booster and truth[fresh].any() and not fresh.all():
        # A wallet trades on both sides of the split, and one that was learned by its name may be known again.
        of_fresh = f"{count(int(fresh.sum()))} of them, of wallets that nobody had named before {day(first)}"
        parts = (truth[fresh], scores[fresh], bought[fresh], days[fresh])
        comparisons += (compare_average_precision("tickets bought in 30 days", of_fresh, *parts),)
    ours = {"model over the rules" if scorer.booster else "written rules": scores}
    return Assessment(
        words,
        comparisons,
        {"average_precision": comparisons[0].model, **called_figures(truth, scores >= scorer.threshold, days)},
        (
            score_section((), scores, truth, NAMES, scorer.threshold),
            ranking_section(("Intervals above are by drawing whole days.",), truth, ours | others),
            measures_section(MEASURES, found.features[later], truth, NAMES),
            rules_section(judged, truth, NAMES[0], (f"On the {of}, by the truth of the simulated world.",)),
        ),
    )
