"""What the tests of the leak battery share: the fold they try on, what they find, and how far chance goes."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.estimators import Estimator
from ticketintel_pipelines.learning.examples import Examples, Floats, Integers
from ticketintel_pipelines.learning.metrics import average_precision
from ticketintel_pipelines.learning.search import resampled

PERMUTATIONS = 300
DEVIATIONS = 5.0
"""So far from what permuted labels give: their figures are skewed, and half a dozen such bounds are tried in a run."""
RESAMPLES = 100
LOWER_DEVIATIONS = 3.0
MATERIAL = 0.05
"""Of what chance leaves to a perfect ranking: rows of one burst are ranked together, which permuted labels do not show, and so
lift average precision by a few hundredths without any leak."""


@dataclass(frozen=True)
class Finding:
    """What one test found. `figure` is what it measured, `bound` what that may not exceed."""

    name: str
    passed: bool
    words: str
    figure: float
    bound: float


@dataclass(frozen=True)
class Trial:
    """A fold to try on: places of the rows to learn from and to judge by, and labels of both.

    `reached` is the average precision of the full model on the rows to judge by, `ceiling` what nothing observable can exceed.
    """

    examples: Examples
    train: Integers
    test: Integers
    train_labels: Integers
    test_labels: Integers
    scores: Floats
    reached: float
    ceiling: float | None
    seed: int

    @property
    def share(self) -> float:
        """Of positives among the rows to judge by: the average precision of a model that knows nothing."""
        return float(self.test_labels.mean())

    @property
    def reference(self) -> float:
        """The ceiling where there is one, else what the full model reached."""
        return self.reached if self.ceiling is None else self.ceiling

    def learned(self, features: Floats, probe: Estimator) -> Floats:
        """Scores of the rows to judge by, learned from other features (one row for each example)."""
        values = features.astype(np.float32)
        return probe.fit(values[self.train], self.train_labels, self.seed).predict(values[self.test])

    def lower_bound(self, scores: Floats) -> float:
        """Average precision less three of its standard deviations over resampled days."""
        draws = resampled(
            lambda kept: np.array([average_precision(self.test_labels[kept], scores[kept])]),
            self.examples.day[self.test],
            np.random.default_rng(self.seed),
            RESAMPLES,
        )
        return average_precision(self.test_labels, scores) - LOWER_DEVIATIONS * float(np.nanstd(draws))

    def chance_bound(self, scores: Floats, groups: Integers) -> float:
        """How high average precision gets when labels are permuted among the rows of each group.

        Five standard deviations above its mean, and at least `MATERIAL` of the way from there to 1.

        What is the same throughout a group (the hour, the rush on an event) lifts the permuted labels as well, and so is no
        finding.
        """
        random = np.random.default_rng(self.seed)
        order = np.argsort(groups, kind="stable")
        labels, ranks = self.test_labels[order], scores[order]
        found = []
        for _ in range(PERMUTATIONS):
            permuted = labels[np.lexsort((random.random(len(labels)), groups[order]))]
            found.append(average_precision(permuted, ranks))
        mean = float(np.mean(found))
        return mean + max(DEVIATIONS * float(np.std(found)), MATERIAL * (1 - mean))
