"""How bands are chosen and judged: on planted spikes and drops that are known."""

import numpy as np
import pytest

from ticketintel_pipelines.learning.bands.assessing import comparisons, share_found, trial
from ticketintel_pipelines.learning.bands.choosing import FALSE_ALARMS, choose, cut_at
from ticketintel_pipelines.learning.bands.judging import ANOMALY, Band, judge
from ticketintel_pipelines.learning.bands.planting import DROP, SPIKE, plant, typical_values
from ticketintel_pipelines.learning.bands.streams import Family, Streams
from ticketintel_pipelines.learning.examples import DAY, TooFewExamplesError

HOUR = DAY // 24
FAMILY = Family("level", {0: (6, 24)}, offset=1.0)


def drifting(streams: int = 30, slots: int = 300, seed: int = 3) -> Streams:
    """Streams whose level wanders far from where it was: a threshold for all of their days is wide."""
    random = np.random.default_rng(seed)
    level = 100 + np.cumsum(random.normal(0, 4, (streams, slots)), axis=1).clip(-60, 300)
    return Streams(
        np.repeat(np.arange(streams), slots),
        np.full(streams * slots, "level", dtype=object),
        np.tile(np.arange(slots) * HOUR, streams),
        (level + random.normal(0, 2, level.shape)).ravel(),
    )


def test_planted_spikes_and_drops_are_found_with_few_false_alarms() -> None:
    random = np.random.default_rng(5)
    values = 50 + random.normal(0, 2, (20, 400))
    planted = np.zeros(values.shape, bool)
    for stream in range(20):
        places = random.choice(np.arange(50, 400), 6, replace=False)
        values[stream, places] *= np.where(random.random(6) < 0.5, 2.0, 0.3)
        planted[stream, places] = True
    judged = judge(np.repeat(np.arange(20), 400), np.tile(np.arange(400), 20), values.ravel(), Band(40, 4.0, 20))
    called = (judged.verdict == ANOMALY).reshape(values.shape)
    recall, precision = (called & planted).sum() / planted.sum(), (called & planted).sum() / called.sum()
    assert recall >= 0.95
    assert precision >= 0.9


def test_what_is_planted_is_where_it_is_said_to_be() -> None:
    streams = drifting()
    where = streams.at >= 100 * HOUR
    planted = plant(streams, where, frozenset(), 1)
    changed = planted.streams.values != streams.values
    assert (changed == planted.anomalous).all()
    assert not (planted.anomalous & ~where).any()
    typical = typical_values(streams)
    up, down = planted.kind == SPIKE, planted.kind == DROP
    assert (planted.streams.values[up] >= streams.values[up] + 2 * typical[up] - 1e-9).all()
    assert (planted.streams.values[down] <= streams.values[down] * 0.2 + 1e-9).all()
    assert 0.5 < up.sum() / down.sum() < 2
    assert (plant(streams, where, frozenset(), 1).streams.values == planted.streams.values).all()


def test_few_values_are_planted_in_several_times_each_a_stream_of_its_own() -> None:
    streams = drifting(2, 50)
    planted = plant(streams, np.ones(100, bool), frozenset(), 1, enough=450)
    assert len(planted.streams) == 500
    assert len(np.unique(planted.streams.stream)) == 10
    kept = ~planted.anomalous
    assert (planted.streams.values[kept] == streams.values[planted.row[kept]]).all()


def test_counts_stay_whole() -> None:
    random = np.random.default_rng(2)
    streams = Streams(
        np.zeros(500, np.int64), np.full(500, "level", dtype=object), np.arange(500), random.poisson(9, 500).astype(float)
    )
    values = plant(streams, np.ones(500, bool), frozenset({"level"}), 1).streams.values
    assert (values == np.round(values)).all()


def test_the_width_lets_no_more_than_the_share_pass_as_false_alarms() -> None:
    (choice,) = choose(drifting(), [FAMILY], frozenset(), 1)
    judged = judge(drifting().stream, drifting().at, drifting().values, choice.band)
    assert (judged.verdict == ANOMALY).mean() <= 1.5 * FALSE_ALARMS
    assert choice.recall == max(recall for _, recall in choice.tried)


@pytest.mark.parametrize(("values", "cut"), [([0.0] * 99 + [5.0], 5.0), ([1.0, 2.0, 3.0], 3.0)])
def test_a_cut_is_one_of_the_deviations(values: list[float], cut: float) -> None:
    assert cut_at(np.array(values)) == cut


def test_bands_beat_a_fixed_threshold_on_streams_that_drift() -> None:
    tried = trial(drifting(), [FAMILY], frozenset(), 1)
    recall, _ = comparisons(tried)
    assert recall.beats
    assert share_found(tried, SPIKE)[1] > 0.9


def test_an_equal_rule_is_not_called_better() -> None:
    tried = trial(drifting(), [FAMILY], frozenset(), 1)
    same = type(tried)(**{**tried.__dict__, "theirs": tried.ours, "called_theirs": tried.called})
    assert not any(one.beats or one.loses for one in comparisons(same))


def test_later_days_do_not_change_what_is_chosen() -> None:
    streams = drifting(slots=240)
    later = streams.at >= 6 * DAY
    one = trial(streams, [FAMILY], frozenset(), 1)
    two = trial(streams.with_values(np.where(later, streams.values * 3, streams.values)), [FAMILY], frozenset(), 1)
    assert one.days[1] == 10 - 3
    assert [choice.band for choice in one.choices] != []
    earlier = streams.at < 7 * DAY
    assert choose(streams.take(earlier), [FAMILY], frozenset(), 1) == one.choices
    assert two.choices != one.choices


def test_too_few_days_are_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="5 days"):
        trial(drifting(slots=120), [FAMILY], frozenset(), 1)
