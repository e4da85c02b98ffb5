"""How a report says numbers, and its verdict in words."""

import math

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.learning.evaluated import AT_THRESHOLD, CARDS, COST, TOP, Comparison, Evaluation, Figure
from ticketintel_pipelines.learning.intervals import Difference, Measured
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION

TITLES = {
    "auc_roc": "AUC-ROC",
    "auc_pr": "AUC-PR (average precision)",
    "precision_at_90_recall": "Precision at 90 % recall",
    CARDS: f"Share of bad entities in the daily top {TOP}",
    "f1": "F1",
    "false_positive_rate": "False-positive rate",
    "detection": "Detection (recall)",
    "precision": "Precision",
    "brier": "Brier score",
    COST: "Cost a day",
}
SHARES = frozenset({"false_positive_rate", "detection"})
NONE = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals, grouped by thousands; a dash for none."""
    if value is None or math.isnan(value):
        return NONE
    return ("∞" if value > 0 else "−∞") if math.isinf(value) else f"{value:,.{digits}f}".replace("-", "−")


def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def share(value: float | None, digits: int = 1) -> str:
    return NONE if value is None or math.isnan(value) else f"{value:.{digits}%}".replace("%", "\u00a0%").replace("-", "−")


def said(name: str, value: float | None) -> str:
    """A figure the way its kind is said: shares in per cent, money without decimals, small scores with more."""
    if name in SHARES:
        return share(value, 2)
    return number(value, {COST: 0, "brier": 5}.get(name, 3))


def interval(name: str, figure: Measured | None) -> str:
    if figure is None or math.isnan(figure.low):
        return NONE
    return f"{said(name, figure.low)} to {said(name, figure.high)}"


def title(figure: Figure, operating_threshold: float) -> str:
    """The name of a line; of figures that were also taken elsewhere than at the operating threshold, with where."""
    elsewhere = figure.name in AT_THRESHOLD and figure.threshold != operating_threshold
    return TITLES[figure.name] + (f" at threshold {figure.threshold:g}" if elsewhere else "")


def day(number_of_day: int) -> str:
    """A day since 1970 UTC as a date."""
    return day_of(number_of_day).isoformat()


def chance(value: float) -> str:
    return NONE if math.isnan(value) else ("<\u00a00.01" if value < 0.01 else f"{value:.2f}")


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """What a reader should take away, a sentence or two at a time, the most important first."""
    said_first = [_performance(evaluation)]
    for name, words in ((CHAMPION, "the champion"), (BASELINE, f"the naive baseline ({evaluation.model.baseline} alone)")):
        other = evaluation.against(name)
        if other is not None:
            said_first.append(_against(other, words))
    if evaluation.against(CHAMPION) is None:
        said_first.append("There is no champion to compare with.")
    said_first += [one for one in (_targets(evaluation), _undetectable(evaluation)) if one]
    said_first += [_costs(evaluation), _calibration(evaluation)]
    return (*said_first, *_cautions(evaluation))


def _performance(evaluation: Evaluation) -> str:
    figure = evaluation.figure("auc_pr").measured
    first, last = day(int(evaluation.days[0])), day(int(evaluation.days[-1]))
    return (
        f"On {count(evaluation.rows)} rows of {len(evaluation.days)} days ({first} to {last}), {count(evaluation.positives)} "
        f"of them known positives ({share(evaluation.positive_share, 2)}), the average precision is {number(figure.value)} "
        f"(95 % interval {interval('auc_pr', figure)}); a random order would reach {number(evaluation.positive_share)}."
    )


def _against(other: Comparison, words: str) -> str:
    found: Difference = other.differences["auc_pr"]
    by = f"{number(found.value)} ({interval('auc_pr', found)}, p {chance(found.p_value)})"
    if math.isnan(found.low):
        return f"Against {words} the average precision differs by {number(found.value)}; one day of tests cannot say more."
    if found.low > 0:
        return f"The model is better than {words}: average precision differs by {by}."
    if found.high < 0:
        return f"The model is worse than {words}: average precision differs by {by}."
    return f"No difference from {words} is shown: average precision differs by {by}."


def _targets(evaluation: Evaluation) -> str:
    asked = [one for one in evaluation.figures if one.met is not None]
    if not asked:
        return ""
    missed = [title(one, evaluation.model.operating_threshold) for one in asked if not one.met]
    text = f"{len(asked) - len(missed)} of {len(asked)} targets are met"
    text += f"; not met: {', '.join(missed)}." if missed else "."
    return text + (
        " The targets cannot all hold together: see below the table of figures." if evaluation.contradictions else ""
    )


def _undetectable(evaluation: Evaluation) -> str:
    found = evaluation.undetectable
    if found is None:
        return ""
    ceiling = evaluation.figure("auc_pr").ceiling
    return (
        f"The data are simulated. {share(found.share)} of the positives ({count(found.hidden)} of {count(found.positives)}) "
        f"are undetectable by construction, and {count(found.unknown)} were not known as positive when the labels were read. "
        f"A perfect ranker would reach an average precision of {number(ceiling)} against the known labels."
    )


def _costs(evaluation: Evaluation) -> str:
    unit = evaluation.model.costs.unit
    threshold, best = evaluation.costs.best
    more = f", {share(evaluation.cost / best - 1, 0)} more than" if best > 0 else ", and"
    return (
        f"Stopping rows from {evaluation.model.operating_threshold:g} on would have cost {number(evaluation.cost, 0)} {unit} "
        f"on the test days{more} at the best threshold in hindsight ({number(threshold)}: {number(best, 0)} {unit}). "
        f"Stopping nothing would have cost {number(evaluation.costs.nothing_stopped, 0)} {unit}."
    )


def _calibration(evaluation: Evaluation) -> str:
    return (
        f"The mean score is {share(evaluation.mean_score, 2)}, the share of known positives "
        f"{share(evaluation.positive_share, 2)}; the Brier score is "
        f"{said('brier', evaluation.figure('brier').measured.value)}."
    )


def _cautions(evaluation: Evaluation) -> list[str]:
    found = []
    if evaluation.positives < evaluation.model.least_positives:
        found.append(
            f"Only {evaluation.positives} positives are among the test rows, fewer than the {evaluation.model.least_positives} "
            "that the model is declared with: take every figure with care."
        )
    worse = [f"{one.name} {one.group}" for one in evaluation.slices if one.worse]
    if worse:
        found.append(
            f"Slices that fall more than {evaluation.model.most_worse:g} below the champion in average precision: "
            f"{', '.join(worse)}."
        )
    return found
