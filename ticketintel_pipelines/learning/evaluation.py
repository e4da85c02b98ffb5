"""Evaluation: everything that can be said of a model, from the one table of its tested rows.

The same resamples of whole days give every interval and every paired difference.
"""

from collections.abc import Mapping

import numpy as np

from ticketintel_pipelines.learning.breakdowns import calibration_of, curve_of, folds_of, kinds_of, slices_of
from ticketintel_pipelines.learning.ceilings import ceilings, contradictions
from ticketintel_pipelines.learning.costs import bands, cost_curve, row_costs
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.evaluated import (
    AT_THRESHOLD,
    CARDS,
    COST,
    FIGURES,
    RANKING,
    TOP,
    Comparison,
    Evaluation,
    Figure,
    Undetectable,
)
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.intervals import (
    RESAMPLES,
    Measured,
    count_days,
    difference,
    entities_found,
    figures,
    measured,
    once,
    resampled_days,
)
from ticketintel_pipelines.learning.metrics import confusion
from ticketintel_pipelines.learning.tested import BASELINE, Tested

__all__ = ["Evaluation", "evaluate"]


def evaluate(model: Model, tested: Tested, resamples: int = RESAMPLES) -> Evaluation:
    """Everything that the table says of the model.

    Raises:
        TooFewExamplesError: the test rows hold no positive, or nothing but positives.
        ValueError: a score is missing or infinite.
    """
    labels, examples = tested.labels, tested.examples
    if labels.min(initial=1) == labels.max(initial=0):
        raise TooFewExamplesError(
            f"{model.name}: {len(labels)} test rows with {int(labels.sum())} positives are none to judge by"
        )
    for name, scores in {model.name: tested.scores, **tested.contenders}.items():
        if not np.isfinite(scores).all():
            raise ValueError(f"{name}: {int((~np.isfinite(scores)).sum())} of {len(scores)} test rows have no finite score")
    table = _Table(model, tested, resamples)
    own = table.figures_of(labels, tested.scores, model.operating_threshold)
    curve = cost_curve(labels, tested.scores, examples.amount, model.costs)
    return Evaluation(
        model=model,
        days=table.days,
        rows=len(labels),
        positives=int(labels.sum()),
        figures=tuple(table.lines(own)),
        confusion=confusion(labels, tested.scores, model.operating_threshold),
        entities_found=round(float(own[CARDS][0]) * TOP * len(table.days)),
        comparisons=tuple(table.compared(name, scores, own) for name, scores in tested.contenders.items()),
        contradictions=contradictions(model.targets),
        costs=curve,
        cost=float(row_costs(labels, tested.scores, examples.amount, model.costs, model.operating_threshold).sum()),
        bands=bands(labels, tested.scores, examples.amount, model.costs, model.decisions),
        calibration=calibration_of(labels, examples, tested.scores, table.days, table.weights),
        mean_score=float(tested.scores.mean()),
        curves={name: curve_of(labels, scores) for name, scores in {model.name: tested.scores, **tested.contenders}.items()},
        importances=_importances(model, tested),
        slices=slices_of(model, tested, table.days, table.weights),
        kinds=kinds_of(tested, model.operating_threshold),
        folds=folds_of(tested),
        undetectable=_undetectable(tested),
        removed=tested.removed,
        resamples=resamples,
    )


