"""Models over windows as ticketing declares them: a version is another one as soon as anything that made it is another."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.ticketing import models
from ticketintel_pipelines.ticketing.models import WINDOW_MODELS
from ticketintel_pipelines.ticketing.models.queries import QUERIES

FOLDER = Path(models.__file__).parent


def _made_with(path: Path, found: set[Path]) -> set[Path]:
    """A file of the models' folder and whatever it imports from there, however far."""
    found.add(path)
    for name in re.findall(r"ticketing\.models(?:\.| import )(\w+)", path.read_text()):
        other = FOLDER / f"{name}.py"
        if other.is_file() and other not in found:
            _made_with(other, found)
    return found


@pytest.mark.parametrize("model", WINDOW_MODELS, ids=lambda model: model.name)
def test_a_version_depends_on_the_declaration_the_method_and_what_these_import(model: WindowModel) -> None:
    method = model.method()
    assert isinstance(method, ModuleType) and method.__file__
    declaration = FOLDER / f"{model.method.__module__.rpartition('.')[2]}.py"
    made_with = _made_with(Path(method.__file__), _made_with(declaration, set()))
    # It only says where SQL lies.
    assert made_with - {FOLDER / "queries.py"} <= set(model.sources)


@pytest.mark.parametrize("model", WINDOW_MODELS, ids=lambda model: model.name)
def test_a_version_depends_on_the_sql_that_it_reads_by(model: WindowModel) -> None:
    assert all(path.is_file() for path in model.sources)
    text = "".join(path.read_text() for path in model.sources if path.suffix == ".py")
    patterns = [re.sub(r"{\w+}", "*", name) for name in re.findall(r"[\w{}]+\.sql", text)]
    named = {path for pattern in patterns for path in QUERIES.glob(pattern)}
    assert named
    # The truth of a simulated world judges a version, and makes none.
    assert {path for path in named if not path.stem.endswith("_truth")} <= set(model.sources)
