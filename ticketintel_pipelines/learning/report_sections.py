"""The parts of a report, from an evaluation: words, tables and pictures."""

from collections.abc import Sequence

from ticketintel_pipelines.learning import report_pictures as pictures
from ticketintel_pipelines.learning.breakdowns import SMALL_POSITIVES
from ticketintel_pipelines.learning.evaluated import CARDS, COST, TOP, Comparison, Evaluation
from ticketintel_pipelines.learning.report_layout import Addition, Grid, Section
from ticketintel_pipelines.learning.report_words import NONE, TITLES, chance, count, interval, number, said, share, title
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION

COMPARED = ("auc_roc", "auc_pr", "precision_at_90_recall", CARDS, "f1", "brier", COST)
CEILING_NOTES = (
    "Ceilings against the truth, with V visible and H undetectable positives and N honest rows: AUC-ROC 1 − H / 2(V+H); "
    "AUC-PR (V + H/(H+N) · Σ over j = 1…H+N of (V + 1 + (j−1)(H−1)/(H+N−1)) / (V + j)) / (V + H); detection V / (V+H); F1 "
    "2V / (2V+H); Brier score H·N / ((H+N)(V+H+N)). They are expectations, which a ranker can pass somewhat by luck.",
    "Against known labels, visible positives that nobody reported count as false alarms of the perfect ranker too. Its "
    "detection, precision, F1 and false-positive rate belong together, where it calls just the visible ones: calling more "
    "or fewer can pass one of them at the expense of another.",
)
DIFFERENCES = ("auc_pr", "auc_roc", CARDS, "brier", COST)


def sections(evaluation: Evaluation, additions: Sequence[Addition]) -> list[Section]:
    """The page in the order in which a sceptic reads; the caller's tables come before what was excluded."""
    return [
        _figures(evaluation),
        _comparison(evaluation),
        _costs(evaluation),
        _calibration(evaluation),
        _importances(evaluation),
        _slices(evaluation),
        *(_addition(one) for one in additions),
        _excluded(evaluation),
        _data(evaluation),
    ]


def _figures(evaluation: Evaluation) -> Section:
    simulated = any(one.truth is not None for one in evaluation.figures)
    header = ["Figure", "Value", "95 % interval", "Target", "Met"]
    header += ["Ceiling", "Against the truth", "95 % interval", "Ceiling"] if simulated else []
    rows = []
    for one in evaluation.figures:
        row = [title(one, evaluation.model.operating_threshold), said(one.name, one.measured.value)]
        row += [interval(one.name, one.measured), said(one.name, one.target), {None: NONE, True: "yes", False: "no"}[one.met]]
        if simulated:
            row += [said(one.name, one.ceiling), said(one.name, None if one.truth is None else one.truth.value)]
            row += [interval(one.name, one.truth), said(one.name, one.truth_ceiling)]
        rows.append(row)
    words = [
        f"All from one table of test rows; those that need a threshold at {evaluation.model.operating_threshold:g} unless "
        f"another is named. Intervals: {count(evaluation.resamples)} resamples of the {len(evaluation.days)} whole days.",
        f"In the daily top {TOP}, {count(evaluation.entities_found)} different bad entities were found over all days, each "
        "once.",
    ]
    notes = list(evaluation.contradictions)
    if evaluation.undetectable is not None:
        hidden = share(evaluation.undetectable.share)
        words.append(
            f"{hidden} of the simulated positives are undetectable by construction. A ceiling is what a perfect ranker is "
            "expected to reach, which puts every other positive first and those in random order among the honest rows."
        )
        notes += CEILING_NOTES
    confusion, model = evaluation.confusion, evaluation.model
    matrix = Grid(
        (f"At threshold {model.operating_threshold:g}", "Called positive", "Let through"),
        (
            ("Known positives", count(confusion.true_positives), count(confusion.false_negatives)),
            ("Others", count(confusion.false_positives), count(confusion.true_negatives)),
        ),
    )
    shown = {name: curve for name, curve in evaluation.curves.items() if name in (model.name, CHAMPION, BASELINE)}
    roc = pictures.roc_picture(shown), "ROC curve. Dotted: chance."
    trade = (
        pictures.precision_recall_picture(shown, evaluation.positive_share),
        "Precision and recall. Dotted: share of positives.",
    )
    return Section("Figures", words, (Grid(header, rows, notes), matrix), (roc, trade))


