"""Bollinger bands on streams: what is called an anomaly, and that nights add up to the whole."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning.bands.carrying import Kept, carry
from ticketintel_pipelines.learning.bands.judging import ANOMALY, NORMAL, UNKNOWN, Band, Judged, judge
from ticketintel_pipelines.learning.examples import Floats

FIELDS = ("mean", "lower", "upper", "count", "deviation", "verdict")


def _one(values: list[float], band: Band, at: list[int] | None = None) -> Judged:
    instants = np.arange(len(values)) if at is None else np.array(at)
    return judge(np.zeros(len(values), np.int64), instants, np.array(values, dtype=float), band)


def test_a_band_is_the_mean_of_the_earlier_values_and_so_many_deviations() -> None:
    values = [3.0, 5.0, 4.0, 8.0, 6.0, 20.0]
    judged = _one(values, Band(length=4, sigmas=2, least=3))
    mean, spread = statistics.fmean(values[1:5]), statistics.pstdev(values[1:5])
    assert judged.mean[5] == pytest.approx(mean)
    assert (judged.lower[5], judged.upper[5]) == pytest.approx((mean - 2 * spread, mean + 2 * spread))
    assert judged.deviation[5] == pytest.approx((20 - mean) / spread)
    assert judged.verdict.tolist() == [UNKNOWN, UNKNOWN, UNKNOWN, ANOMALY, NORMAL, ANOMALY]


def test_a_spike_does_not_widen_its_own_band_unless_in_the_classic_form() -> None:
    values = [10.0, 11.0, 9.0, 10.0, 100.0]
    assert _one(values, Band(5, sigmas=3, least=4)).verdict[-1] == ANOMALY
    assert _one(values, Band(5, sigmas=3, least=4, classic=True)).verdict[-1] == NORMAL


def test_the_classic_band_of_a_value_includes_it() -> None:
    judged = _one([1.0, 2.0, 6.0], Band(3, sigmas=1, least=1, classic=True))
    assert judged.mean.tolist() == pytest.approx([1.0, 1.5, 3.0])


def test_values_of_one_instant_do_not_see_each_other() -> None:
    judged = _one([1.0, 3.0, 100.0, 200.0], Band(4, sigmas=2, least=1), at=[1, 2, 3, 3])
    assert judged.mean.tolist()[2:] == [2.0, 2.0]
    assert judged.count.tolist() == [0, 1, 2, 2]


def test_a_gap_takes_its_place_and_counts_as_nothing() -> None:
    judged = _one([4.0, math.nan, math.inf, 6.0, 5.0, math.nan], Band(4, sigmas=2, least=2))
    assert judged.count.tolist() == [0, 1, 1, 1, 2, 2]
    assert judged.mean[4] == 5.0
    assert judged.verdict.tolist() == [UNKNOWN] * 4 + [NORMAL, UNKNOWN]


def test_a_flat_stream_is_normal_and_any_change_of_it_is_not() -> None:
    judged = _one([0.1] * 7 + [0.1000001, 0.1], Band(5, sigmas=3, least=3))
    assert judged.verdict.tolist()[3:8] == [NORMAL] * 4 + [ANOMALY]
    assert math.isinf(judged.deviation[7])


def test_a_floor_forgives_small_changes_of_a_flat_stream() -> None:
    values = [10.0] * 6 + [12.0]
    assert _one(values, Band(5, sigmas=3, least=3, least_spread=1.0)).verdict[-1] == NORMAL
    assert _one(values, Band(5, sigmas=3, least=3, least_share=0.1)).verdict[-1] == NORMAL
    assert _one(values, Band(5, sigmas=3, least=3, least_share=0.05)).verdict[-1] == ANOMALY


def test_whole_numbers_are_exact_beside_a_number_of_another_size() -> None:
    values = [2.0**52, 1.0, 2.0, 3.0, 2.0]
    judged = _one(values, Band(3, sigmas=2, least=3))
    assert judged.mean[4] == 2.0
    assert judged.upper[4] - 2.0 == pytest.approx(2 * math.sqrt(2 / 3))


def test_streams_do_not_touch_each_other() -> None:
    one, two = np.arange(10.0), np.arange(10.0) ** 2
    both = judge(np.tile([7, 3], 10), np.repeat(np.arange(10), 2), np.column_stack([one, two]).ravel(), Band(4, 2.0, 2))
    for number, values in enumerate((one, two)):
        alone = _one(values.tolist(), Band(4, 2.0, 2))
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(both, field)[number::2], getattr(alone, field))


@pytest.mark.parametrize(("length", "sigmas", "least"), [(3, 2.0, 4), (3, 2.0, 0), (3, 0.0, 1), (3, math.nan, 1)])
def test_a_band_that_means_nothing_is_refused(length: int, sigmas: float, least: int) -> None:
    with pytest.raises(ValueError, match="band"):
        Band(length, sigmas, least)


def test_a_logarithmic_band_sees_a_drop_that_a_plain_one_does_not() -> None:
    values = [100.0, 200.0, 50.0, 150.0, 80.0, 120.0, 1.0]
    assert _one(values, Band(6, 3.0)).verdict[-1] == NORMAL
    judged = _one(values, Band(6, 3.0, logarithmic=True))
    logs = [math.log(value + 1) for value in values[:6]]
    mean, spread = statistics.fmean(logs), statistics.pstdev(logs)
    assert judged.verdict[-1] == ANOMALY
    assert judged.mean[-1] == pytest.approx(math.exp(mean) - 1)
    assert judged.upper[-1] == pytest.approx(math.exp(mean + 3 * spread) - 1)
    assert _one([1.0, -1.0, 1.0], Band(2, 3.0, 1, logarithmic=True)).verdict.tolist() == [UNKNOWN, UNKNOWN, NORMAL]


def test_a_cycle_compares_with_the_same_place_of_it() -> None:
    values = [10.0, 50.0] * 6 + [50.0]
    at = list(range(13))
    assert _one(values, Band(4, 3.0, 3), at).verdict[-1] == NORMAL
    judged = _one(values, Band(4, 3.0, 3, cycle=2), at)
    assert judged.verdict.tolist() == [UNKNOWN] * 6 + [NORMAL] * 6 + [ANOMALY]
    assert judged.mean[-1] == 10.0


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 25),
        st.one_of(st.integers(-50, 50).map(float), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf])),
    ),
    max_size=60,
)


def _bits(values: Floats) -> bytes:
    return np.where(np.isnan(values), np.nan, values).tobytes()


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 9), st.booleans(), st.sampled_from([0, 3]), st.booleans(), st.lists(st.integers(0, 25), max_size=4))
def test_night_by_night_is_all_at_once_bit_for_bit(
    rows: list[tuple[str, int, float]], length: int, classic: bool, cycle: int, logarithmic: bool, nights: list[int]
) -> None:
    band = Band(length, 2.0, min(2, length), classic=classic, cycle=cycle, logarithmic=logarithmic)
    stream = np.array([row[0] for row in rows], dtype=object)
    at, values = np.array([row[1] for row in rows], dtype=np.int64), np.array([row[2] for row in rows], dtype=float)
    whole, _ = carry(Kept.nothing(), stream, at, values, band)
    kept, found = Kept.nothing(), {field: np.full(len(rows), -7.0) for field in FIELDS}
    for first, past in zip([-1, *sorted(nights)], [*sorted(nights), 99], strict=True):
        night = (at >= first) & (at < past)
        judged, kept = carry(Kept.load(kept.dump()), stream[night], at[night], values[night], band)
        for field in FIELDS:
            found[field][night] = getattr(judged, field)
    for field in FIELDS:
        assert _bits(found[field]) == _bits(getattr(whole, field).astype(float))
    assert all((kept.stream == name).sum() <= length * max(1, cycle) for name in "abc")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.integers(1, 8))
def test_bands_agree_with_a_plain_loop(values: list[int], length: int) -> None:
    judged = _one([float(value) for value in values], Band(length, 2.0, least=1))
    for place in range(1, len(values)):
        window = values[max(0, place - length) : place]
        assert judged.mean[place] == pytest.approx(statistics.fmean(window))
        assert judged.upper[place] == pytest.approx(statistics.fmean(window) + 2 * statistics.pstdev(window))


def test_a_value_that_comes_late_is_refused() -> None:
    band = Band(3, 2.0, 1)
    _, kept = carry(Kept.nothing(), np.array(["a"], dtype=object), np.array([5]), np.array([1.0]), band)
    with pytest.raises(BadInputError, match="stream a"):
        carry(kept, np.array(["a"], dtype=object), np.array([5]), np.array([2.0]), band)
    judged, _ = carry(kept, np.array(["b"], dtype=object), np.array([5]), np.array([2.0]), band)
    assert judged.verdict.tolist() == [UNKNOWN]


def test_no_values_give_no_verdicts() -> None:
    judged, kept = carry(Kept.nothing(), np.zeros(0, dtype=object), np.zeros(0, np.int64), np.zeros(0), Band(3, 2.0, 1))
    assert len(judged.verdict) == 0
    assert len(kept.at) == 0
