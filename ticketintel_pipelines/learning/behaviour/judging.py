"""How scores and rules of behaviour are judged: average precision against a baseline, and each rule by itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketintel_pipelines.learning.assessment import SEED, Comparison
from ticketintel_pipelines.learning.behaviour.rules import Judged
from ticketintel_pipelines.learning.breakdowns import curve_of
from ticketintel_pipelines.learning.examples import Features, Flags, Floats, Integers
from ticketintel_pipelines.learning.intervals import Measured, count_days, difference, figures, measured, once, resampled_days
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.learning.report_pictures import LEGEND, OTHERS, OURS, drawn, precision_recall_picture
from ticketintel_pipelines.learning.report_words import NONE, count, number, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AVERAGE_PRECISION = "average precision"
BINS = 40


def compare_average_precision(
    baseline: str, of: str, labels: Integers, model: Floats, other: Floats, groups: Integers
) -> Comparison:
    """Average precision of two scorings (n,) of the same rows, with intervals by drawing whole groups (n,)."""
    values = np.unique(groups)
    weights = resampled_days(len(values), SEED)
    counted = [count_days(labels, scores, groups, values, 0.5) for scores in (model, other)]
    whole = [float(figures(one, once(len(values)))["auc_pr"][0]) for one in counted]
    again = [figures(one, weights)["auc_pr"] for one in counted]
    return Comparison(
        AVERAGE_PRECISION,
        baseline,
        of,
        measured(whole[0], again[0], len(values)),
        measured(whole[1], again[1], len(values)),
        difference(whole[0] - whole[1], again[0] - again[1], len(values)),
    )


def called_figures(labels: Integers, called: Flags, groups: Integers) -> dict[str, Measured]:
    """Precision and recall of what is called positive, with intervals by drawing whole groups (n,)."""
    values = np.unique(groups)
    weights = resampled_days(len(values), SEED)
    counted = count_days(labels, called.astype(np.float64), groups, values, 0.5)
    whole, again = figures(counted, once(len(values))), figures(counted, weights)
    names = {"precision": "precision", "recall": "detection"}
    return {name: measured(float(whole[key][0]), again[key], len(values)) for name, key in names.items()}


def score_section(
    words: Sequence[str], scores: Floats, labels: Integers | None, names: tuple[str, str], threshold: float
) -> Section:
    """How scores are distributed; `names` are those of positives and of all others, `labels` None where none are known."""

    def draw(axes: "Axes") -> None:
        edges = np.linspace(0, 1, BINS + 1).tolist()
        parts: list[tuple[Any, str, str]] = [(scores, "all", OURS)]
        if labels is not None:
            parts = [(scores[labels == 0], names[1], OTHERS[1]), (scores[labels == 1], names[0], OURS)]
        for values, name, colour in parts:
            axes.hist(values, edges, label=name, color=colour, alpha=0.75)
        axes.axvline(threshold, color="#b3261e", linewidth=1.2)
        axes.set(yscale="log", xlabel="Score", ylabel="Rows (logarithmic)", xlim=(0, 1))
        axes.legend(**LEGEND)

    caption = f"Distribution of the scores; the line is the threshold {threshold:g}."
    return Section("Scores", words, pictures=((drawn(draw), caption),))


def ranking_section(words: Sequence[str], labels: Integers, scorings: Mapping[str, Floats]) -> Section:
    """Precision over recall of several scorings by name, ours first."""
    picture = precision_recall_picture(
        {name: curve_of(labels, scores) for name, scores in scorings.items()}, float(labels.mean())
    )
    return Section("Precision and recall", words, pictures=((picture, "The dotted line is the share of positives."),))


def measures_section(words: Mapping[str, str], features: Features, labels: Integers | None, names: tuple[str, str]) -> Section:
    """The measures (n, m), in the order of their `words`, as medians of positives and of all others, or of all."""
    groups = {f"of {names[0]}": labels == 1, f"of {names[1]}": labels == 0} if labels is not None else {"median": ...}
    header = ["measure", "what it is", *groups]
    rows = []
    for place, (name, meaning) in enumerate(words.items()):
        values = [features[group, place].astype(np.float64) for group in groups.values()]
        rows.append(
            [name, meaning, *(number(float(np.median(known))) if len(known := v[~np.isnan(v)]) else NONE for v in values)]
        )
    said = (
        "Medians, over the rows in which a measure is known." if labels is not None else "Over the rows in which it is known."
    )
    return Section("What was measured", (said,), (Grid(header, rows),))


def rules_section(judged: Judged, labels: Integers | None, positives: str, words: Sequence[str] = ()) -> Section:
    """What each rule says, how often it fired, and how often rightly where the truth is known."""
    header = ["rule", "fires for who", "threshold", "why", "fired"]
    header += [f"of these {positives}", f"share of all {positives}"] if labels is not None else []
    rows = []
    for place, rule in enumerate(judged.rules):
        fired = judged.fired[:, place]
        row = [rule.name, rule.words, rule.condition, rule.reason, count(int(fired.sum()))]
        if labels is not None:
            row += _rightly(fired, labels)
        rows.append(row)
    return Section("Written rules", words, (Grid(header, rows), _together(judged, labels, positives)))


def _together(judged: Judged, labels: Integers | None, positives: str) -> Grid:
    """How many rules fire at once."""
    header = ["rules at once", "fired", *([f"of these {positives}", f"share of all {positives}"] if labels is not None else [])]
    fired, rows = judged.fired.sum(axis=1), []
    for least in range(1, len(judged.rules) + 1):
        several = fired >= least
        row = [f"at least {least}", count(int(several.sum()))]
        if labels is not None:
            row += _rightly(several, labels)
        rows.append(row)
    return Grid(header, rows)


def _rightly(fired: Flags, labels: Integers) -> list[str]:
    """Precision and recall in words."""
    right = int(labels[fired].sum())
    return [
        share(right / float(fired.sum())) if fired.any() else NONE,
        share(right / float(labels.sum())) if labels.any() else NONE,
    ]