class _Table:
    """The tested rows with the resamples of their days; row 0 of `weights` is the table itself."""

    def __init__(self, model: Model, tested: Tested, resamples: int) -> None:
        self.model, self.tested = model, tested
        self.days = np.unique(tested.examples.day)
        self.weights = np.vstack([once(len(self.days)), resampled_days(len(self.days), model.seed, resamples)])

    def figures_of(self, labels: Integers, scores: Floats, threshold: float) -> dict[str, Floats]:
        """Each figure (1 + K,): of the table, then of its resamples."""
        examples = self.tested.examples
        found = entities_found(labels, scores, examples.entity, examples.day, self.days, TOP)
        paid = row_costs(labels, scores, examples.amount, self.model.costs, threshold)
        cost = np.bincount(np.searchsorted(self.days, examples.day), weights=paid, minlength=len(self.days)).astype(np.float64)
        counts = count_days(labels, scores, examples.day, self.days, threshold, {CARDS: found / TOP, COST: cost})
        return figures(counts, self.weights)

    def measured(self, values: Floats) -> Measured:
        return measured(float(values[0]), values[1:], len(self.days))

    def lines(self, own: dict[str, Floats]) -> list[Figure]:
        """The table of figures: at the operating threshold, and at the targets' own one where that is another."""
        operating, targets = self.model.operating_threshold, self.model.targets
        asked = operating if targets.threshold is None else targets.threshold
        comparable = {name: value for name, value in targets.figures.items() if asked == operating or name not in AT_THRESHOLD}
        found = self._lines(own, FIGURES, operating, comparable)
        if asked != operating:
            there = self.figures_of(self.tested.labels, self.tested.scores, asked)
            found += self._lines(there, AT_THRESHOLD, asked, targets.figures)
        return found

    def _lines(
        self, values: dict[str, Floats], names: tuple[str, ...], threshold: float, targets: Mapping[str, float]
    ) -> list[Figure]:
        truth, scores = self.tested.examples.truth, self.tested.scores
        true = None if truth is None or not truth.any() else self.figures_of(truth, scores, threshold)
        ceiling = self._ceilings(self.tested.labels)
        true_ceiling = {} if truth is None else self._ceilings(truth)
        return [
            Figure(
                name,
                threshold if name in (*AT_THRESHOLD, COST) else None,
                self.measured(values[name]),
                targets.get(name),
                ceiling.get(name),
                None if true is None else self.measured(true[name]),
                true_ceiling.get(name),
            )
            for name in names
        ]

    def _ceilings(self, labels: Integers) -> dict[str, float]:
        """What a perfect ranker reaches on these rows, where a simulator says which positives are hidden."""
        visible, examples = _visible(self.tested), self.tested.examples
        if visible is None:
            return {}
        found = ceilings(labels, visible)
        # One draw of the order in which a perfect ranker lists rows that it cannot tell apart.
        ranks = visible + np.random.default_rng(self.model.seed).random(len(labels)) / 2
        listed = entities_found(labels, ranks, examples.entity, examples.day, self.days, TOP)
        return found | {CARDS: float(listed.mean()) / TOP}

    def compared(self, name: str, scores: Floats, own: dict[str, Floats]) -> Comparison:
        """A contender's figures on the same rows and the same resamples, beside the model's own."""
        theirs = self.figures_of(self.tested.labels, scores, self.model.operating_threshold)
        names = RANKING if name == BASELINE else FIGURES
        return Comparison(
            name,
            {one: self.measured(theirs[one]) for one in names},
            {
                one: difference(float(own[one][0] - theirs[one][0]), own[one][1:] - theirs[one][1:], len(self.days))
                for one in names
            },
        )


def _visible(tested: Tested) -> Flags | None:
    truth, hidden = tested.examples.truth, tested.examples.hidden
    return None if truth is None or hidden is None else (truth == 1) & ~hidden


def _undetectable(tested: Tested) -> Undetectable | None:
    examples = tested.examples
    if examples.truth is None or examples.hidden is None:
        return None
    positive = examples.truth == 1
    hidden, unknown = positive & examples.hidden, positive & (tested.labels == 0)
    return Undetectable(int(positive.sum()), int(hidden.sum()), int(unknown.sum()))


def _importances(model: Model, tested: Tested) -> tuple[tuple[str, float], ...]:
    if tested.importance is None:
        return ()
    order = np.argsort(-tested.importance, kind="stable")
    return tuple((model.feature_names[place], float(tested.importance[place])) for place in order)
