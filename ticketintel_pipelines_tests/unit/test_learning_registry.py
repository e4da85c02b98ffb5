"""The registry's files: what comes out is what went in, or nothing does."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning import formats
from ticketintel_pipelines.learning.calibration import Beta
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.estimators_more import Ensemble, LightGBM, LogisticRegression
from ticketintel_pipelines.learning.intervals import Difference, Measured
from ticketintel_pipelines.learning.manifest import Code, Manifest, Snapshot, described
from ticketintel_pipelines.learning.registry import DamagedModelError, Origin, Registry
from ticketintel_pipelines.learning.trained import Trained

COLUMNS = tuple(
    Column(name, ColumnType.NUMBER, name, unit=unit) for name, unit in (("velocity", "count"), ("age", "days"), ("ratio", None))
)
NAMES = tuple(column.name for column in COLUMNS)
ESTIMATOR = XGBoost(trees=20, depth=3)
ORIGIN = Origin(
    features=COLUMNS,
    estimator=ESTIMATOR,
    data=Snapshot.of({date(2026, 1, 2): "b", date(2026, 1, 1): "a"}, rows=400, positives=40),
    code=Code("0.1.0", "sources", {"xgboost": "3.2.0"}),
    seed=7,
    metrics={"auc_pr": Measured(0.61, 0.52, 0.7), "auc_roc": Measured(0.9)},
    trained_at=datetime(2026, 1, 3, 2, tzinfo=UTC),
)
CALIBRATION = Beta(1.1, 0.7, -0.25)

FRESH_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from ticketintel_pipelines.learning.registry import Registry

root, version, rows, scores = sys.argv[1:]
found = Registry(Path(root), "shop").load("fraud", version)
Path(scores).write_bytes(found.trained.probabilities(np.load(rows)).tobytes())
"""


@dataclass(frozen=True)
class Kept:
    """A registered model, its rows, and the folder of its version."""

    registry: Registry
    trained: Trained
    manifest: Manifest
    rows: np.ndarray

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def folder(self) -> Path:
        return self.registry.root / "shop" / "fraud" / self.version


def _rows() -> np.ndarray:
    random = np.random.default_rng(5)
    rows = random.normal(size=(400, 3)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


ROWS = _rows()
LABELS = (np.nan_to_num(ROWS[:, 0]) > 1).astype(np.int64)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained("xgboost", NAMES, ESTIMATOR.fit(ROWS, LABELS, 7), CALIBRATION)


@pytest.fixture
def kept(trained: Trained, tmp_path: Path) -> Kept:
    registry = Registry(tmp_path / "models", "shop")
    return Kept(registry, trained, registry.register("fraud", trained, ORIGIN, ROWS), ROWS)


def test_a_model_that_is_read_is_the_one_that_was_registered(kept: Kept) -> None:
    found = kept.registry.load("fraud", kept.version)
    assert found.manifest == kept.manifest or found.manifest.file == kept.manifest.file
    assert (found.trained.names, found.trained.calibration) == (NAMES, CALIBRATION)
    assert found.trained.fitted.dump() == kept.trained.fitted.dump()


def test_another_process_gives_the_same_scores_bit_for_bit(kept: Kept, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", kept.rows)
    arguments = [kept.registry.root, kept.version, tmp_path / "rows.npy", tmp_path / "scores"]
    subprocess.run([sys.executable, "-c", FRESH_PROCESS, *map(str, arguments)], check=True, cwd=Path(__file__).parents[2])
    assert (tmp_path / "scores").read_bytes() == kept.trained.probabilities(kept.rows).tobytes()


def test_rows_alone_score_as_they_do_among_others(kept: Kept) -> None:
    found = kept.registry.load("fraud", kept.version).trained
    alone = b"".join(found.probabilities(kept.rows[place : place + 1]).tobytes() for place in range(100))
    assert alone == found.probabilities(kept.rows[:100]).tobytes()


def test_the_form_for_one_row_scores_the_same_but_for_rounding(kept: Kept) -> None:
    found = kept.registry.load_onnx("fraud", kept.version)
    apart = np.abs(found.probabilities(kept.rows) - kept.trained.probabilities(kept.rows))
    assert apart.max() <= formats.LARGEST_DIFFERENCE
    assert kept.manifest.onnx_difference is not None
    assert kept.manifest.onnx_difference <= formats.LARGEST_DIFFERENCE


def test_nothing_but_the_manifest_decides_the_version(kept: Kept) -> None:
    again = kept.registry.register("fraud", kept.trained, ORIGIN, ROWS)
    assert again.version == kept.version
    assert kept.registry.versions("fraud") == [kept.version]
    others = [
        replace(ORIGIN, seed=8),
        replace(ORIGIN, trained_at=datetime(2026, 1, 17, 2, tzinfo=UTC)),
        replace(ORIGIN, data=Snapshot.of({date(2026, 1, 2): "b", date(2026, 1, 1): "c"}, rows=400, positives=40)),
        replace(ORIGIN, code=replace(ORIGIN.code, sources="others")),
        replace(ORIGIN, estimator=XGBoost(trees=20, depth=3, rate=0.2)),
    ]
    versions = {kept.registry.register("fraud", kept.trained, origin, ROWS).version for origin in others}
    assert len(versions | {kept.version}) == 6


@pytest.mark.parametrize("name", ["model.ubj", "model.onnx"])
@pytest.mark.parametrize("bit", [0, 1_000, -1])
def test_a_file_of_which_one_bit_was_changed_is_refused_by_name(kept: Kept, name: str, bit: int) -> None:
    path = kept.folder / name
    content = bytearray(path.read_bytes())
    content[bit] ^= 1
    path.write_bytes(content)
    for read in (kept.registry.load, kept.registry.load_onnx, kept.registry.verify):
        with pytest.raises(DamagedModelError, match=f"{name} was changed since it was registered"):
            read("fraud", kept.version)


def test_a_manifest_that_was_edited_is_refused(kept: Kept) -> None:
    path = kept.folder / "manifest.json"
    content = json.loads(path.read_bytes())
    content["calibration"]["c"] = 2.0
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedModelError, match=r"manifest\.json was changed"):
        kept.registry.load("fraud", kept.version)


def test_a_manifest_that_is_only_laid_out_otherwise_is_refused(kept: Kept) -> None:
    path = kept.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=2))
    with pytest.raises(DamagedModelError, match=r"manifest\.json was changed"):
        kept.registry.load("fraud", kept.version)


