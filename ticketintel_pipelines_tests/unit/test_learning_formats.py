"""A model's two forms: they say the same wherever rounding could part them, and where they do not, that is told."""

from dataclasses import replace

import numpy as np
import pytest

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning.estimators import FittedXGBoost, XGBoost
from ticketintel_pipelines.learning.estimators_more import Ensemble, IsolationForest, LightGBM, LogisticRegression, RandomForest
from ticketintel_pipelines.learning.formats import (
    LARGEST_DIFFERENCE,
    FormatsDisagreeError,
    OnnxModel,
    check_agreement,
    load_fitted,
    to_onnx,
)

ROWS, WIDTH = 1_500, 7
ESTIMATOR = XGBoost(trees=30, depth=4, rate=0.3)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Features of the kinds that float32 rounds: around 1e9, integers beyond 2^24, tiny ones, flags, and holes."""
    random = np.random.default_rng(3)
    features = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    features[:, 1] = random.normal(1e9, 1e4, ROWS)
    features[:, 2] = 2**24 + random.integers(0, 500, ROWS)
    features[:, 3] *= 1e-30
    features[:, 4] = random.integers(0, 2, ROWS)
    features[random.random(features.shape) < 0.1] = np.nan
    return features


@pytest.fixture(scope="module")
def labels(rows: np.ndarray) -> np.ndarray:
    known = np.nan_to_num(rows, nan=0.0)
    odds = known[:, 0] + (known[:, 1] > 1e9) + (known[:, 2] > 2**24 + 250) + known[:, 3] * 1e30 + known[:, 4] - 2
    return (np.random.default_rng(4).random(ROWS) < 1 / (1 + np.exp(-2 * odds))).astype(np.int64)


@pytest.fixture(scope="module")
def fitted(rows: np.ndarray, labels: np.ndarray) -> FittedXGBoost:
    return ESTIMATOR.fit(rows, labels, seed=1)


@pytest.fixture(scope="module")
def onnx(fitted: FittedXGBoost) -> bytes:
    found = to_onnx("xgboost", fitted, WIDTH)
    assert found is not None
    return found


def test_both_forms_agree_on_large_numbers_on_unknown_ones_and_at_every_kind_of_split(fitted, onnx, rows) -> None:
    assert check_agreement(fitted, onnx, rows) <= LARGEST_DIFFERENCE


def test_a_row_by_itself_gets_the_score_that_it_gets_among_others(onnx, rows) -> None:
    model = OnnxModel(onnx)
    alone = np.concatenate([model.predict(rows[place : place + 1]) for place in range(200)])
    assert alone.tobytes() == model.predict(rows[:200]).tobytes()


def test_the_sums_of_the_trees_are_those_of_the_model_bit_for_bit(fitted, onnx, rows) -> None:
    found = OnnxModel(onnx).session.run(None, {"features": rows})[0]
    assert found.tobytes() == fitted.booster.inplace_predict(rows, predict_type="margin").tobytes()


def test_whatever_the_log_odds_a_probability_comes_of_it(fitted, onnx, rows) -> None:
    class Session:
        def run(self, names, asked):
            return [np.array([-1e30, -1000, 0, 1000, 1e30], np.float32)]

    model = OnnxModel(onnx)
    model.session = Session()
    with np.errstate(over="raise", invalid="raise"):
        assert model.predict(rows[:5]) == pytest.approx([0, 0, 0.5, 1, 1])


def test_the_same_model_is_converted_to_the_same_bytes(fitted, onnx) -> None:
    again = to_onnx("xgboost", FittedXGBoost.load(fitted.dump()), WIDTH)
    assert again == onnx


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(ESTIMATOR, rate=0.31), id="another model"),
        pytest.param(replace(ESTIMATOR, max_bin=16), id="splits elsewhere"),
    ],
)
def test_a_form_that_says_something_else_is_refused_with_how_much(other: XGBoost, fitted, rows, labels) -> None:
    wrong = to_onnx("xgboost", other.fit(rows, labels, seed=1), WIDTH)
    assert wrong is not None
    with pytest.raises(FormatsDisagreeError, match=r"differs from its own by up to 0\.\d+ on \d+ of \d+ rows"):
        check_agreement(fitted, wrong, rows)


def test_splits_moved_by_one_rounding_are_noticed(fitted, onnx, rows) -> None:
    import onnx as library

    model = library.load_from_string(onnx)
    (splits,) = (one for one in model.graph.node[0].attribute if one.name == "nodes_values")
    moved = np.nextafter(np.array(splits.floats, np.float32), np.float32(np.inf))
    del splits.floats[:]
    splits.floats.extend(moved.tolist())
    with pytest.raises(FormatsDisagreeError):
        # None of these rows lies on a split: the check finds the places by itself.
        check_agreement(fitted, model.SerializeToString(), np.full((1, WIDTH), 0.123, np.float32))


def test_a_prediction_that_is_no_number_is_a_disagreement(onnx, rows) -> None:
    class Broken(FittedXGBoost):
        def predict(self, features):
            return np.full(len(features), np.nan)

    with pytest.raises(FormatsDisagreeError, match=r"up to inf on \d+ of \d+ rows"):
        check_agreement(Broken(None), onnx, rows)


@pytest.mark.parametrize(
    "estimator",
    [
        XGBoost(trees=5),
        LightGBM(trees=5),
        RandomForest(trees=5),
        IsolationForest(trees=5),
        LogisticRegression(),
        Ensemble((XGBoost(trees=3), LightGBM(trees=3), LogisticRegression())),
    ],
    ids=lambda estimator: estimator.name,
)
def test_each_kind_is_read_as_it_was_written(estimator, rows, labels) -> None:
    # Values near the largest float would overflow in a line; they are no matter of the files.
    features = np.nan_to_num(rows[:500], nan=np.nan)
    fitted = estimator.fit(features, labels[:500], seed=2)
    read = load_fitted(estimator.name, fitted.dump())
    assert read.predict(features).tobytes() == fitted.predict(features).tobytes()


def test_a_kind_that_nothing_reads_is_refused() -> None:
    with pytest.raises(BadInputError, match="no loader for models of the kind pickle"):
        load_fitted("pickle", {"model.pkl": b""})
