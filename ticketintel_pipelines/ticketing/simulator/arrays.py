"""Batches: dataclasses whose fields are NumPy arrays of one length, and the few operations on sorted groups of rows."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

Batch = TypeVar("Batch")


def row_count(batch: Any) -> int:
    return len(getattr(batch, fields(batch)[0].name))


def concatenate(parts: Sequence[Batch]) -> Batch:
    """The rows of all parts, in their order; parts without rows do not take part, nor do their types."""
    filled = [part for part in parts if row_count(part)] or parts[:1]
    names = [field.name for field in fields(parts[0])]  # type: ignore[arg-type]
    return type(parts[0])(**{name: np.concatenate([getattr(part, name) for part in filled]) for name in names})


def select(batch: Batch, index: np.ndarray) -> Batch:
    """The rows at `index` (positions or a mask)."""
    return type(batch)(**{field.name: getattr(batch, field.name)[index] for field in fields(batch)})  # type: ignore[arg-type]


def group_start(groups: np.ndarray) -> np.ndarray:
    """For rows sorted by group: the position of the first row of each row's group, shape (n,)."""
    if len(groups) == 0:
        return np.zeros(0, dtype=np.int64)
    first = np.ones(len(groups), dtype=bool)
    first[1:] = groups[1:] != groups[:-1]
    return np.maximum.accumulate(np.where(first, np.arange(len(groups)), 0))


def rank_in_group(groups: np.ndarray) -> np.ndarray:
    """For rows sorted by group: 0, 1, 2 … within each group, shape (n,)."""
    return np.arange(len(groups)) - group_start(groups)


def running_total(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For rows sorted by group: the sum of the values so far in the group, the own one included, shape (n,)."""
    if len(groups) == 0:
        return values.copy()
    total = np.cumsum(values)
    start = group_start(groups)
    return total - (total[start] - values[start])


def draw_without_replacement(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """Positions of `count` rows (or of all there are) drawn by weight; rows of weight zero are never drawn."""
    possible = np.flatnonzero(weights > 0)
    if count >= len(possible):
        return possible
    if count <= 0:
        return possible[:0]
    # The smallest of exponential waiting times with these rates are a weighted draw without replacement.
    waits = rng.exponential(size=len(possible)) / weights[possible]
    return np.sort(possible[np.argpartition(waits, count - 1)[:count]])
