"""A partition of a shuffle is answered the same however it is cut into batches and chunks."""

import numpy as np
import pyarrow as pa
import pytest

from ticketintel_pipelines.features import spark_partition
from ticketintel_pipelines.features.folds import Distinct, Fold, Latest, Lifetime, Median, Trailing
from ticketintel_pipelines.features.rows import MISSING, nullable

FOLDS = (
    Fold("sums", "sold", "by", Trailing({"short": 3, "long": 40}), "asked", "by", ("amount",)),
    Fold("life", "sold", "by", Lifetime(), "asked", "by", ("amount", "kind")),
    Fold("last", "sold", "by", Latest(2), "asked", "by", ("amount",)),
    Fold("kinds", "sold", "by", Distinct(), "asked", "by", ("kind",), "wanted"),
    Fold("middle", "sold", "by", Median(), "asked", "by", ("amount",)),
)
HORIZON = 230


def shuffled(rng: np.random.Generator, rows: int, first: int, last: int) -> pa.Table:
    """Rows of a few keys, one of them with most of the rows, many at one instant."""
    key = (6 * rng.random(rows) ** 4).astype(np.int64)
    columns = {
        "key": key,
        "seen": rng.integers(first, last, rows),
        "row": rng.permutation(rows),
        "side": rng.integers(1, 4, rows),
    }
    for name, side in (("entry_amount", 1), ("entry_kind", 1), ("own_wanted", 2)):
        values = rng.integers(0, 30, rows)
        missing = (columns["side"] & side == 0) | (rng.random(rows) < 0.1)
        columns[name] = np.where(missing, MISSING, values)
    order = np.lexsort([columns[name] for name in ("row", "seen", "key")])
    return pa.table({name: nullable(values[order]) for name, values in columns.items()})


def with_states(table: pa.Table, made: pa.Table) -> pa.Table:
    """The states that came out, as they go into the next shuffle."""
    learned = made.filter(made["key"].is_valid())
    place = [[fold.name for fold in FOLDS].index(name) for name in learned["fold"].to_pylist()]
    zeros, earliest = np.zeros(len(learned), np.int64), np.full(len(learned), MISSING)
    states = pa.table({"key": learned["key"], "seen": earliest, "row": place, "side": zeros, "words": learned["words"]})
    both = pa.concat_tables([table, states], promote_options="default")
    return both.sort_by([("key", "ascending"), ("seen", "ascending"), ("row", "ascending")])


def folded(table: pa.Table, batch_rows: int) -> pa.Table:
    """Answers in order of rows, then states in order of keys."""
    made = pa.Table.from_batches(spark_partition.fold_batches(FOLDS, HORIZON, table.to_batches(batch_rows)))
    return made.sort_by([("row", "ascending"), ("key", "ascending"), ("fold", "ascending")])


@pytest.mark.parametrize("chunk_rows", [1, 7, 40, 150])
def test_chunks_do_not_matter(chunk_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table, later = shuffled(rng, 300, 0, 200), shuffled(rng, 300, 200, HORIZON)
        monkeypatch.setattr(spark_partition, "CHUNK_ROWS", 1 << 30)
        expected = folded(table, 1 << 30)
        expected_later = folded(with_states(later, expected), 1 << 30)
        monkeypatch.setattr(spark_partition, "CHUNK_ROWS", chunk_rows)
        batch_rows = int(rng.integers(1, 60))
        assert folded(table, batch_rows).equals(expected)
        assert folded(with_states(later, expected), batch_rows).equals(expected_later)


def test_a_row_without_time_is_refused() -> None:
    table = shuffled(np.random.default_rng(1), 10, 0, 5)
    timeless = table.set_column(1, "seen", pa.nulls(10, pa.int64()))
    with pytest.raises(ValueError, match="instant"):
        folded(timeless, 10)
