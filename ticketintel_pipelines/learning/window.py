"""Windows: the tables of some days, as what a model over whole tables learns from or scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines.lake.layout import DayRange

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Window:
    """What is known at the end of its last day: each table that the model reads is a view of `engine`.

    `days` are those that are learned from or scored; the views reach back as far as the model asks for (`reach`), and those of
    whole tables to their beginning. `empty` names the views without a row. A simulated world's truth stands beside as
    `truth_<name>`; `has_truth` says whether there is any. In a training `previous` are the files of the version that scores.
    """

    engine: "duckdb.DuckDBPyConnection"
    days: DayRange
    reach: DayRange
    empty: frozenset[str] = frozenset()
    has_truth: bool = False
    previous: Mapping[str, bytes] | None = None

    def rows(self, query: Path, **parameters: object) -> pa.Table:
        """The rows of a SQL file, which may name `$first_day`, `$last_day`, `$reach_first_day` and these parameters."""
        named = {
            "first_day": self.days.first,
            "last_day": self.days.last,
            "reach_first_day": self.reach.first,
            **parameters,
        }
        text = query.read_text().rstrip().rstrip(";")
        used = {name: value for name, value in named.items() if f"${name}" in text}
        return self.engine.sql(text, params=used).to_arrow_table() if used else fetch_table(self.engine, text)
