"""What a day is compared with: a sample of rows the model was trained for, kept as bins.

Each feature, and the score, is cut at the percentiles of the sample; a row is kept as its bin in each column. That is all a
rank test needs, joint over the columns, and 20,000 rows of 45 columns fit in a JSON document. Values are compared as float32,
the precision the models compute in, so that a matrix stored wider or narrower has the same bins.
"""

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Features, Floats, Integers

Bins = NDArray[np.uint8]
Matrix = NDArray[Any]

CUTS = 100
"""Bins of a continuous column; a value held by one row in a hundred has one of its own."""
CODES = CUTS + 4
"""Codes a column can take: null, below the sample, at most `CUTS` + 1 bins from its least to its greatest value, above it."""
NULL = 0
SCORE = "score"
"""The name under which the score is reported."""
_FORMAT = 1
_GREATEST = np.float32(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Reference:
    """A sample of `rows` rows with one column for each of `names`, then one for the score if `scored`.

    `edges` are each column's bin edges, ascending, from its least to its greatest value; empty where all is null. `means` and
    `deviations` are of the values that are not null, None where there is none. `packed` holds the bin codes (`rows`, columns),
    uint8, row by row, in an order that does not depend on that of the sample.
    """

    names: tuple[str, ...]
    scored: bool
    edges: tuple[tuple[float, ...], ...]
    means: tuple[float | None, ...]
    deviations: tuple[float | None, ...]
    rows: int
    packed: bytes

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.names, SCORE) if self.scored else self.names

    @property
    def codes(self) -> Bins:
        """(rows, columns): `NULL`, then 1 for below the least value, and so on upwards."""
        return np.frombuffer(self.packed, np.uint8).reshape(self.rows, len(self.edges))

    @property
    def counts(self) -> Integers:
        """(columns, CODES): rows of the sample in each bin."""
        return count_codes(self.codes)

    def encode(self, values: Features) -> Bins:
        """The bin codes of (n, columns) values, in their order."""
        codes = np.zeros(values.shape, np.uint8)
        for place, edges in enumerate(self.edges):
            codes[:, place] = _encode(values[:, place], edges)
        return codes

    def to_json(self) -> str:
        """The reference as a JSON document; the same reference, the same text."""
        packed = base64.b64encode(zlib.compress(self.packed, 9)).decode()
        document = {"format": _FORMAT, **{name: getattr(self, name) for name in _PLAIN}, "codes": packed}
        return json.dumps(document, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Reference":
        """Raises ValueError where the text is not one `to_json` wrote."""
        document = json.loads(text)
        if document.get("format") != _FORMAT:
            raise ValueError(f"a drift reference of format {document.get('format')!r}; {_FORMAT} is read")
        packed = zlib.decompress(base64.b64decode(document["codes"]))
        edges = tuple(tuple(cut) for cut in document["edges"])
        if len(packed) != document["rows"] * len(edges):
            raise ValueError(f"{len(packed)} bin codes for {document['rows']} rows of {len(edges)} columns")
        return Reference(
            names=tuple(document["names"]),
            scored=document["scored"],
            edges=edges,
            means=tuple(document["means"]),
            deviations=tuple(document["deviations"]),
            rows=document["rows"],
            packed=packed,
        )


_PLAIN = ("names", "scored", "rows", "edges", "means", "deviations")


def build_reference(names: tuple[str, ...], features: Matrix, scores: Matrix | None = None) -> Reference:
    """The reference for a sample: (n, m) features, NaN where missing, and n scores of the same rows.

    Every row is kept: hand over a random sample of some 20,000, of days like those to be judged.

    Raises:
        ValueError: the shapes do not agree.
    """
    values = as_columns(names, features, scores)
    edges = tuple(_edges(column) for column in values.T)
    moments = [moments_of(column) for column in values.T]
    bare = Reference(names, scores is not None, edges, (), (), len(values), b"")
    return Reference(
        names=names,
        scored=scores is not None,
        edges=edges,
        means=tuple(mean for mean, _ in moments),
        deviations=tuple(deviation for _, deviation in moments),
        rows=len(values),
        packed=in_own_order(bare.encode(values)).tobytes(),
    )


def as_columns(names: tuple[str, ...], features: Matrix, scores: Matrix | None) -> Features:
    """Features and score side by side as float32, infinities as the greatest number.

    Raises:
        ValueError: the shapes do not agree.
    """
    if features.ndim != 2 or features.shape[1] != len(names):
        raise ValueError(f"features have shape {features.shape}, {len(names)} are named")
    if scores is not None and scores.shape != (len(features),):
        raise ValueError(f"scores have shape {scores.shape}, features {features.shape}")
    with np.errstate(over="ignore"):
        columns = features if scores is None else np.column_stack([features, scores])
        return np.clip(columns.astype(np.float32), -_GREATEST, _GREATEST)


def moments_of(column: Features) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the values that are not null, whatever their order; None where there is none."""
    known: Floats = np.sort(column[~np.isnan(column)]).astype(np.float64)
    if not len(known):
        return None, None
    return float(known.mean()), float(known.std())


def in_own_order(codes: Bins) -> Bins:
    """The rows in an order that depends on nothing but their content."""
    if not codes.size:
        return codes
    rows = np.ascontiguousarray(codes).view(np.dtype((np.void, codes.shape[1]))).ravel()
    return codes[np.argsort(rows)]


def count_codes(codes: Bins) -> Integers:
    """(columns, CODES): rows in each bin."""
    columns = codes.shape[1]
    places = codes + CODES * np.arange(columns)
    return np.bincount(places.ravel(), minlength=CODES * columns).reshape(columns, CODES)


def group_codes(counts: Integers, groups: int) -> Integers:
    """(columns, CODES): each value bin's group, 0 to `groups` - 1, of about equal rows; neighbours stay together.

    A bin belongs where the middle of its rows lies, and one without rows beyond all others with the nearest that has some. The
    null bin has no group: its entry is `groups`.
    """
    values = counts[:, 1:]
    total = np.maximum(values.sum(axis=1, keepdims=True), 1)
    middle = (np.cumsum(values, axis=1) - values / 2) / total
    least = np.where(values > 0, middle, 1).min(axis=1, keepdims=True)
    greatest = np.where(values > 0, middle, 0).max(axis=1, keepdims=True)
    middle = np.minimum(np.maximum(middle, least), greatest)
    group = np.minimum((middle * groups).astype(np.int64), groups - 1)
    return np.column_stack([np.full(len(counts), groups), group])


def _edges(column: Features) -> tuple[float, ...]:
    known = column[~np.isnan(column)]
    if not len(known):
        return ()
    return tuple(np.unique(np.quantile(known, np.linspace(0, 1, CUTS + 1), method="inverted_cdf")).tolist())


def _encode(column: Features, edges: tuple[float, ...]) -> Bins:
    # The greatest value is a bin of its own, so that what lies above it is told apart.
    top = np.nextafter(np.float32(edges[-1]), np.float32(np.inf)) if edges else None
    cuts = np.array([*edges, top] if edges else [], np.float32)
    codes = np.searchsorted(cuts, column, side="right") + 1
    codes[np.isnan(column)] = NULL
    return codes.astype(np.uint8)
