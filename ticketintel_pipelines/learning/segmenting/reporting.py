"""What a report says of groups: how many there might be, who they are, where they lie, and who is outside."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers, Texts
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.learning.report_pictures import LINE, OTHERS, OURS, drawn
from ticketintel_pipelines.learning.segmenting.assessing import Elbow
from ticketintel_pipelines.learning.segmenting.clusters import drawn_rows
from ticketintel_pipelines.learning.segmenting.grouping import Grouped
from ticketintel_pipelines.learning.segmenting.outliers import Density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS = 800
MOST_OUTLIERS = 10
COLOURS = (OURS, *OTHERS)


def number_section(grouped: Grouped, found: Elbow) -> Section:
    """How many groups the rows themselves ask for."""
    number = grouped.grouping.number
    title = f"How many {grouped.grouping.name}s"
    if len(found.numbers) < 3:
        return Section(title, ("The rows are too alike to try numbers of groups.",))
    words = (
        f"{number} are asked for. The silhouette is highest with {found.clearest} "
        f"({found.silhouettes[found.numbers.index(found.clearest)]:.2f}), the curve of squared distances bends at {found.bend}"
        + (
            f"; with {number} the silhouette is {found.silhouettes[found.numbers.index(number)]:.2f}."
            if number in found.numbers
            else "."
        )
    )

    def clear(axes: "Axes") -> None:
        axes.plot(found.numbers, found.silhouettes, color=OURS, marker="o", markersize=4)
        axes.axvline(number, color=LINE, linewidth=1, linestyle="--")
        axes.set(xlabel="Number of groups", ylabel="Mean silhouette", ylim=(0, None))

    def bend(axes: "Axes") -> None:
        axes.plot(found.numbers, found.inertias, color=OURS, marker="o", markersize=4)
        axes.axvline(number, color=LINE, linewidth=1, linestyle="--")
        axes.set(xlabel="Number of groups", ylabel="Squared distance to the centre, mean", ylim=(0, None))

    return Section(
        title,
        (words,),
        (),
        (
            (drawn(clear), "Silhouette on rows not fitted to; dashed: the number in use."),
            (drawn(bend), "Squared distances of the rows fitted to."),
        ),
    )


def groups_section(grouped: Grouped, columns: Mapping[str, Floats], groups: Integers, words: tuple[str, ...] = ()) -> Section:
    """Each group with its name, its size and its middle in the traits' own units."""
    traits = grouped.grouping.traits
    rows = []
    for place, (key, name) in enumerate(zip(grouped.ids, grouped.names, strict=True)):
        here = groups == place
        cells = [_figure(columns[trait.name][here]) for trait in traits]
        rows.append((key, name, f"{int(here.sum()):,}", f"{here.mean():.1%}", *cells))
    left = [trait.name for trait in traits if trait not in grouped.traits]
    notes = ["Figures are medians of the group; empty where none of its rows has one."]
    if left:
        notes.append(f"Not used, since unknown or equal in all rows: {', '.join(left)}.")
    header = ("id", "name", "rows", "share", *(f"{trait.name}{f' ({trait.unit})' if trait.unit else ''}" for trait in traits))
    return Section(f"The {grouped.grouping.name}s", words, (Grid(header, rows, notes),))


def _figure(values: Floats) -> str:
    known = values[~np.isnan(values)]
    return f"{np.median(known):.3g}" if len(known) else ""


def map_section(grouped: Grouped, scaled: Floats, groups: Integers, outside: Flags, seed: int) -> Section:
    """Rows, groups and outliers in the plane of the first two principal components."""
    from sklearn.decomposition import PCA

    title = f"Where the {grouped.grouping.name}s lie"
    if scaled.shape[1] < 2:
        return Section(title, ("There is one trait only: no plane to draw.",))
    plane = PCA(2, svd_solver="full").fit(scaled[drawn_rows(len(scaled), 50_000, seed)])
    shown = drawn_rows(len(scaled), DOTS, seed)
    dots, centres = plane.transform(scaled[shown]), plane.transform(grouped.clusters.centres)

    def draw(axes: "Axes") -> None:
        for place, key in enumerate(grouped.ids):
            here = groups[shown] == place
            axes.scatter(
                dots[here, 0], dots[here, 1], s=7, color=COLOURS[place % len(COLOURS)], alpha=0.6, label=key, linewidths=0
            )
        far = outside[shown]
        axes.scatter(dots[far, 0], dots[far, 1], s=26, facecolors="none", edgecolors=LINE, linewidths=0.9, label="outlier")
        for place, key in enumerate(grouped.ids):
            axes.annotate(key, centres[place], fontsize=11, fontweight="bold", ha="center", va="center")
        axes.set(xlabel="First principal component", ylabel="Second principal component")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, borderaxespad=0, markerscale=1.6)

    shares = plane.explained_variance_ratio_
    loads = "; ".join(
        f"the {word} is mostly {', '.join(_loads(grouped, component))}"
        for word, component in zip(("first", "second"), plane.components_, strict=True)
    )
    caption = f"{len(shown):,} rows drawn at random. The plane holds {shares.sum():.0%} of the variance: {loads}."
    return Section(title, (), (), ((drawn(draw, width=8.0, height=5.0), caption),))


def _loads(grouped: Grouped, component: Floats) -> list[str]:
    order = np.argsort(-np.abs(component), kind="stable")[:3]
    return [f"{grouped.traits[place].name} ({component[place]:+.2f})" for place in order]


def outlier_section(
    density: Density, grouped: Grouped, columns: Mapping[str, Floats], keys: Texts, outside: Flags, distance: Floats
) -> Section:
    """How outliers are told, and those furthest from their group."""
    cores, regions = len(density.cores), len(np.unique(density.groups))
    words = (
        f"DBSCAN on {len(density.curve):,} rows: {density.neighbours} neighbours within {density.radius:.2f} standard "
        f"deviations, read off the knee of the curve below, make a core; there are {cores:,} in {regions} dense regions. A row "
        f"near no core is an outlier: {int(outside.sum()):,} of {len(outside):,} rows ({outside.mean():.1%}).",
    )

    def draw(axes: "Axes") -> None:
        kept = np.unique(np.linspace(0, len(density.curve) - 1, 400).astype(int))
        axes.plot(kept / max(1, len(density.curve) - 1), density.curve[kept], color=OURS)
        axes.axhline(density.radius, color=LINE, linewidth=1, linestyle="--")
        axes.set(xlabel="Share of rows", ylabel=f"Distance to neighbour {density.neighbours}")

    far = np.flatnonzero(outside)
    far = far[np.argsort(-distance[far], kind="stable")][:MOST_OUTLIERS]
    rows = [
        (
            str(keys[place]),
            f"{distance[place]:.2f}",
            *(_figure(columns[trait.name][[place]]) for trait in grouped.grouping.traits),
        )
        for place in far
    ]
    header = ("row", "distance", *(trait.name for trait in grouped.grouping.traits))
    notes = ("The outliers furthest from the centre of their group.",)
    picture = (drawn(draw), "Distances to the neighbour asked for, in order; dashed: the one in use.")
    return Section("Outliers", words, (Grid(header, rows, notes),) if rows else (), (picture,))
