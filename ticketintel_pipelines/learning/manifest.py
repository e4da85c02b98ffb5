"""Manifests: all that says where a model came from, as canonical JSON whose hash is the model's version."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ticketintel_pipelines.contract import Column
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning.calibration import Beta
from ticketintel_pipelines.learning.intervals import Measured

FORMAT = 1
VERSION_DIGITS = 32
"""Hexadecimal digits of a version: it stands in every scored row, and 128 bits leave nothing to chance."""
PACKAGE = "ticketintel-pipelines"
LIBRARIES = (
    "numpy",
    "scipy",
    "duckdb",
    "xgboost",
    "lightgbm",
    "scikit-learn",
    "skops",
    "onnxruntime",
    "implicit",
)
"""Packages whose releases decide the last bits of a score."""


@dataclass(frozen=True)
class File:
    """A file of a model, by the SHA-256 of its bytes."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> "File":
        return cls(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Snapshot:
    """The data that a model learned from: first and last day, rows, positives, and one hash of the content of all days."""

    first_day: date
    last_day: date
    rows: int
    positives: int
    hash: str

    @classmethod
    def of(cls, content: Mapping[date, str], rows: int, positives: int) -> "Snapshot":
        """The snapshot of days with the hash of each one's content.

        Raises:
            ValueError: there is no day.
        """
        if not content:
            raise ValueError("a snapshot of no day")
        days = sorted(content)
        return cls(days[0], days[-1], rows, positives, hash_of([[day.isoformat(), content[day]] for day in days]))


@dataclass(frozen=True)
class Code:
    """What a model was trained with: the package's version, a hash of the sources, and the libraries' releases."""

    package: str
    sources: str
    libraries: Mapping[str, str]

    @classmethod
    def now(cls, *sources: Path) -> "Code":
        """What runs now; `sources` are files and folders that count besides those of learning, such as a domain's features."""
        return cls(_release(PACKAGE) or "not installed", _hash_of_sources((Path(__file__).parent, *sources)), _libraries())


@dataclass(frozen=True)
class Manifest:
    """One version of a model.

    `kind` says which loader reads the files; `estimator` is the estimator's declaration with all its hyper-parameters.
    `features` are in the order of the columns; `feature_schema` is a hash of their names, types and units. A model over windows
    names the tables that it reads there and hashes the columns that it writes; it has no calibration of this kind.
    `onnx_difference` is the largest one between the ONNX file's predictions and those of the model's own format, None where
    there is no ONNX file.
    """

    model: str
    kind: str
    files: Mapping[str, File]
    features: tuple[str, ...]
    feature_schema: str
    calibration: Beta | None
    estimator: Mapping[str, Any]
    data: Snapshot
    code: Code
    seed: int
    metrics: Mapping[str, Measured]
    trained_at: datetime
    onnx_difference: float | None = None

    @property
    def content(self) -> dict[str, Any]:
        """As JSON knows it."""
        metrics = {name: Measured(one.value, one.low, one.high) for name, one in self.metrics.items()}
        return {"format": FORMAT, **_plain(replace(self, metrics=metrics))}

    @property
    def file(self) -> bytes:
        """The file: keys in order, no blanks, so that equal manifests are equal bytes."""
        return canonical(self.content)

    @property
    def version(self) -> str:
        return hashlib.sha256(self.file).hexdigest()[:VERSION_DIGITS]

    @classmethod
    def read(cls, content: bytes) -> "Manifest":
        """The manifest of a file.

        Raises:
            ValueError: it is none, or one of another format.
        """
        found = json.loads(content)
        if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
            raise ValueError(f"no manifest of format {FORMAT}")
        try:
            data, code = found["data"], found["code"]
            days = {name: date.fromisoformat(data[name]) for name in ("first_day", "last_day")}
            return cls(
                **{
                    **found,
                    "files": {name: File(**file) for name, file in found["files"].items()},
                    "features": tuple(found["features"]),
                    "calibration": None if found["calibration"] is None else Beta(**found["calibration"]),
                    "data": Snapshot(**{**data, **days}),
                    "code": Code(**code),
                    "metrics": {name: _measured(figure) for name, figure in found["metrics"].items()},
                    "trained_at": datetime.fromisoformat(found["trained_at"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no manifest of format {FORMAT}: {error}") from error

    def require_features(self, columns: Iterable[Column]) -> None:
        """Refuse to score rows of other columns than the model learned from.

        Raises:
            BadInputError: a name, a type, a unit or the order differs.
        """
        columns = tuple(columns)
        if feature_schema(columns) == self.feature_schema:
            return
        names = tuple(column.name for column in columns)
        missing = sorted(set(self.features) - set(names))
        new = sorted(set(names) - set(self.features))
        differs = f"missing: {', '.join(missing) or 'none'}; new: {', '.join(new) or 'none'}"
        if not missing and not new:
            differs = "their order, types or units changed"
        raise BadInputError(
            f"{self.model} version {self.version} learned from other features than it is given ({differs}); train it again"
        )


def feature_schema(columns: Iterable[Column]) -> str:
    """A hash of the names, types and units of feature columns, in their order."""
    return hash_of([[column.name, column.type.label, column.unit] for column in columns])


def described(estimator: Any) -> dict[str, Any]:
    """An estimator's declaration as plain values: its name and its hyper-parameters, those of its parts as well."""
    return {"name": estimator.name, **{part.name: _described(getattr(estimator, part.name)) for part in fields(estimator)}}


def canonical(content: Any) -> bytes:
    """JSON in one form only.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def hash_of(content: Any) -> str:
    """SHA-256 of something as canonical JSON."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _described(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return (
            described(value)
            if hasattr(value, "name")
            else {part.name: _described(getattr(value, part.name)) for part in fields(value)}
        )
    if isinstance(value, Mapping):
        return {str(key): _described(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_described(one) for one in value]
    return _plain(value)


def _measured(figure: Mapping[str, float | None]) -> Measured:
    return Measured(**{name: math.nan if value is None else value for name, value in figure.items()})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        # Also NumPy's; a figure that is not a number is one that could not be worked out.
        return float(value) if math.isfinite(value) else None
    return value


def _release(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _libraries() -> dict[str, str]:
    found = {package: _release(package) for package in LIBRARIES}
    return {package: release for package, release in found.items() if release is not None}


def _hash_of_sources(places: Iterable[Path]) -> str:
    sources = [
        [f"{place.name}/{path.relative_to(place).as_posix()}", hashlib.sha256(path.read_bytes()).hexdigest()]
        for place in places
        for path in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if path.suffix in (".py", ".sql")
    ]
    return hash_of(sources)
