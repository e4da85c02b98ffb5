"""Where the tests find the real data beside the repository."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def shared_data(name: str) -> Path:
    """The folder `../shared/data/NAME` seen from the repository; skips the test where it is absent."""
    path = _ROOT.parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not here: it is not distributed with the project")
    return path
