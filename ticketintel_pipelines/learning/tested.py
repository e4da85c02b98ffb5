"""What a model said of the days it was tested on: the one table from which every figure of its report comes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ticketintel_pipelines.learning.examples import Examples, Floats, Integers

BASELINE, CHAMPION = "baseline", "champion"


@dataclass(frozen=True)
class Tested:
    """n test rows of all folds in order of time, each scored by the model that was trained before its fold.

    `scores` are calibrated probabilities. `contenders` have scores of the same rows by others: `baseline`, `champion` where
    there is one, and each candidate estimator by its name. `importance` is the mean absolute contribution of each feature, in
    log odds (m,), None where the estimator cannot say. `removed` rows were left out since their entity was known as bad.
    """

    examples: Examples
    labels: Integers
    scores: Floats
    fold: Integers
    contenders: Mapping[str, Floats] = field(default_factory=dict)
    importance: Floats | None = None
    removed: int = 0
    trained_rows: tuple[int, ...] = ()
    trained_positives: tuple[int, ...] = ()
