"""The report on a model over windows: what it is for, whether it beats its baseline, and what it found."""

import math
from collections.abc import Sequence

from ticketintel_pipelines.learning.assessment import Assessment, Comparison
from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.report_layout import Grid, Section, page
from ticketintel_pipelines.learning.report_words import NONE, number
from ticketintel_pipelines.learning.window_model import WindowModel

HEADER = ("Figure", "Model", "95 % interval", "Baseline", "Its value", "Better by", "95 % interval", "Beats it", "Of")


def render_assessment(model: WindowModel, assessment: Assessment, additions: Sequence[Section] = ()) -> str:
    """The page as HTML; the same assessment and additions give the same bytes."""
    sections = [_comparisons(assessment), *assessment.sections, *additions, _card(model)]
    return page(model.title, model.card.purpose, verdict(model, assessment), sections, model.name, model.kind)


def verdict(model: WindowModel, assessment: Assessment) -> tuple[str, ...]:
    """What a reader should take away, the most important first."""
    if not assessment.comparisons:
        return (f"Not judged against its baseline ({model.baseline}): nothing is known to judge by.", assessment.words)
    return (*(in_words(one) for one in assessment.comparisons), assessment.words)


def in_words(one: Comparison) -> str:
    """Whether a baseline was beaten, in a sentence."""
    figures = f"{number(one.model.value)} against {number(one.other.value)} in {one.figure}, of {one.of}"
    if one.loses:
        behind = Measured(-one.apart.value, -one.apart.high, -one.apart.low)
        return f"It is worse than the baseline {one.baseline}: {figures}; worse by {_with_interval(behind)}."
    if math.isnan(one.apart.low):
        return f"It cannot be told from the baseline {one.baseline}: {figures}; there is too little to draw an interval from."
    apart = f"better by {_with_interval(one.apart)}"
    if one.beats:
        return f"It beats the baseline {one.baseline}: {figures}; {apart}."
    return f"It does not beat the baseline {one.baseline}: {figures}; {apart}, which does not exclude zero."


def summary(model: WindowModel, assessment: Assessment) -> str:
    """The verdict and the comparisons as Markdown, for the metadata of a run."""
    grid = _comparisons(assessment).grids
    lines = [verdict(model, assessment)[0]]
    if grid:
        lines += ["", f"| {' | '.join(grid[0].header)} |", "|" + "---|" * len(grid[0].header)]
        lines += [f"| {' | '.join(row)} |" for row in grid[0].rows]
    return "\n".join(lines)


def _comparisons(assessment: Assessment) -> Section:
    title = "Against its baselines"
    if not assessment.comparisons:
        return Section(title, ("There is nothing to compare by; see the verdict.",))
    rows = [
        (
            one.figure,
            number(one.model.value),
            _interval(one.model),
            one.baseline,
            number(one.other.value),
            number(one.apart.value),
            _interval(one.apart),
            "yes" if one.beats else "no",
            one.of,
        )
        for one in assessment.comparisons
    ]
    lower = [one.figure for one in assessment.comparisons if not one.higher_is_better]
    words = ["The first line decides whether a version is promoted. Intervals are made by drawing whole groups anew."]
    if lower:
        words.append(f"Lower is better: {', '.join(dict.fromkeys(lower))}.")
    return Section(title, words, (Grid(HEADER, rows),))


def _card(model: WindowModel) -> Section:
    limits = [(one,) for one in model.card.limits]
    words = (f"Target: {model.card.target}", f"Learned from: {model.card.learned_from}")
    return Section("What it is, and is not", words, (Grid(("Limits",), limits),) if limits else ())


def _with_interval(figure: Measured) -> str:
    return f"{number(figure.value)} (95 % interval {_interval(figure)})"


def _interval(figure: Measured) -> str:
    return NONE if figure.low != figure.low else f"{number(figure.low)} to {number(figure.high)}"
