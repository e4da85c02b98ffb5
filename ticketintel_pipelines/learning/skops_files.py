"""Models of scikit-learn as skops files whose bytes depend on the model alone."""

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np

TRUSTED = ("sklearn.tree._tree.Tree", "numpy.dtype")
"""Types a file may name besides those that skops trusts itself; a file that names any other is refused."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"


def dump(model: Any) -> bytes:
    """A fitted model of scikit-learn as a skops file.

    What skops writes holds the time, the memory addresses of objects, which also name its arrays, and whatever lay in memory
    between the fields of trees: entries are dated 1980, addresses left out, gaps zeroed, and arrays named by their content.
    """
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as written:
        schema = json.loads(written.read(_SCHEMA))
        arrays = {name: _without_gaps(written.read(name)) for name in written.namelist() if name != _SCHEMA}
    renamed = {name: hashlib.sha256(content).hexdigest() + ".npy" for name, content in arrays.items()}
    entries = {renamed[name]: content for name, content in arrays.items()}
    entries[_SCHEMA] = json.dumps(_without_addresses(schema, renamed)).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as canonical:
        for name in sorted(entries):
            canonical.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED, 6)
    return target.getvalue()


def load(content: bytes) -> Any:
    """The model of a dump.

    Raises:
        skops.io.exceptions.UntrustedTypesFoundException: it names a type that is not trusted.
    """
    import skops.io

    return skops.io.loads(content, trusted=list(TRUSTED))


def _without_gaps(content: bytes) -> bytes:
    """An array's file with zeros between the fields of its records."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    target, zeroed = io.BytesIO(), np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        zeroed[name] = array[name]
    np.save(target, zeroed, allow_pickle=False)
    return target.getvalue()


def _without_addresses(node: Any, renamed: dict[str, str]) -> Any:
    if isinstance(node, dict):
        kept = {key: _without_addresses(value, renamed) for key, value in node.items() if key != "__id__"}
        if isinstance(kept.get("file"), str):
            kept["file"] = renamed[kept["file"]]
        return kept
    if isinstance(node, list):
        return [_without_addresses(value, renamed) for value in node]
    return node
