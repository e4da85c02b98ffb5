"""Files of trained models: reading a model's own format, and the ONNX form beside it.

A model's own format (UBJ for XGBoost, text for LightGBM, skops for scikit-learn) predicts many rows at a time, ONNX one row in
microseconds. None of them runs code when it is read. Converting to ONNX needs onnx and onnxmltools, predicting from it
onnxruntime alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ticketintel_pipelines.errors import BadInputError, TicketIntelError
from ticketintel_pipelines.learning.estimators import Fitted
from ticketintel_pipelines.learning.estimators_more import LOADERS, load
from ticketintel_pipelines.learning.examples import Features, Floats

ONNX_FILE = "model.onnx"
ONNX_INPUT = "features"
ONNX_OUTPUT = "log_odds"
OPERATORS = 17
"""Release of ONNX's own operators; what they do does not change within one."""
LARGEST_DIFFERENCE = 1e-6
EDGE_ROWS = 1_000


class FormatsDisagreeError(TicketIntelError):
    """The two forms of a model predict different things, so that it may not be registered."""


def load_fitted(kind: str, files: Mapping[str, bytes]) -> Fitted:
    """The model of a dump.

    Raises:
        BadInputError: no loader reads this kind.
    """
    if kind not in LOADERS:
        raise BadInputError(f"no loader for models of the kind {kind}; one of {', '.join(LOADERS)}")
    return load(kind, files)


def to_onnx(kind: str, fitted: Fitted, features: int) -> bytes | None:
    """The ONNX form of a model of so many features; None for kinds that are only scored many rows at a time."""
    convert = CONVERTERS.get(kind)
    return None if convert is None else convert(fitted, features)


def _xgboost_to_onnx(fitted: Any, features: int) -> bytes:
    """The sums of the trees, in float32 as XGBoost has them, bit for bit.

    They are left in log odds: what ONNX Runtime would make of them depends, in the last bit, on how many rows are asked for.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = convert_xgboost(fitted.booster, initial_types=[(ONNX_INPUT, FloatTensorType([None, features]))])
    # Else it has a random one, and equal models are no equal bytes.
    model.graph.name = "trees"
    (trees,) = model.graph.node
    for attribute in trees.attribute:
        if attribute.name == "post_transform":
            attribute.s = b"NONE"
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "positive"))
    model.graph.node.append(helper.make_node("Gather", [trees.output[1], "positive"], [ONNX_OUTPUT], axis=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(ONNX_OUTPUT, TensorProto.FLOAT, [None]))
    model.opset_import.append(helper.make_opsetid("", OPERATORS))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


CONVERTERS: Mapping[str, Callable[[Any, int], bytes]] = {"xgboost": _xgboost_to_onnx}


class OnnxModel:
    """Predicts from an ONNX file, on one thread: a row is done before a second one could be woken."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        self.content = content
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def predict(self, features: Features) -> Floats:
        """Uncalibrated probabilities of being positive (n,), of features (n, m)."""
        log_odds = self.session.run([ONNX_OUTPUT], {ONNX_INPUT: features})[0].astype(np.float64)
        # Beyond this the probability is 0 all the same, and the exponential overflows.
        found: Floats = 1 / (1 + np.exp(-np.maximum(log_odds, -700)))
        return found

    def contributions(self, features: Features) -> None:
        return None

    def dump(self) -> dict[str, bytes]:
        return {ONNX_FILE: self.content}


def check_agreement(fitted: Fitted, content: bytes, rows: Features, seed: int = 0) -> float:
    """The largest difference between a model's predictions and those of its ONNX form.

    Asked on the given rows (n, m), on a row of which nothing is known, and on rows one of whose values is moved to where a tree
    splits, or to the nearest number beside it.

    Raises:
        FormatsDisagreeError: it is over 1e-6, or a prediction is not a number.
    """
    asked = np.concatenate([rows, np.full((1, rows.shape[1]), np.nan, np.float32), _rows_at_splits(content, rows, seed)])
    apart = np.abs(fitted.predict(asked) - OnnxModel(content).predict(asked))
    largest = float(np.where(np.isnan(apart), np.inf, apart).max())
    if largest > LARGEST_DIFFERENCE:
        count = int((~(apart <= LARGEST_DIFFERENCE)).sum())
        raise FormatsDisagreeError(
            f"the ONNX form of the model differs from its own by up to {largest:.2g} on {count} of {len(asked)} rows "
            f"(at most {LARGEST_DIFFERENCE:g} is allowed); it is not registered"
        )
    return largest


def _rows_at_splits(content: bytes, rows: Features, seed: int) -> Features:
    """Given rows with one value each replaced by a split's or a neighbour of it: where rounding would show."""
    import onnx

    attributes = {
        attribute.name: attribute
        for node in onnx.load_from_string(content).graph.node
        if node.op_type.startswith("TreeEnsemble")
        for attribute in node.attribute
    }
    if not attributes or not len(rows):
        return rows[:0]
    inner = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings])
    feature = np.array(attributes["nodes_featureids"].ints)[inner]
    split = np.array(attributes["nodes_values"].floats, np.float32)[inner]
    if not len(split):
        return rows[:0]
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(split), EDGE_ROWS)
    moved = rows[random.integers(0, len(rows), EDGE_ROWS)].astype(np.float32)
    towards = random.choice(np.array([-np.inf, 0.0, np.inf], np.float32), EDGE_ROWS)
    beside = np.nextafter(split[chosen], towards)
    moved[np.arange(EDGE_ROWS), feature[chosen]] = np.where(towards == 0, split[chosen], beside)
    return moved