@pytest.mark.parametrize("name", ["model.ubj", "model.onnx", "manifest.json"])
def test_a_file_that_is_gone_is_named(kept: Kept, name: str) -> None:
    (kept.folder / name).unlink()
    with pytest.raises(DamagedModelError, match=f"{name} is missing"):
        kept.registry.load("fraud", kept.version)


def test_a_version_of_another_model_is_not_taken_for_this_one(kept: Kept) -> None:
    target = kept.registry.root / "shop" / "bots" / kept.version
    target.parent.mkdir()
    kept.folder.rename(target)
    with pytest.raises(DamagedModelError, match="is the manifest of fraud"):
        kept.registry.load("bots", kept.version)


def test_registering_again_mends_what_was_damaged(kept: Kept) -> None:
    (kept.folder / "model.ubj").write_bytes(b"")
    kept.registry.register("fraud", kept.trained, ORIGIN, ROWS)
    assert kept.registry.verify("fraud", kept.version).version == kept.version


def test_a_model_whose_forms_disagree_leaves_nothing_behind(trained: Trained, tmp_path: Path, monkeypatch) -> None:
    wrong = formats.to_onnx("xgboost", XGBoost(trees=3).fit(ROWS, LABELS, 7), 3)
    monkeypatch.setitem(formats.CONVERTERS, "xgboost", lambda fitted, features: wrong)
    with pytest.raises(formats.FormatsDisagreeError):
        Registry(tmp_path, "shop").register("fraud", trained, ORIGIN, ROWS)
    assert list(tmp_path.rglob("*")) == []


def test_a_writing_that_dies_leaves_no_version(trained: Trained, tmp_path: Path, monkeypatch) -> None:
    registry, written = Registry(tmp_path, "shop"), []

    def dies(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 2:
            raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(OSError, match="disk is full"):
            registry.register("fraud", trained, ORIGIN, ROWS)
    assert registry.versions("fraud") == []
    assert registry.load("fraud", registry.register("fraud", trained, ORIGIN, ROWS).version)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), Ensemble((XGBoost(trees=3), LightGBM(trees=3), LogisticRegression()))],
    ids=lambda estimator: estimator.name,
)
def test_kinds_without_a_form_for_one_row_are_kept_too(estimator, tmp_path: Path) -> None:
    registry = Registry(tmp_path, "shop")
    trained = Trained(estimator.name, NAMES, estimator.fit(ROWS, LABELS, 7), CALIBRATION)
    manifest = registry.register("fraud", trained, replace(ORIGIN, estimator=estimator), ROWS)
    found = registry.load("fraud", manifest.version).trained
    assert found.probabilities(ROWS).tobytes() == trained.probabilities(ROWS).tobytes()
    with pytest.raises(DamagedModelError, match="without an ONNX form"):
        registry.load_onnx("fraud", manifest.version)


