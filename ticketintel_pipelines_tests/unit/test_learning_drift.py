"""Drift: quiet where nothing changed, loud and named where something did, and never a claim without the rows for it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ticketintel_pipelines.learning.drift import LEAST_ROWS, Drift, Reference, build_reference, measure_drift, outside_allowed

NAMES = ("normal", "amount", "count", "flag", "gappy", "constant", "nothing")
ROWS = 2_000


def draw(seed: int, rows: int = ROWS) -> np.ndarray:
    """Rows of all kinds, correlated."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=rows)
    normal = (common + rng.normal(size=rows)) / np.sqrt(2)
    gappy = np.where(rng.random(rows) < 0.3, np.nan, common)
    columns = [
        normal,
        np.exp(common),
        rng.poisson(np.exp(common / 2)),
        rng.random(rows) < 0.03,
        gappy,
        np.full(rows, 7.0),
        np.full(rows, np.nan),
    ]
    return np.column_stack(columns).astype(np.float32)


def scores(seed: int, rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed).beta(1, 20, rows)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return build_reference(NAMES, draw(0, 10_000), scores(0, 10_000))


def day_with(reference: Reference, name: str, change: object) -> Drift:
    features = draw(1)
    place = NAMES.index(name)
    features[:, place] = change(features[:, place])  # type: ignore[operator]
    return measure_drift(reference, features, scores(1))


def test_unchanged_days_are_quiet(reference: Reference) -> None:
    for seed in range(1, 6):
        day = measure_drift(reference, draw(seed), scores(seed))
        assert day.decided
        assert not day.drifted, day.words


def test_the_reference_itself_is_quiet(reference: Reference) -> None:
    day = measure_drift(reference, draw(0, 10_000), scores(0, 10_000))
    assert not day.drifted
    for column in day.columns:
        assert column.kl == pytest.approx(0, abs=1e-12)
        assert column.outside == 0 or column.name == "nothing"
        assert column.mean_shift in (None, 0)


@pytest.mark.parametrize("name", ["normal", "amount", "count", "flag", "gappy"])
def test_a_shift_of_a_fifth_of_sigma_is_named(reference: Reference, name: str) -> None:
    rng = np.random.default_rng(3)
    sigma = float(np.nanstd(draw(0, 10_000)[:, NAMES.index(name)]))

    def shift(values: np.ndarray) -> np.ndarray:
        if name == "flag":
            return np.maximum(values, rng.random(len(values)) < 0.2 * sigma)
        if name == "count":
            return values + rng.poisson(0.2 * sigma, len(values))
        return values + 0.2 * sigma

    day = day_with(reference, name, shift)
    assert day.drifted_names == (name,)
    assert name in day.words


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        ("normal", lambda values: values * 1.4, "spread"),
        ("normal", lambda values: np.where(np.arange(len(values)) % 10 == 0, 0.0, values), "shape"),
        ("gappy", lambda values: np.where(np.arange(len(values)) % 10 == 0, np.nan, values), "missing"),
        ("nothing", lambda values: np.ones_like(values), "missing"),
        ("flag", lambda values: np.where(np.arange(len(values)) % 100 == 0, 2, values), "outside"),
        ("constant", lambda values: np.where(np.arange(len(values)) % 100 == 0, 6, values), "outside"),
        ("amount", lambda values: np.where(np.arange(len(values)) % 100 == 0, np.inf, values), "outside"),
    ],
)
def test_other_changes_are_found_as_what_they_are(reference: Reference, name: str, change: object, kind: str) -> None:
    day = day_with(reference, name, change)
    assert day.drifted_names == (name,)
    assert next(column.kind for column in day.columns if column.name == name) == kind


def test_a_drifted_score_is_named(reference: Reference) -> None:
    day = measure_drift(reference, draw(1), scores(1) * 1.5)
    assert day.drifted_names == ("score",)
    assert day.score is not None
    assert day.score.drifted


