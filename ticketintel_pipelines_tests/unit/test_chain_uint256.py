"""Exact 256-bit integers against Python's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.chain.uint256 import decimal_text, from_uint64, is_zero, run_sums, small_integers

LIMIT = 2**256
BORDERS = [0, 1, 9, 10, 10**9 - 1, 10**9, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**76, 10**77, LIMIT - 1]

numbers = st.one_of(
    st.integers(0, LIMIT - 1),
    st.integers(0, 2**64 + 1),
    st.sampled_from(BORDERS),
    st.integers(0, 77).map(lambda e: 10**e),
)


def matrix_of(values: list[int]) -> np.ndarray:
    return np.frombuffer(b"".join(value.to_bytes(32, "big") for value in values), dtype=np.uint8).reshape(-1, 32)


def integers_of(matrix: np.ndarray) -> list[int]:
    return [int.from_bytes(row.tobytes(), "big") for row in matrix]


@given(st.lists(numbers, max_size=20))
def test_decimal_text_is_exact(values: list[int]) -> None:
    assert decimal_text(matrix_of(values)).to_pylist() == [str(value) for value in values]


def test_decimal_text_of_the_borders() -> None:
    for values in (BORDERS, BORDERS[:9], BORDERS[9:]):
        assert decimal_text(matrix_of(values)).to_pylist() == [str(value) for value in values]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_from_uint64_keeps_the_value(values: list[int]) -> None:
    matrix = from_uint64(np.array(values, dtype=np.uint64))
    assert matrix.shape == (len(values), 32)
    assert integers_of(matrix) == values


@given(st.lists(numbers, max_size=20))
def test_small_integers_are_those_below_two_to_the_63(values: list[int]) -> None:
    small, fits = small_integers(matrix_of(values))
    assert fits.tolist() == [value < 2**63 for value in values]
    assert small.tolist() == [value if value < 2**63 else 0 for value in values]
    assert is_zero(matrix_of(values)).tolist() == [value == 0 for value in values]


@given(st.lists(st.lists(numbers, max_size=5), max_size=8))
def test_run_sums_are_exact_and_tell_overflow(runs: list[list[int]]) -> None:
    lengths = np.array([len(run) for run in runs], dtype=np.int64)
    sums, overflow = run_sums(matrix_of([value for run in runs for value in run]), lengths)
    assert integers_of(sums) == [sum(run) % LIMIT for run in runs]
    assert overflow.tolist() == [sum(run) >= LIMIT for run in runs]