@pytest.mark.parametrize("name", ["../fraud", "/fraud", "", "Fraud", "a/b"])
def test_no_name_leads_out_of_the_registry(kept: Kept, name: str) -> None:
    with pytest.raises(ValueError, match="names no model"):
        kept.registry.load(name, kept.version)
    with pytest.raises(ValueError, match="names no model"):
        kept.registry.load("fraud", f"../{kept.version}")


@pytest.mark.parametrize("name", ["../model.ubj", "/tmp/model.ubj", "", "a\\b", "manifest.json"])
def test_no_file_leads_out_of_its_folder_or_hides_the_manifest(name: str, tmp_path: Path) -> None:
    class Odd:
        def predict(self, features):
            return np.zeros(len(features))

        def contributions(self, features):
            return None

        def dump(self):
            return {name: b"x"}

    with pytest.raises(ValueError, match="is no name for a model's file"):
        Registry(tmp_path / "models", "shop").register("fraud", Trained("odd", NAMES, Odd()), ORIGIN, ROWS)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_of_other_features_than_it_is_said_to_have_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not those it is said to come from"):
        Registry(tmp_path, "shop").register("fraud", trained, replace(ORIGIN, features=COLUMNS[::-1]), ROWS)


def test_the_manifest_says_where_the_model_came_from(kept: Kept) -> None:
    content = json.loads((kept.folder / "manifest.json").read_bytes())
    assert content["estimator"] == {"name": "xgboost", **{**vars(ESTIMATOR), "more": {}}}
    assert content["data"] | {"hash": ""} == {
        "first_day": "2026-01-01",
        "last_day": "2026-01-02",
        "rows": 400,
        "positives": 40,
        "hash": "",
    }
    assert content["metrics"]["auc_pr"] == {"value": 0.61, "low": 0.52, "high": 0.7}
    assert content["metrics"]["auc_roc"] == {"value": 0.9, "low": None, "high": None}
    assert content["trained_at"] == "2026-01-03T02:00:00+00:00"


def test_a_manifest_is_read_as_it_was_written(kept: Kept) -> None:
    difference = Difference(0.1, 0.05, 0.2, p_value=0.01)
    manifest = replace(kept.manifest, metrics={"gain": difference, "none": Measured(float("nan"))})
    assert Manifest.read(manifest.file).file == manifest.file


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format":1}', b'{"format":2}', b"\xff"])
def test_what_is_no_manifest_is_told(content: bytes) -> None:
    with pytest.raises(ValueError):
        Manifest.read(content)


def test_an_ensemble_is_described_with_its_parts() -> None:
    found = described(Ensemble((XGBoost(trees=3), LogisticRegression(0.5))))
    assert found["name"] == "ensemble"
    assert [part["name"] for part in found["parts"]] == ["xgboost", "logistic_regression"]
    assert found["parts"][1]["inverse_penalty"] == 0.5


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param(COLUMNS[:2], "missing: ratio; new: none", id="one is missing"),
        pytest.param((*COLUMNS, replace(COLUMNS[0], name="fresh")), "missing: none; new: fresh", id="one is new"),
        pytest.param(COLUMNS[::-1], "their order, types or units changed", id="another order"),
        pytest.param((COLUMNS[0], replace(COLUMNS[1], unit="hours"), COLUMNS[2]), "types or units changed", id="another unit"),
    ],
)
def test_rows_of_other_features_are_not_scored(kept: Kept, columns: tuple[Column, ...], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        kept.manifest.require_features(columns)
    kept.manifest.require_features(replace(column, description="in other words") for column in COLUMNS)


def test_the_code_is_known_by_its_sources(tmp_path: Path) -> None:
    (tmp_path / "features.sql").write_text("SELECT 1")
    before, file_before = Code.now(tmp_path), Code.now(tmp_path / "features.sql")
    assert before == Code.now(tmp_path)
    assert before.libraries["xgboost"]
    (tmp_path / "features.sql").write_text("SELECT 2")
    assert Code.now(tmp_path).sources != before.sources
    assert Code.now(tmp_path / "features.sql").sources != file_before.sources
    assert Code.now().sources not in (before.sources, Code.now(tmp_path).sources)


def test_a_snapshot_depends_on_the_content_of_each_day_alone() -> None:
    one = Snapshot.of({date(2026, 1, 1): "a", date(2026, 1, 2): "b"}, 5, 1)
    assert one == Snapshot.of({date(2026, 1, 2): "b", date(2026, 1, 1): "a"}, 5, 1)
    assert one.hash != Snapshot.of({date(2026, 1, 1): "b", date(2026, 1, 2): "a"}, 5, 1).hash
    assert (one.first_day, one.last_day) == (date(2026, 1, 1), date(2026, 1, 2))
    with pytest.raises(ValueError, match="no day"):
        Snapshot.of({}, 0, 0)