def test_the_order_of_rows_changes_nothing(reference: Reference) -> None:
    order = np.random.default_rng(9).permutation(ROWS)
    features, day_scores = draw(1), scores(1)
    assert measure_drift(reference, features[order], day_scores[order]) == measure_drift(reference, features, day_scores)
    order = np.random.default_rng(9).permutation(10_000)
    assert build_reference(NAMES, draw(0, 10_000)[order], scores(0, 10_000)[order]) == reference


def test_the_same_seed_gives_the_same_answer(reference: Reference) -> None:
    first, again, other = (measure_drift(reference, draw(2), scores(2), seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first.p_value != other.p_value


def test_the_width_of_the_numbers_changes_nothing(reference: Reference) -> None:
    wide = draw(1).astype(np.float64)
    assert measure_drift(reference, wide, scores(1)) == measure_drift(reference, draw(1), scores(1))


def test_a_reference_comes_back_from_json(reference: Reference) -> None:
    text = reference.to_json()
    assert Reference.from_json(text) == reference
    assert Reference.from_json(text).to_json() == text
    with pytest.raises(ValueError, match="format"):
        Reference.from_json(json.dumps({**json.loads(text), "format": 0}))
    with pytest.raises(ValueError, match="bin codes"):
        Reference.from_json(json.dumps({**json.loads(text), "rows": 9_999}))


@pytest.mark.parametrize("rows", [0, 1, LEAST_ROWS - 1])
def test_too_few_rows_decide_nothing(reference: Reference, rows: int) -> None:
    day = measure_drift(reference, draw(1, rows) + 100, scores(1, rows))
    assert not day.decided
    assert not day.drifted
    assert day.drifted_names == ()
    assert f"{rows} rows" in day.words
    assert all(column.threshold is None for column in day.columns)
    json.dumps(day.as_document(), allow_nan=False)


def test_a_small_reference_decides_nothing() -> None:
    small = build_reference(NAMES, draw(0, LEAST_ROWS - 1))
    assert not measure_drift(small, draw(1) + 100).decided


def test_a_day_is_a_json_document(reference: Reference) -> None:
    document = json.loads(json.dumps(measure_drift(reference, draw(1), scores(1) * 1.5).as_document(), allow_nan=False))
    assert document["drifted_names"] == ["score"]
    assert [column["name"] for column in document["features"]] == list(NAMES)


def test_the_reported_figures_are_those_of_their_definitions() -> None:
    sample = np.repeat([0.0, 1.0], [500, 500])[:, None]
    day = np.repeat([0.0, 1.0], [250, 750])[:, None]
    column = measure_drift(build_reference(("x",), sample), day).features[0]
    shares, before = np.array([250.5, 750.5, 0.5]) / 1001.5, np.array([500.5, 500.5, 0.5]) / 1001.5
    assert column.kl == pytest.approx(float((shares * np.log(shares / before)).sum()))
    assert not column.kl_exceeded
    assert column.mean_shift == pytest.approx(0.5)
    assert column.mean_shift_exceeded
    assert column.sigma_shift == pytest.approx(0.5)
    assert column.drifted


def test_a_wrong_shape_is_refused(reference: Reference) -> None:
    with pytest.raises(ValueError, match="named"):
        measure_drift(reference, draw(1)[:, 1:], scores(1))
    with pytest.raises(ValueError, match="scores"):
        measure_drift(reference, draw(1), scores(1)[1:])
    with pytest.raises(ValueError, match="score"):
        measure_drift(reference, draw(1))


def test_counts_of_the_reference_are_its_rows(reference: Reference) -> None:
    counts = reference.counts
    assert (counts.sum(axis=1) == reference.rows).all()
    assert counts[NAMES.index("nothing"), 0] == reference.rows
    assert counts[NAMES.index("flag")].max() == (draw(0, 10_000)[:, NAMES.index("flag")] == 0).sum()
    assert replace(reference) == reference


def test_values_outside_are_allowed_as_often_as_chance_has_it() -> None:
    # Half of all: one beyond the greatest with probability 1/2, two with about 1/4, and so on.
    assert outside_allowed(10_000, 10_000, 0.3) == 1
    assert outside_allowed(10_000, 10_000, 0.2) == 2
    assert outside_allowed(10_000, 10_000, 0.001) == 9
    assert outside_allowed(10, 0, 0.001) == 10
