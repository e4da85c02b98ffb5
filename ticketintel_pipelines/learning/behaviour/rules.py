"""Written rules with their proof: a measure of each subject's rows, a threshold, and the rows that the measure came from.

A measure reads nothing but a subject's rows, and names those that it was worked out from; worked out again from these alone it
gives the same value, so that who doubts a rule can check it on its evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers

Rows = Mapping[str, NDArray[Any]]
"""n rows as columns by name, each (n,)."""


@dataclass(frozen=True)
class Reading:
    """A measure of each subject, (subjects,), NaN where nothing can be said, and the rows (n,) that it came from."""

    values: Floats
    proof: Flags


Measure = Callable[[Rows, Integers, int], Reading]
"""Of rows, the subject of each (n,), and how many subjects there are."""


@dataclass(frozen=True)
class Rule:
    """Fires for a subject whose measure reaches the threshold (`at_most`: does not exceed it).

    `least_rows` is how many rows must stand behind the measure. `weight` is its part in the score of all rules.
    """

    name: str
    words: str
    """What it says of a subject for which it fires."""
    measure: Measure
    threshold: float
    reason: str
    """Why this threshold."""
    at_most: bool = False
    least_rows: int = 1
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for a weight that is not positive, or a rule without rows behind it."""
        if self.weight <= 0 or self.least_rows < 1:
            raise ValueError(f"{self.name}: a rule weighs something, and at least one row stands behind it")

    @property
    def condition(self) -> str:
        """Its threshold in words."""
        rows = f", from at least {self.least_rows} rows" if self.least_rows > 1 else ""
        return f"{'at most' if self.at_most else 'at least'} {self.threshold:g}{rows}"


@dataclass(frozen=True)
class Judged:
    """What R rules say of S subjects."""

    rules: tuple[Rule, ...]
    values: Floats
    """(S, R), NaN where a rule can say nothing."""
    fired: Flags
    """(S, R)."""
    proofs: Flags
    """(R, n): the rows that prove each rule for the subjects for which it fires."""
    subject: Integers
    """(n,)."""

    @property
    def score(self) -> Floats:
        """Share of the rules' weight that fired, (S,)."""
        return self.score_of([rule.name for rule in self.rules])

    def score_of(self, names: Sequence[str]) -> Floats:
        """Share of the weight of some rules that fired, (S,)."""
        weights = np.array([rule.weight if rule.name in names else 0.0 for rule in self.rules])
        found: Floats = self.fired @ weights / weights.sum()
        return found

    def names(self, subject: int) -> list[str]:
        """The rules that fired for a subject, in the order in which they were written."""
        return [rule.name for rule, fired in zip(self.rules, self.fired[subject], strict=True) if fired]

    def taken(self, subjects: Flags) -> "Judged":
        """What was said of some subjects, by mask (S,)."""
        kept = subjects[self.subject]
        place = np.cumsum(subjects) - 1
        return Judged(
            self.rules,
            self.values[subjects],
            self.fired[subjects],
            self.proofs[:, kept],
            place[self.subject[kept]].astype(np.int64),
        )

    def evidence(self) -> list[dict[str, list[int]]]:
        """For each subject, of each rule that fired for it, the places of the rows that prove it, in order."""
        found: list[dict[str, list[int]]] = [{} for _ in range(len(self.fired))]
        for rule, proof in zip(self.rules, self.proofs, strict=True):
            places = np.flatnonzero(proof)
            for place, subject in zip(places.tolist(), self.subject[places].tolist(), strict=True):
                found[subject].setdefault(rule.name, []).append(place)
        return found


def judge(rules: Sequence[Rule], rows: Rows, subject: Integers, subjects: int) -> Judged:
    """Hold every rule against every subject; `subject` (n,) names whose each row is, below `subjects`."""
    values = np.full((subjects, len(rules)), np.nan)
    fired = np.zeros((subjects, len(rules)), dtype=bool)
    proofs = np.zeros((len(rules), len(subject)), dtype=bool)
    for place, rule in enumerate(rules):
        reading = rule.measure(rows, subject, subjects)
        behind = np.bincount(subject[reading.proof], minlength=subjects)
        with np.errstate(invalid="ignore"):
            reached = reading.values <= rule.threshold if rule.at_most else reading.values >= rule.threshold
        values[:, place] = reading.values
        fired[:, place] = reached & (behind >= rule.least_rows)
        proofs[place] = reading.proof & fired[subject, place]
    return Judged(tuple(rules), values, fired, proofs, subject)
