"""Pictures of prices: residuals, pairs of paid and fair, and how often prices lie below each quantile."""

from typing import TYPE_CHECKING

import numpy as np

from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.pricing.quantiles import LEVELS
from ticketintel_pipelines.learning.report_pictures import LEGEND, LINE, OTHERS, OURS, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DOTS = 1_500
"""More make the page heavy and the picture no clearer."""
FAR = 1.5
"""Residuals further out are drawn at the edge."""


def residuals(ours: Floats, others: Floats, other: str) -> str:
    """How prices (n,) lie around what was said: logarithms of paid over said, ours and the naive price's."""

    def draw(axes: "Axes") -> None:
        edges = np.linspace(-FAR, FAR, 61).tolist()
        for values, name, colour in ((others, other, OTHERS[1]), (ours, "boosted median", OURS)):
            axes.hist(np.clip(values, -FAR, FAR), bins=edges, label=name, color=colour, histtype="step", linewidth=1.6)
        axes.axvline(0, color="#8a9099", linewidth=1, linestyle=":")
        axes.set(xlabel="Logarithm of paid over said", ylabel="Sales")
        axes.legend(**{**LEGEND, "ncols": 1})

    return drawn(draw)


def price_pairs(paid: Floats, fair: Floats, unit: str) -> str:
    """Paid over fair price, both (n,) as logarithms; every k-th sale where there are many."""
    kept = slice(None, None, max(1, len(paid) // MOST_DOTS))

    def draw(axes: "Axes") -> None:
        axes.plot(np.exp(fair[kept]), np.exp(paid[kept]), ".", color=OURS, markersize=2.5, alpha=0.5)
        ends = np.exp([min(fair.min(), paid.min()), max(fair.max(), paid.max())])
        axes.plot(ends, ends, color=LINE, linewidth=1, linestyle=":")
        axes.set(xscale="log", yscale="log", xlabel=f"Fair price ({unit})", ylabel=f"Paid ({unit})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")

    return drawn(draw)


def calibration(paid: Floats, raw: Floats, moved: Floats) -> str:
    """Share of prices (n,) at or below each quantile over its level, for quantiles (n, 3) before and after calibration."""

    def draw(axes: "Axes") -> None:
        for quantiles, name, colour in ((raw, "before calibration", OTHERS[1]), (moved, "after", OURS)):
            shares = [(paid <= quantiles[:, place]).mean() for place in range(len(LEVELS))]
            axes.plot(LEVELS, shares, marker="o", label=name, color=colour)
        axes.plot([0, 1], [0, 1], color="#8a9099", linewidth=1, linestyle=":")
        axes.set(xlabel="Level of the quantile", ylabel="Prices below it", xlim=(0, 1), ylim=(0, 1))
        axes.legend(**LEGEND)

    return drawn(draw)
