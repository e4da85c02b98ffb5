"""What folds answer, worked out the plain way: each asking row looks through all rows of its key that were seen before it.

Rows are dictionaries in order of `seen`, with None for null. Nothing is kept from one question to the next.
"""

from collections.abc import Mapping, Sequence
from statistics import median_high, median_low

from ticketintel_pipelines.features.folds import Aggregate, Distinct, Fold, Latest, Lifetime, Median, Trailing
from ticketintel_pipelines.features.rows import EVERYTHING, SEEN

Row = Mapping[str, int | None]
Entry = tuple[int, ...]
"""The instant at which a row was seen, and its values."""
Answers = dict[str, int | None]


def answers_of(fold: Fold, tables: Mapping[str, Sequence[Row]]) -> list[Answers]:
    """The answers to each row that asks, in their order."""
    return [_answers_to(fold, question, tables[fold.of]) for question in tables[fold.asked_by]]


def _answers_to(fold: Fold, question: Row, rows: Sequence[Row]) -> Answers:
    key = _key(question, fold.asked_key)
    if key is None:
        return dict.fromkeys(fold.answers)
    earlier: list[Entry] = []
    for row in rows:
        entry = [row[name] for name in (SEEN, *fold.values)]
        if _key(row, fold.by) == key and row[SEEN] < question[SEEN] and None not in entry:
            earlier.append(tuple(entry))
    own = question[fold.asked_value] if fold.asked_value else None
    return _aggregated(fold.aggregate, fold.name, fold.values, earlier, question[SEEN], own)


def _key(row: Row, name: str) -> int | None:
    return 0 if name == EVERYTHING else row[name]


def _aggregated(
    aggregate: Aggregate, name: str, values: Sequence[str], earlier: list[Entry], now: int, own: int | None
) -> Answers:
    match aggregate:
        case Trailing():
            return trailing(name, values, aggregate.spans, earlier, now)
        case Lifetime():
            return lifetime(name, values, earlier)
        case Latest():
            return latest(name, values, aggregate.places, earlier)
        case Distinct():
            return distinct(name, earlier, own)
        case Median():
            return median(name, earlier)
    raise TypeError(f"no reference for {aggregate}")


def trailing(name: str, values: Sequence[str], spans: Mapping[str, int], earlier: list[Entry], now: int) -> Answers:
    answers: Answers = {}
    for span, length in spans.items():
        inside = [entry for entry in earlier if now - length < entry[0]]
        answers[f"{name}_{span}"] = len(inside)
        for place, value in enumerate(values, 1):
            answers[f"{name}_{span}_{value}"] = sum(entry[place] for entry in inside)
    return answers


def lifetime(name: str, values: Sequence[str], earlier: list[Entry]) -> Answers:
    answers: Answers = {
        f"{name}_count": len(earlier),
        f"{name}_first": min((entry[0] for entry in earlier), default=None),
        f"{name}_last": max((entry[0] for entry in earlier), default=None),
    }
    for place, value in enumerate(values, 1):
        answers[f"{name}_{value}"] = sum(entry[place] for entry in earlier)
    return answers


def latest(name: str, values: Sequence[str], places: int, earlier: list[Entry]) -> Answers:
    answers: Answers = {}
    for place in range(1, places + 1):
        newest = earlier[-place] if place <= len(earlier) else None
        answers[f"{name}_{place}_seen"] = newest[0] if newest else None
        for number, value in enumerate(values, 1):
            answers[f"{name}_{place}_{value}"] = newest[number] if newest else None
    return answers


def distinct(name: str, earlier: list[Entry], own: int | None) -> Answers:
    found = {entry[1] for entry in earlier}
    return {f"{name}_distinct": len(found), f"{name}_is_new": None if own is None else int(own not in found)}


def median(name: str, earlier: list[Entry]) -> Answers:
    found = [entry[1] for entry in earlier]
    doubled = median_low(found) + median_high(found) if found else None
    return {f"{name}_median_doubled": doubled, f"{name}_count": len(found)}
