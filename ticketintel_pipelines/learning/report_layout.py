"""What a page is made of: sections of words, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

Addition = tuple[str, Sequence[str], Sequence[Sequence[object]], str]
"""A table of the caller's: title, header, rows, words."""

TONES = {"yes": "good", "no": "bad", "few positives": "muted", "worse than agreed": "bad"}
"""How cells that say just this are coloured."""
MOST_LETTERS = 6
"""Of a figure with its unit; what has more is text that begins with a number."""
_BEGINS = frozenset("0123456789−–<∞")


@dataclass(frozen=True)
class Grid:
    """A table of the page."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page: words, then tables, then pictures (SVG that is safe to stand in HTML) with their captions."""

    title: str
    words: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    pictures: Sequence[tuple[str, str]] = ()


def numeric_columns(grid: Grid) -> list[bool]:
    """Which columns hold figures, and stand to the right: those whose every cell is one, perhaps with a unit, or is empty."""
    columns = zip(*grid.rows, strict=True) if grid.rows else ([] for _ in grid.header)
    return [all(not cell or _is_figure(cell) for cell in cells) and any(cells) for cells in map(list, columns)]


def _is_figure(cell: str) -> bool:
    return cell[0] in _BEGINS and sum(letter.isalpha() for letter in cell) <= MOST_LETTERS


def page(
    title: str, purpose: str, verdict: Sequence[str], sections: Sequence[Section], name: str = "", estimator: str = ""
) -> str:
    """A page that stands by itself, as HTML; of a model, its name and what learns."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ticketintel_pipelines.learning", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        title=title,
        name=name,
        estimator=estimator,
        purpose=purpose,
        verdict=verdict,
        sections=sections,
        numeric=numeric_columns,
        tones=TONES,
    )
