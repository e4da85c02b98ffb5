"""Pictures of a report as SVG to stand inside the page: same evaluation, same bytes, no outside address."""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ticketintel_pipelines.learning.breakdowns import Bin, Curve
from ticketintel_pipelines.learning.costs import CostCurve
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: Any = {
    # Marks and clip paths are named by a hash; with the salt fixed the names stay.
    "svg.hashsalt": "report",
    "svg.fonttype": "none",
    # Names of features and models are text, whatever they hold.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a9099",
    "axes.labelcolor": "#3c434c",
    "xtick.color": "#5a626c",
    "ytick.color": "#5a626c",
    "grid.color": "#e3e6ea",
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
OURS, OTHERS, LINE = "#14508c", ("#c2571a", "#8a9099", "#5b8c5a", "#8a5a9e", "#b08d1e"), "#b3261e"
LEGEND: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "borderaxespad": 0}
MOST_BARS = 20
LEAST_SHARE = 1e-6
"""Smaller shares are drawn as this one."""
WIDTH, HEIGHT = 5.2, 3.6
"""Inches, of 72 points each."""


def roc_picture(curves: Mapping[str, Curve]) -> str:
    """ROC curves, the first one drawn strongest; the diagonal is chance."""

    def draw(axes: "Axes") -> None:
        for (name, curve), look in zip(curves.items(), _looks(curves), strict=True):
            axes.plot(curve.false_positive_rate, curve.recall, label=name, **look)
        axes.plot([0, 1], [0, 1], color="#c9ced5", linewidth=1, linestyle=":")
        axes.set(xlabel="False-positive rate", ylabel="Recall", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(**LEGEND)

    return drawn(draw)


def precision_recall_picture(curves: Mapping[str, Curve], positive_share: float) -> str:
    """Precision over recall; the dotted line is the share of positives, which a random order reaches."""

    def draw(axes: "Axes") -> None:
        for (name, curve), look in zip(curves.items(), _looks(curves), strict=True):
            axes.plot(curve.recall, curve.precision, label=name, drawstyle="steps-pre", **look)
        axes.axhline(positive_share, color="#c9ced5", linewidth=1, linestyle=":")
        axes.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(**LEGEND)

    return drawn(draw)


def calibration_picture(bins: Sequence[Bin]) -> str:
    """Share of positives over mean score by bin, with intervals, both axes logarithmic; on the dotted line they agree."""
    seen = [value for one in bins for value in (one.score, one.share.value, one.share.low) if value > 0]
    floor = 10.0 ** math.floor(math.log10(max(min(seen, default=0.1), LEAST_SHARE)))

    def draw(axes: "Axes") -> None:
        scores = [max(one.score, floor) for one in bins]
        shares = [max(one.share.value, floor) for one in bins]
        for score, one in zip(scores, bins, strict=True):
            axes.plot([score, score], [max(one.share.low, floor), max(one.share.high, floor)], color=OURS, linewidth=1.2)
        axes.plot(scores, shares, color=OURS, marker="o", markersize=4, linewidth=1)
        axes.plot([floor, 1], [floor, 1], color="#8a9099", linewidth=1, linestyle=":")
        axes.set(xscale="log", yscale="log", xlim=(floor, 1.2), ylim=(floor, 1.2))
        axes.set(xlabel="Mean score", ylabel="Share of positives")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")

    return drawn(draw)


def importance_picture(importances: Sequence[tuple[str, float]]) -> str:
    """The features of most weight, the heaviest at the top."""
    shown = list(importances[:MOST_BARS])[::-1]

    def draw(axes: "Axes") -> None:
        axes.barh([name for name, _ in shown], [weight for _, weight in shown], color=OURS, height=0.65)
        axes.set(xlabel="Mean absolute contribution (log odds)")
        axes.grid(False, axis="y")

    return drawn(draw, width=8.0, height=0.8 + 0.26 * len(shown))


def cost_picture(curve: CostCurve, threshold: float, cost: float, unit: str) -> str:
    """Cost of every threshold; solid line: the operating one, with its cost, dashed: the best in hindsight."""

    def draw(axes: "Axes") -> None:
        best, least = curve.best
        kept = slice(None, None, max(1, len(curve.thresholds) // 2000))
        axes.plot(curve.thresholds[kept], curve.cost[kept], color=OURS, linewidth=1.6)
        axes.axvline(threshold, color=LINE, linewidth=1.2, label=f"operating threshold {threshold:g}")
        axes.axvline(best, color="#5b8c5a", linewidth=1.2, linestyle="--", label=f"best in hindsight {best:.3f}")
        axes.set(xlabel="Threshold", ylabel=f"Cost on the test days ({unit})", xlim=(0, 1))
        # Thresholds near 0 stop everything, and would flatten all others.
        axes.set(ylim=(0, max(curve.nothing_stopped, cost, least, 1.0) * 1.15))
        axes.legend(**LEGEND)

    return drawn(draw, width=8.0)


def _looks(curves: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """Ours strong, champion and baseline in colours of their own, all others thin."""
    looks: list[dict[str, Any]] = []
    for place, name in enumerate(curves):
        if place == 0:
            looks.append({"color": OURS, "linewidth": 2.0, "zorder": 3})
        elif name in (CHAMPION, BASELINE):
            looks.append({"color": OTHERS[0] if name == CHAMPION else OTHERS[1], "linewidth": 1.4})
        else:
            looks.append({"color": OTHERS[2 + place % 3], "linewidth": 0.9})
    return looks


def drawn(draw: "Callable[[Axes], None]", width: float = WIDTH, height: float = HEIGHT) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        return _svg(figure)


def _svg(figure: "Figure") -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = written.getvalue()
    text = text[text.index("<svg") :]
    # Inside HTML the element needs no name spaces, and the page should name no address at all.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\sxmlns(:xlink)?=\"[^\"]*\"", "", text)
    return re.sub(r"<svg ", '<svg role="img" ', text, count=1)
