"""When a challenger takes the champion's place, and what is said when it does not."""

import pytest

from ticketintel_pipelines.learning.intervals import Measured
from ticketintel_pipelines.learning.promotion import decide

NAN = float("nan")
BETTER, UNSURE, WORSE = Measured(0.03, 0.01, 0.05), Measured(0.03, 0.0, 0.06), Measured(-0.04, -0.06, -0.02)
ALIKE = {"small events": (0.6, 0.62), "large events": (0.7, 0.6)}


def test_a_challenger_that_surely_beats_the_champion_is_promoted() -> None:
    found = decide(BETTER, BETTER, ALIKE, most_worse=0.05)
    assert found.promoted
    assert found.because == (
        "promoted: it beats the champion by +0.030 in average precision on the same test days, 95 % interval +0.010 to +0.050"
    )


@pytest.mark.parametrize("apart", [UNSURE, WORSE, Measured(0.03, -0.01, 0.07)])
def test_one_that_may_be_no_better_is_not(apart: Measured) -> None:
    found = decide(BETTER, apart, ALIKE, most_worse=0.05)
    assert not found.promoted
    assert "does not exclude zero" in found.because


@pytest.mark.parametrize("apart", [Measured(0.3), Measured(NAN, NAN, NAN)])
def test_one_that_cannot_be_judged_is_not(apart: Measured) -> None:
    for found in (decide(apart), decide(BETTER, apart, ALIKE)):
        assert not found.promoted
        assert "the test days do not suffice" in found.because


def test_no_slice_may_get_worse_than_agreed() -> None:
    slices = {**ALIKE, "young wallets": (0.50, 0.60), "old wallets": (0.30, 0.36)}
    found = decide(BETTER, BETTER, slices, most_worse=0.05)
    assert not found.promoted
    assert "on young wallets falls from 0.600 to 0.500, by more than the 0.050 agreed, and 1 more" in found.because
    assert decide(BETTER, BETTER, slices, most_worse=0.11).promoted


@pytest.mark.parametrize(
    ("now", "before", "promoted"),
    [
        pytest.param(0.75, 1.0, True, id="just as much as agreed"),
        pytest.param(0.74, 1.0, False, id="a little more"),
        pytest.param(NAN, NAN, True, id="without positives nothing is judged"),
        pytest.param(NAN, 0.5, False, id="what the champion ranks must be ranked"),
        pytest.param(0.5, NAN, True, id="what the champion could not rank is no loss"),
    ],
)
def test_a_slice_is_lost_beyond_what_was_agreed(now: float, before: float, promoted: bool) -> None:
    assert decide(BETTER, BETTER, {"a slice": (now, before)}, most_worse=0.25).promoted is promoted


def test_the_first_model_must_beat_the_baseline() -> None:
    assert decide(BETTER).because.startswith("promoted: there is no champion, and it beats the baseline by +0.030")
    for apart in (UNSURE, WORSE):
        found = decide(apart)
        assert not found.promoted
        assert found.because.startswith("not promoted: there is no champion, and the difference to the baseline is")