def _comparison(evaluation: Evaluation) -> Section:
    own = {one.name: one.measured for one in reversed(evaluation.figures)}
    rows = [["this model", *(said(name, own[name].value) for name in COMPARED)]]
    others = sorted(evaluation.comparisons, key=lambda one: {CHAMPION: 0, BASELINE: 1}.get(one.name, 2))
    for other in others:
        values = (other.figures.get(name) for name in COMPARED)
        cells = (said(name, None if one is None else one.value) for name, one in zip(COMPARED, values, strict=True))
        rows.append([other.name, *cells])
    apart = [row for other in others for row in _apart(other)]
    words = (
        "Every contender scored the same rows. A difference is this model's figure minus the other's, on the same resamples "
        "of days; p is the two-sided chance of so large a difference where there is none. The baseline is one feature used "
        "as a score; it has no figures that need a probability.",
    )
    differences = Grid(("Against", "Figure", "Difference", "95 % interval", "p"), apart)
    return Section(
        "Against champion, baseline and candidates", words, (Grid(("", *(TITLES[one] for one in COMPARED)), rows), differences)
    )


def _apart(other: Comparison) -> list[list[str]]:
    kept = [(name, other.differences[name]) for name in DIFFERENCES if name in other.differences]
    if other.name not in (CHAMPION, BASELINE):
        kept = kept[:1]
    return [[other.name, TITLES[name], said(name, one.value), interval(name, one), chance(one.p_value)] for name, one in kept]


def _costs(evaluation: Evaluation) -> Section:
    costs, unit = evaluation.model.costs, evaluation.model.costs.unit
    threshold, best = evaluation.costs.best
    rows = [
        [
            band.decision.name,
            band.decision.words,
            f"{band.decision.at_least:g} and more"
            if band.below == float("inf")
            else f"{band.decision.at_least:g} to {band.below:g}",
            count(band.rows),
            share(band.rows / evaluation.rows, 2),
            count(band.positives),
            share(band.precision),
            number(band.amount, 0),
            number(band.cost, 0),
        ]
        for band in evaluation.bands
    ]
    header = ("Decision", "What is done", "Score", "Rows", "Of all", "Positives", "Precision", f"Amount of positives ({unit})")
    words = (
        f"A missed positive costs {share(costs.missed_share, 0)} of its amount, a false alarm {number(costs.false_alarm, 2)} "
        f"{unit}. At the operating threshold {evaluation.model.operating_threshold:g} the test days would have cost "
        f"{number(evaluation.cost, 0)} {unit}; at the best threshold in hindsight, {number(threshold)}, {number(best, 0)} "
        f"{unit}; with nothing stopped, {number(evaluation.costs.nothing_stopped, 0)} {unit}.",
    )
    grid = Grid((*header, f"Cost of stopping from here on ({unit})"), rows)
    picture = pictures.cost_picture(evaluation.costs, evaluation.model.operating_threshold, evaluation.cost, unit)
    return Section("Costs and decisions", words, (grid,), ((picture, "What each threshold would have cost."),))


def _calibration(evaluation: Evaluation) -> Section:
    rows = [
        [
            count(one.rows),
            count(one.positives),
            number(one.score, 5),
            number(one.share.value, 5),
            f"{number(one.share.low, 5)} to {number(one.share.high, 5)}",
        ]
        for one in evaluation.calibration
    ]
    words = ("Rows between quantiles of the score, finer towards the top. A calibrated score says the share of positives.",)
    grid = Grid(("Rows", "Positives", "Mean score", "Share of positives", "95 % interval"), rows)
    picture = pictures.calibration_picture(evaluation.calibration), "Dotted: score and share agree. Bars: 95 % intervals."
    return Section("Calibration", words, (grid,), (picture,))


