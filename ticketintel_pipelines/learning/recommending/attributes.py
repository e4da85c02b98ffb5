"""Attributes of items as rows of length one, so that the product of two rows is their cosine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.recommending.known import Matrix


def unit_rows(values: NDArray[Any]) -> Matrix:
    """Rows (n, d) divided by their length; those of zeros stay."""
    length = np.linalg.norm(values, axis=1, keepdims=True)
    found: Matrix = np.divide(values, length, out=np.zeros(values.shape), where=length > 0).astype(np.float32)
    return found


def one_hot(values: Sequence[str], known: Sequence[str]) -> Matrix:
    """One column for each of the `known` values (n, k); what is none of them, or "", is a row of zeros."""
    column = {value: place for place, value in enumerate(known) if value}
    found = np.zeros((len(values), len(known)), np.float32)
    for row, value in enumerate(values):
        if value in column:
            found[row, column[value]] = 1
    return found


def near_knots(values: Floats, knots: Sequence[float]) -> Matrix:
    """How near each value is to ascending knots (n, k): 1 at a knot, falling to 0 at the next one.

    Near values share knots, so their rows have a high cosine, which the values themselves would not. NaN is a row of zeros.
    """
    grid = np.asarray(knots, dtype=np.float64)
    columns = [np.interp(values, grid, row) for row in np.eye(len(grid))]
    return unit_rows(np.nan_to_num(np.column_stack(columns)))


def around(values: Floats, period: float) -> Matrix:
    """Values on a circle (hours of a day, days of a week) as points on it (n, 2)."""
    angle = values * (2 * np.pi / period)
    found: Matrix = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    return found


def side_by_side(*blocks: Matrix) -> Matrix:
    """Several blocks as one, in which each weighs the same."""
    return unit_rows(np.concatenate(blocks, axis=1))
