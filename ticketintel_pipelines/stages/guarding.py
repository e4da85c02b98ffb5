"""Guarding: what in the training data a person should look at before trusting it. Nothing is taken out of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import DAY, Examples, Integers
from ticketintel_pipelines.learning.poisoning import ExtremeRow, GuardedFeature, LabelEvent, ReviewerRecord

NEWEST_DAYS = 14
"""Since the last training, which is every second week."""
SHOWN = 10


@dataclass(frozen=True)
class Caution:
    """Something for a person: what, and the rows or the reviewer it is about."""

    what: str
    words: str


def look_for_poison(model: Model, examples: Examples, rows: Integers, history: Sequence[LabelEvent]) -> tuple[Caution, ...]:
    """Features of which the newest training rows lie further out than chance explains, and reviewers who overturn too much."""
    from ticketintel_pipelines.learning.poisoning import find_extreme_rows, find_overturning_reviewers

    newest = examples.at[rows] >= (int(examples.day[rows][-1]) + 1 - NEWEST_DAYS) * DAY
    earlier, fresh = rows[~newest], rows[newest]
    found: list[Caution] = []
    if len(earlier):
        extreme = find_extreme_rows(
            examples.names,
            examples.features[earlier],
            examples.features[fresh],
            examples.ids[fresh],
            model.guarded,
            examples.amount[fresh],
        )
        found += [_far_out(feature, extreme.rows) for feature in extreme.features if feature.alarming]
    found += [_overturning(one) for one in find_overturning_reviewers(history) if one.flagged]
    return tuple(found)


def _far_out(feature: GuardedFeature, rows: Sequence[ExtremeRow]) -> Caution:
    furthest = ", ".join([row.id for row in rows if row.feature == feature.name][:SHOWN])
    return Caution(
        f"rows beyond the 99th percentile of {feature.name}",
        f"{feature.beyond:,} of {feature.rows:,} new rows ({feature.share:.1%}) lie beyond {feature.bound:.4g}, where about "
        f"1 % did before; furthest out: {furthest or 'rows that are further out in another feature'}",
    )


def _overturning(one: ReviewerRecord) -> Caution:
    return Caution(
        f"labels overturned by {one.reviewer}",
        f"{one.overturned} of {one.reviewed} labels that were there before ({one.cleared} cleared, {one.raised} raised), far "
        f"more than others overturn: {', '.join(one.ids[:SHOWN])}",
    )