def _importances(evaluation: Evaluation) -> Section:
    if not evaluation.importances:
        return Section("Importances", ("This kind of model cannot say how much each feature contributed.",))
    meaning = {column.name: column.description for column in evaluation.model.features}
    whole = sum(weight for _, weight in evaluation.importances) or 1.0
    shown = evaluation.importances[: pictures.MOST_BARS]
    rows = [[name, number(weight), share(weight / whole), meaning.get(name, "")] for name, weight in shown]
    words = ["Mean absolute contribution of each feature to a test row's log odds, by the model's own attribution."]
    if len(evaluation.importances) > len(shown):
        words.append(f"The {len(shown)} heaviest of {len(evaluation.importances)} features.")
    grid = Grid(("Feature", "Contribution", "Of all", "Meaning"), rows)
    return Section("Importances", words, (grid,), ((pictures.importance_picture(evaluation.importances), ""),))


def _slices(evaluation: Evaluation) -> Section:
    rows = [
        [
            one.name,
            one.group,
            count(one.rows),
            count(one.positives),
            number(one.average_precision.value),
            interval("auc_pr", one.average_precision),
            number(one.champion),
            share(one.precision),
            share(one.detection),
            "few positives" if one.small else ("worse than agreed" if one.worse else ""),
        ]
        for one in evaluation.slices
    ]
    header = ("Slice", "Group", "Rows", "Positives", "AUC-PR", "95 % interval", "Champion", "Precision", "Detection", "Note")
    grids = [Grid(header, rows, ("Precision and detection at the operating threshold.",))] if rows else []
    if evaluation.kinds:
        kinds = [
            [one.name, count(one.rows), share(one.hidden / one.rows), share(one.known / one.rows), share(one.detection)]
            for one in evaluation.kinds
        ]
        grids.append(Grid(("Kind of positive", "Rows", "Undetectable", "Known", "Detection"), kinds))
    words = (
        f"Groups with fewer than {SMALL_POSITIVES} known positives are marked: their figures say little. A group is worse "
        f"than agreed where its average precision falls more than {evaluation.model.most_worse:g} below the champion's.",
    )
    return Section("Slices", words if grids else ("The examples name no groups.",), grids)


def _addition(addition: Addition) -> Section:
    heading, header, rows, words = addition
    cells = [[number(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return Section(heading, (words,) if words else (), (Grid(header, cells),))


def _excluded(evaluation: Evaluation) -> Section:
    whole = evaluation.removed + evaluation.rows
    words = (
        f"{count(evaluation.removed)} of {count(whole)} rows of the test days ({share(evaluation.removed / whole)}) were "
        "left out: their entity was known as bad when their day began, and is dealt with without a model.",
    )
    rows = [[name, reason] for name, reason in evaluation.model.excluded.items()]
    return Section("What was excluded", words, (Grid(("Column left out", "Reason"), rows),) if rows else ())


def _data(evaluation: Evaluation) -> Section:
    model, card = evaluation.model, evaluation.model.card
    words = [f"Predicted: {card.target}", f"Learned from: {card.learned_from}"]
    split = model.split
    words.append(
        f"Each fold learns from at most {split.train_days} days, leaves {split.delay_days} days for labels to arrive, and is "
        f"tested on the {split.test_days} days that follow; labels are those known {split.settle_days} days after the last "
        "test day."
    )
    words += [f"Limit: {one}" for one in card.limits]
    rows = [
        [
            str(one.number),
            count(one.trained_rows),
            count(one.trained_positives),
            count(one.rows),
            count(one.positives),
            number(one.auc_roc),
            number(one.average_precision),
        ]
        for one in evaluation.folds
    ]
    header = ("Fold", "Rows learned from", "Positives", "Rows tested", "Positives", "AUC-ROC", "AUC-PR")
    return Section("Data and limits", words, (Grid(header, rows),))
