"""Bands night by night: the last slots of each stream are all that has to be kept."""

import io
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.learning.bands.judging import Band, Judged, judge
from ticketintel_pipelines.learning.examples import Floats, Integers, Texts


@dataclass(frozen=True)
class Kept:
    """The newest slots of each stream (m,), at most as many as the band is long, of each place of a cycle."""

    stream: Texts
    at: Integers
    values: Floats

    @classmethod
    def nothing(cls) -> "Kept":
        return cls(np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64), np.zeros(0))

    def dump(self) -> bytes:
        """The state as an npz file, equal for equal states."""
        written = io.BytesIO()
        np.savez(written, stream=self.stream.astype(np.str_), at=self.at, values=self.values)
        return written.getvalue()

    @classmethod
    def load(cls, content: bytes) -> "Kept":
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return cls(file["stream"].astype(object), file["at"], file["values"])


def carry(kept: Kept, stream: Texts, at: Integers, values: Floats, band: Band) -> tuple[Judged, Kept]:
    """Judge the values that came since, (n,), and what is then to be kept.

    Taken in any pieces of whole instants, values get the very bits they get when all are judged at once.

    Raises:
        BadInputError: a value is not later than what is kept of its stream; it would change bands that are judged already.
    """
    names, code = np.unique(np.concatenate([kept.stream, stream]).astype(np.str_), return_inverse=True)
    code, old = code.astype(np.int64), len(kept.at)
    newest = np.full(len(names), np.iinfo(np.int64).min)
    np.maximum.at(newest, code[:old], kept.at)
    late = at <= newest[code[old:]]
    if late.any():
        name = names[code[old:][late][0]]
        raise BadInputError(
            f"stream {name}: a value is not later than those already judged; judge its days again from the start"
        )
    all_at, all_values = np.concatenate([kept.at, at]), np.concatenate([kept.values, values])
    judged = judge(code, all_at, all_values, band)
    place = band.places(code, all_at)
    order = np.lexsort((band.raised(all_values), all_at, place))
    from_end = np.searchsorted(place[order], place[order], side="right") - np.arange(len(order))
    last = np.sort(order[from_end <= band.length])
    new = slice(old, None)
    return (
        Judged(
            judged.mean[new],
            judged.lower[new],
            judged.upper[new],
            judged.count[new],
            judged.deviation[new],
            judged.verdict[new],
        ),
        Kept(names[code[last]].astype(object), all_at[last], all_values[last]),
    )
