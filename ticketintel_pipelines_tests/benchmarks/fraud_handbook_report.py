"""What the benchmark `fraud_handbook` prints: folds, standard errors, paired differences by days, and the ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ticketintel_pipelines.learning.ceilings import ceilings
from ticketintel_pipelines.learning.examples import DAY, Examples, Flags, Floats, Integers
from ticketintel_pipelines.learning.intervals import count_days, difference, entities_found, resampled_days
from ticketintel_pipelines.learning.intervals import figures as resampled_figures
from ticketintel_pipelines_tests.benchmarks.fraud_handbook_protocol import FOLDS, TOP_CARDS, WEEK, Figures, Week, figures

OURS, BOOK, BOOK_BINNED = "ours", "book", "book_base_score_max_bin"
NAMES = {"auc": "auc_roc", "ap": "auc_pr", "cp100": "cards"}
"""Our keys, and what the resampled figures are called."""


@dataclass(frozen=True)
class Judged:
    """One fold: each side's figures, and the same figures on resamples of its test days, equal ones for all sides."""

    trained_at: int
    rows: int
    frauds: int
    removed: int
    book_rows: int
    our_rows: int
    our_frauds: int
    figures: Mapping[str, Figures]
    resampled: Mapping[str, Mapping[str, Floats]]
    ceiling: Figures | None
    hidden: int


def judge(examples: Examples, truth: Integers, week: Week, scores: Mapping[str, Floats], hidden: Flags | None) -> Judged:
    """The figures of the fold's n test rows; `truth` is of all rows, `hidden` of the test rows."""
    test = week.fold.test
    labels, cards, day = truth[test], examples.entity[test], examples.day[test]
    days = np.unique(day)
    weights = resampled_days(len(days), seed=week.fold.first_test_day)
    resampled = {}
    for side, values in scores.items():
        found = entities_found(labels, values, cards, day, days, TOP_CARDS) / TOP_CARDS
        resampled[side] = resampled_figures(count_days(labels, values, day, days, 0.0, {"cards": found}), weights)
    ceiling = None
    if hidden is not None:
        visible = (labels == 1) & ~hidden
        most = ceilings(labels, visible)
        # The cards are those of a perfect ranking of the visible ones, the others in the order of rows.
        perfect = figures(labels, visible.astype(np.float64), cards, day)
        ceiling = Figures(most["auc_roc"], most["auc_pr"], perfect.cp100)
    return Judged(
        trained_at=week.fold.trained_at,
        rows=len(test),
        frauds=int(labels.sum()),
        removed=week.fold.removed,
        book_rows=len(week.fold.train),
        our_rows=len(week.ours),
        our_frauds=int(examples.labels(week.fold.trained_at)[week.ours].sum()),
        figures={side: figures(labels, values, cards, day) for side, values in scores.items()},
        resampled=resampled,
        ceiling=ceiling,
        hidden=0 if hidden is None else int(hidden.sum()),
    )


def averages(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Each side's figures, averaged over the folds."""
    return {
        side: {key: round(float(np.mean(_over(judged, side, key))), 4) for key in NAMES} for side in judged[0].figures
    }  # fmt: skip


def show(judged: Sequence[Judged], seconds: Mapping[str, float], rows: int) -> None:
    """Print the report."""
    sides = list(judged[0].figures)
    print(f"{rows:,} transactions before the end of the last test week")
    print("tested from   rows  frauds  left out  learned from: book / ours (frauds)")
    for fold in judged:
        print(
            f"{_date(fold.trained_at)} {fold.rows:>8,} {fold.frauds:>7,} {fold.removed:>9,}"
            f"{fold.book_rows:>21,} / {fold.our_rows:,} ({fold.our_frauds:,})"
        )
    print("left out: transactions of cards of which a fraud since the start of the book's training week was known that day")
    for key in NAMES:
        print(f"\n{key:<26}" + "".join(f"{_date(fold.trained_at):>12}" for fold in judged) + "        mean    s.e.")
        for side in sides:
            _line(side, _over(judged, side, key))
        if all(fold.ceiling for fold in judged):
            _line("ceiling", [asdict(fold.ceiling)[key] for fold in judged])  # type: ignore[call-overload]
    if all(fold.ceiling for fold in judged):
        hidden, frauds = sum(fold.hidden for fold in judged), sum(fold.frauds for fold in judged)
        print(f"ceiling: {hidden:,} of {frauds:,} frauds are at terminals of which nothing was known for four weeks: they are")
        print("  ranked at random, behind all other frauds. A lucky order can exceed it.")
    days = FOLDS * WEEK
    print(f"\nours minus another, days resampled within each fold ({days} days), 95 % interval, two-sided p")
    for side in sides[1:]:
        for key, name in NAMES.items():
            apart = np.array(_over(judged, sides[0], key)) - np.array(_over(judged, side, key))
            drawn = np.mean([fold.resampled[sides[0]][name] - fold.resampled[side][name] for fold in judged], axis=0)
            found = difference(float(apart.mean()), drawn, days)
            bounds = f"[{found.low:+.4f}, {found.high:+.4f}]"
            print(f"{side:<26}{key:<6}{found.value:+.4f}  {bounds}  p {found.p_value:.3f}")
    print("\nseconds: " + ", ".join(f"{name} {taken:.1f}" for name, taken in seconds.items()), flush=True)


def _over(judged: Sequence[Judged], side: str, key: str) -> list[float]:
    return [asdict(fold.figures[side])[key] for fold in judged]


def _line(name: str, values: Sequence[float]) -> None:
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    print(f"{name:<26}" + "".join(f"{value:>12.4f}" for value in values) + f"{np.mean(values):>12.4f} {error:>7.4f}")


def _date(instant: int) -> str:
    return str(np.datetime64(instant // DAY, "D"))
