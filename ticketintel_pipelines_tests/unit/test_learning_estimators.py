"""Each estimator learns, says the same again as bytes, and comes back from its files as it was."""

import numpy as np
import pytest

from ticketintel_pipelines.learning import skops_files
from ticketintel_pipelines.learning.estimators import Estimator, XGBoost
from ticketintel_pipelines.learning.estimators_more import (
    LOADERS,
    Ensemble,
    IsolationForest,
    LightGBM,
    LogisticRegression,
    RandomForest,
    load,
)
from ticketintel_pipelines.learning.metrics import auc_roc
from ticketintel_pipelines_tests.learning_world import LIGHT, world

BOOSTED = LightGBM(trees=20, leaves=7, max_bin=63, more={"num_threads": 1})
ESTIMATORS: tuple[Estimator, ...] = (
    LIGHT,
    BOOSTED,
    RandomForest(trees=10, depth=6),
    IsolationForest(trees=20),
    LogisticRegression(),
    Ensemble((LIGHT, BOOSTED, LogisticRegression())),
)
EXAMPLES = world(days=12)
FEATURES, LABELS = EXAMPLES.features, EXAMPLES.truth
each = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: one.name)


@each
def test_ranks_positives_above_others(estimator: Estimator) -> None:
    scores = estimator.fit(FEATURES[:2000], LABELS[:2000], 7).predict(FEATURES[2000:])
    least = 0.55 if estimator.name == "isolation_forest" else 0.85
    assert scores.dtype == np.float64 and scores.min() > 0 and scores.max() < 1
    assert auc_roc(LABELS[2000:], scores) > least


@each
def test_same_data_and_seed_same_bytes(estimator: Estimator) -> None:
    one, two = (estimator.fit(FEATURES.copy(), LABELS.copy(), 7).dump() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("estimator", ESTIMATORS[2:5], ids=lambda one: one.name)
def test_what_lay_in_memory_before_is_no_part_of_a_model(estimator: Estimator) -> None:
    dumps = []
    for filling in (0, 255):
        # Freed blocks of many sizes, which the next arrays are made of.
        blocks = [np.full(size, filling, np.uint8) for size in range(64, 40_000, 64)]
        del blocks
        dumps.append(estimator.fit(FEATURES, LABELS, 7).dump())
    assert dumps[0] == dumps[1]


@each
def test_comes_back_from_its_files(estimator: Estimator) -> None:
    fitted = estimator.fit(FEATURES, LABELS, 7)
    again = load(estimator.name, fitted.dump())
    asked = np.concatenate([FEATURES[:500], np.full((1, FEATURES.shape[1]), np.nan, np.float32)])
    assert again.predict(asked).tobytes() == fitted.predict(asked).tobytes()
    assert again.dump() == fitted.dump()
    # A row's score does not depend on its neighbours.
    assert again.predict(asked[7:8])[0] == fitted.predict(asked)[7]
    assert len(again.predict(asked[:0])) == 0


@each
def test_varies_within_its_kind_by_seed(estimator: Estimator) -> None:
    one, two = (estimator.varied(np.random.default_rng(3)) for _ in range(2))
    assert one == two and one.name == estimator.name and one != estimator


@pytest.mark.parametrize("estimator", [LIGHT, BOOSTED, LogisticRegression()], ids=lambda one: one.name)
def test_contributions_add_up_to_the_log_odds(estimator: Estimator) -> None:
    fitted = estimator.fit(FEATURES, LABELS, 7)
    scores, told = fitted.predict(FEATURES[:200]), fitted.contributions(FEATURES[:200])
    odds = np.log(scores / (1 - scores))
    # What is left is the same for all rows: the log odds of the mean row.
    np.testing.assert_allclose(odds - told.sum(axis=1), odds[0] - told[0].sum(), atol=2e-4)


def test_an_ensemble_explains_by_those_that_can() -> None:
    fitted = Ensemble((LIGHT, RandomForest(trees=5))).fit(FEATURES, LABELS, 7)
    np.testing.assert_array_equal(fitted.contributions(FEATURES[:9]), fitted.parts[0][1].contributions(FEATURES[:9]))
    assert RandomForest(trees=5).fit(FEATURES, LABELS, 7).contributions(FEATURES[:9]) is None


def test_a_column_that_is_never_known_is_borne() -> None:
    features = FEATURES.copy()
    features[:, 3] = np.nan
    for estimator in ESTIMATORS:
        assert np.isfinite(estimator.fit(features, LABELS, 7).predict(FEATURES[:50])).all(), estimator.name


def test_weights_count() -> None:
    weights = np.where(LABELS == 1, 20.0, 1.0)
    for estimator in (LIGHT, BOOSTED, LogisticRegression(), RandomForest(trees=10, depth=6)):
        plain, weighted = (estimator.fit(FEATURES, LABELS, 7, one).predict(FEATURES).mean() for one in (None, weights))
        assert weighted > 2 * plain, estimator.name


def test_every_estimator_has_a_loader() -> None:
    assert set(LOADERS) == {estimator.name for estimator in ESTIMATORS} and XGBoost().name in LOADERS


def test_a_skops_file_that_names_other_types_is_refused() -> None:
    from skops.io import dumps
    from skops.io.exceptions import UntrustedTypesFoundException

    from ticketintel_pipelines.learning.calibration import Beta

    with pytest.raises(UntrustedTypesFoundException, match="Beta"):
        skops_files.load(dumps(Beta()))
