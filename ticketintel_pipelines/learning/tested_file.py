"""The table of tested rows as a file, so that a report can be made of it again."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.examples import Examples
from ticketintel_pipelines.learning.tested import Tested

_SEPARATOR = "/"


def save_tested(tested: Tested, path: Path) -> None:
    """Write the table as compressed NumPy arrays, texts as fixed-width Unicode: no object is pickled."""
    arrays: dict[str, Any] = {}
    for field in fields(Examples):
        value = getattr(tested.examples, field.name)
        if field.name == "slices":
            arrays |= {f"slices{_SEPARATOR}{name}": _plain(values) for name, values in value.items()}
        elif value is not None:
            arrays[f"examples{_SEPARATOR}{field.name}"] = _plain(np.asarray(value))
    arrays |= {f"contenders{_SEPARATOR}{name}": scores for name, scores in tested.contenders.items()}
    for name in ("labels", "scores", "fold", "importance", "removed", "trained_rows", "trained_positives"):
        value = getattr(tested, name)
        if value is not None:
            arrays[name] = np.asarray(value)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_tested(path: Path) -> Tested:
    """The table of such a file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    own = _under("examples", arrays)
    examples = Examples(
        **{name: values for name, values in own.items() if name not in ("names", "ids", "kind")},
        names=tuple(own["names"].tolist()),
        ids=own["ids"].astype(object),
        kind=own["kind"].astype(object) if "kind" in own else None,
        slices={name: values.astype(object) for name, values in _under("slices", arrays).items()},
    )
    return Tested(
        examples=examples,
        labels=arrays["labels"],
        scores=arrays["scores"],
        fold=arrays["fold"],
        contenders=_under("contenders", arrays),
        importance=arrays.get("importance"),
        removed=int(arrays["removed"]),
        trained_rows=tuple(arrays["trained_rows"].tolist()),
        trained_positives=tuple(arrays["trained_positives"].tolist()),
    )


def _plain(values: Any) -> Any:
    return values.astype(np.str_) if values.dtype == object else values


def _under(group: str, arrays: dict[str, Any]) -> dict[str, Any]:
    prefix = f"{group}{_SEPARATOR}"
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
