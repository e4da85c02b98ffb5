"""Pictures of forecasts: a series with what was forecast of it, and errors by how far ahead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.learning.examples import Floats, Integers
from ticketintel_pipelines.learning.report_pictures import LEGEND, OTHERS, OURS, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 5


def weeks(day: Integers, came: Floats, expected: Floats, low: Floats, high: Floats, naive: Floats) -> str:
    """What came over what was forecast, (n,) each, with the interval shaded; `day` counts from 1970."""
    order = np.argsort(day)

    def draw(axes: "Axes") -> None:
        x = day[order]
        axes.fill_between(x, low[order], high[order], color=OURS, alpha=0.15, linewidth=0, label="80 % interval")
        axes.plot(x, naive[order], color=OTHERS[1], linewidth=1, linestyle="--", label="week before")
        axes.plot(x, expected[order], color=OURS, linewidth=1.6, label="forecast")
        axes.plot(x, came[order], "o", color=OTHERS[0], markersize=4, label="came")
        ticks = x[:: max(1, -(-len(x) // MOST_TICKS))]
        axes.set_xticks(ticks, [f"{day_of(int(one)):%d %b}" for one in ticks])
        axes.set(ylabel="A day")
        axes.legend(**{**LEGEND, "ncols": 2})

    return drawn(draw)


def horizons(errors: Mapping[str, Floats]) -> str:
    """Mean error of each way to forecast (H,) over days ahead; the first one is drawn strongest."""

    def draw(axes: "Axes") -> None:
        for place, (name, values) in enumerate(errors.items()):
            colour, width = (OURS, 2.0) if place == 0 else (OTHERS[(place - 1) % len(OTHERS)], 1.2)
            axes.plot(
                np.arange(1, len(values) + 1), values, marker="o", markersize=3, label=name, color=colour, linewidth=width
            )
        axes.set(xlabel="Days ahead", ylabel="Mean absolute error")
        axes.set_ylim(bottom=0)
        axes.legend(**{**LEGEND, "ncols": 2})

    return drawn(draw)
