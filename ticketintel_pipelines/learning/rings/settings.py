"""What the definitions take as a ring, and how they are combined: all numbers in one place, kept as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ticketintel_pipelines.learning.examples import DAY
from ticketintel_pipelines.learning.rings.flags import Definition

WEIGHTS: Mapping[Definition, tuple[str, float]] = {
    Definition.SELF_TRADE: ("itself", 0.70),
    Definition.RETURN_TRIP: ("way", 0.35),
    Definition.CLOSED_CYCLE: ("way", 0.45),
    Definition.STRONG_COMPONENT: ("way", 0.25),
    Definition.THREE_BUYS: ("trades", 0.15),
    Definition.THREE_SELLS: ("trades", 0.15),
    Definition.REPEATED_ROUTE: ("route", 0.50),
    Definition.ZERO_RISK: ("price", 0.25),
    Definition.VOLUME_MATCH: ("price", 0.25),
    Definition.COMMON_FUNDER: ("funder", 0.50),
    Definition.COMMON_EXIT: ("exit", 0.50),
}
"""How strongly each definition by itself speaks for a wash trade, and of which kind of evidence it is. Of one kind only the
strongest counts: a return trip is a strong component, too, and says nothing more by being both."""


@dataclass(frozen=True)
class Settings:
    """`window_days` is the window of every definition. Prices are riskless within `price_tolerance` (fees and drift); volumes
    match within `volume_tolerance`, in `volume_sales` sales or more. Wallets that fund more than `hub` wallets, or are paid by
    more, are hubs; those that keep tokens for more than `custody` wallets are custodians.
    A strong component of more than `crowd` wallets is a market and speaks for nothing. What speaks for a case adds up to
    its score, 1 - (1 - w)(1 - w')…, and from `threshold` on it is a wash trade: a cycle at one price with three buys in it
    (0.649) is none yet, since where resale prices are fixed a popular token does that by chance.
    """

    window_days: int = 30
    longest: int = 6
    price_tolerance: float = 0.10
    volume_tolerance: float = 0.01
    volume_sales: int = 4
    hub: int = 25
    custody: int = 50
    crowd: int = 8
    threshold: float = 0.65
    weights: Mapping[Definition, tuple[str, float]] = field(default_factory=lambda: dict(WEIGHTS))

    @property
    def window(self) -> int:
        """Microseconds."""
        return self.window_days * DAY


def as_json(settings: Settings) -> dict[str, object]:
    values = asdict(settings)
    values["weights"] = {definition.name: list(weight) for definition, weight in settings.weights.items()}
    return values


def from_json(values: Mapping[str, object]) -> Settings:
    """Raises KeyError for a definition that there is none of."""
    read = json.loads(json.dumps(values))
    read["weights"] = {Definition[name]: (kind, float(weight)) for name, (kind, weight) in read["weights"].items()}
    return Settings(**read)
