"""A registered model scores a million rows, and one row at a time.

A model of 300 trees of depth 6 learns from synthetic rows with 45 features: some are large, some whole numbers, a tenth is
unknown. It is calibrated, registered and read back. A million other rows get probability, decision and confidence, and in turn
with that scikit-learn's interface to the same booster predicts a frame of them, calibrated and decided on as it is usually
written; both give the same. Then single rows are scored by the ONNX form, by XGBoost's own predictor, and by scikit-learn's
interface on a frame of one row, in turn. Both forms are compared on 100,000 rows, and at the splits of the trees.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.learning.calibration import fit_beta
from ticketintel_pipelines.learning.declaration import Decision
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.examples import Features, Floats, Integers
from ticketintel_pipelines.learning.manifest import Code, Snapshot
from ticketintel_pipelines.learning.registry import Origin, Registry
from ticketintel_pipelines.learning.scoring import score
from ticketintel_pipelines.learning.trained import Trained

ROWS, LEARNED, COMPARED, FEATURES = 1_000_000, 20_000, 100_000, 45
ROUNDS = 3
SINGLE_ROWS = {"ONNX": 20_000, "XGBoost": 5_000, "scikit-learn": 300}
SEED = 7
ESTIMATOR = XGBoost(trees=300, depth=6)
COLUMNS = tuple(Column(f"f{number}", ColumnType.NUMBER, f"f{number}") for number in range(FEATURES))
DECISIONS = (
    Decision("BLOCKED", 0.85, "blocked"),
    Decision("MANUAL_REVIEW", 0.65, "looked at"),
    Decision("REQUIRE_2FA", 0.4, "asked again"),
    Decision("APPROVED", 0.0, "approved"),
)


def rows_of(count: int, seed: int) -> tuple[Features, Integers]:
    """Features (n, m) and labels (n,), about 1 % of them positive."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, FEATURES), dtype=np.float32)
    features[:, 1] = features[:, 1] * 1e5 + 1e9
    features[:, 2] = 2**24 + random.integers(0, 1_000, count)
    features[:, 3] = random.integers(0, 2, count)
    features[:, 4:8] = np.exp(2 * features[:, 4:8])
    features[random.random(features.shape, dtype=np.float32) < 0.1] = np.nan
    known = np.nan_to_num(features[:, :12].astype(np.float64))
    whole = np.nan_to_num((features[:, 2].astype(np.float64) - 2**24) / 500)
    odds = known[:, 0] + (known[:, 1] > 1e9) + whole + known[:, 3] * known[:, 8] + np.log1p(known[:, 4]) - 7
    return features, (random.random(count) < 1 / (1 + np.exp(-3 * odds))).astype(np.int64)


def learn(folder: Path) -> tuple[Trained, Trained]:
    """The model in both its forms, as the registry gives them."""
    features, labels = rows_of(LEARNED, SEED)
    later, later_labels = rows_of(LEARNED, SEED + 1)
    fitted = ESTIMATOR.fit(features, labels, SEED)
    trained = Trained("xgboost", tuple(one.name for one in COLUMNS), fitted, fit_beta(fitted.predict(later), later_labels))
    day = date(2026, 1, 1)
    origin = Origin(
        features=COLUMNS,
        estimator=ESTIMATOR,
        data=Snapshot.of({day: "synthetic"}, len(labels), int(labels.sum())),
        code=Code.now(),
        seed=SEED,
        metrics={},
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    registry = Registry(folder, "benchmark")
    manifest = registry.register("fraud", trained, origin, later[:10_000])
    return registry.load("fraud", manifest.version).trained, registry.load_onnx("fraud", manifest.version)


def classifier_of(trained: Trained) -> "object":
    """The same booster behind scikit-learn's interface."""
    import xgboost

    classifier = xgboost.XGBClassifier(n_jobs=2)
    classifier.load_model(bytearray(trained.fitted.dump()["model.ubj"]))
    return classifier


def usual(classifier, trained: Trained, frame: pd.DataFrame) -> tuple[Floats, np.ndarray]:
    """Probabilities and names of decisions, as they are usually worked out of a frame."""
    probability = trained.calibration.apply(classifier.predict_proba(frame)[:, 1].astype(np.float64))
    reached = [probability >= decision.at_least for decision in DECISIONS]
    return probability, np.select(reached, [decision.name for decision in DECISIONS], default="")


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def many(trained: Trained, classifier) -> tuple[list[float], list[float], list[float]]:
    """Seconds for a million rows of each round, ours and the usual way, and seconds of processors that ours took.

    The last says what it would take if nothing else ran: half of it, on two cores.
    """
    features, _ = rows_of(ROWS, SEED + 2)
    frame = pd.DataFrame(features, columns=list(trained.names))
    names = np.array([decision.name for decision in DECISIONS])
    ours, theirs, busy = [], [], []
    for _ in range(ROUNDS):
        started, worked = time.perf_counter(), time.process_time()
        scored = score(trained, features, DECISIONS)
        ours.append(time.perf_counter() - started)
        busy.append(time.process_time() - worked)
        started = time.perf_counter()
        probability, decided = usual(classifier, trained, frame)
        theirs.append(time.perf_counter() - started)
        assert np.abs(scored.probability - probability).max() <= 1e-5
        apart = names[scored.decision] != decided
        # The peer's probabilities are of float32: one that lies on a threshold may fall to its other side.
        assert apart.mean() <= 1e-5
        assert len(np.unique(decided)) > 1, "all rows alike are no comparison"
    return ours, theirs, busy


def single(onnx: Trained, trained: Trained, classifier) -> dict[str, list[float]]:
    """Seconds of each single row, by who scores it; in turn, in a hundred parts."""
    features, _ = rows_of(max(SINGLE_ROWS.values()), SEED + 3)
    frame = pd.DataFrame(features[:300], columns=list(trained.names))
    ways: dict[str, Callable[[int], object]] = {
        "ONNX": lambda place: onnx.probabilities(features[place : place + 1]),
        "XGBoost": lambda place: trained.probabilities(features[place : place + 1]),
        "scikit-learn": lambda place: usual(classifier, trained, frame.iloc[place : place + 1]),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for part in range(100):
        for name, way in ways.items():
            share = SINGLE_ROWS[name] // 100
            way(0)
            found[name] += [seconds_of(lambda at=place, way=way: way(at)) for place in range(part * share, (part + 1) * share)]
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trained, onnx = learn(Path(folder))
    classifier = classifier_of(trained)
    compared, _ = rows_of(COMPARED, SEED + 4)
    apart = float(np.abs(onnx.fitted.predict(compared) - trained.fitted.predict(compared)).max())
    calibrated = float(np.abs(onnx.probabilities(compared) - trained.probabilities(compared)).max())
    assert apart <= 1e-6
    ours, theirs, busy = many(trained, classifier)
    taken = single(onnx, trained, classifier)
    print(f"{ROWS:,} rows of {FEATURES} features, {ESTIMATOR.trees} trees of depth {ESTIMATOR.depth}, {ROUNDS} rounds")
    print(f"  ours {statistics.median(ours):.2f} s, slowest {max(ours):.2f} s; scikit-learn {statistics.median(theirs):.2f} s")
    print(f"  ours took {statistics.median(busy):.2f} s of processors")
    print(f"{'one row, calibrated':<24}{'median µs':>12}{'p99 µs':>12}")
    for name, seconds in taken.items():
        print(f"{name:<24}{1e6 * statistics.median(seconds):>12.1f}{1e6 * float(np.quantile(seconds, 0.99)):>12.1f}")
    print(f"largest difference of the two forms on {COMPARED:,} rows: {apart:.2g}, calibrated {calibrated:.2g}")
    median = {name: statistics.median(seconds) for name, seconds in taken.items()}
    figures = {
        "million_rows_seconds": round(statistics.median(ours), 3),
        "million_rows_slowest_seconds": round(max(ours), 3),
        "million_rows_processor_seconds": round(statistics.median(busy), 3),
        "onnx_p99_ms": round(1e3 * float(np.quantile(taken["ONNX"], 0.99)), 4),
        "largest_difference": apart,
        "largest_difference_calibrated": calibrated,
        "speedup_vs_scikit_learn_frame": round(statistics.median(a / b for a, b in zip(theirs, ours, strict=True)), 2),
        "one_row_speedup_vs_xgboost": round(median["XGBoost"] / median["ONNX"], 1),
        "one_row_speedup_vs_scikit_learn_frame": round(median["scikit-learn"] / median["ONNX"], 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
