"""Words for groups, from how far their means lie from that of all."""

from collections.abc import Sequence

import numpy as np

from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.segmenting.scaling import Trait

TELLS = 0.3
"""Standard deviations: a mean nearer to that of all is not worth a word."""
STRONG = 1.5
MOST_WORDS = 3
AVERAGE = "like most"


def describe(traits: Sequence[Trait], centres: Floats, most: int = MOST_WORDS) -> list[str]:
    """A name for each of k groups, from their scaled centres (k, m): the traits furthest from the mean, the furthest first.

    "very" stands where a mean is further than `STRONG`. Groups that would be called the same are told apart by the trait in
    which they differ most. No two names are equal.
    """
    plain = [", ".join(_words(traits, centre)[:most]) or AVERAGE for centre in centres]
    names = list(plain)
    for name in {one for one in plain if plain.count(one) > 1}:
        twins = [number for number, one in enumerate(plain) if one == name]
        apart = centres[twins] - centres[twins].mean(axis=0)
        place = int(np.abs(apart).max(axis=0).argmax())
        for number, value in zip(twins, apart[:, place], strict=True):
            names[number] = f"{name}; rather {traits[place].high if value > 0 else traits[place].low}"
    return [
        f"{name} ({names[:number].count(name) + 1})" if names.count(name) > 1 else name for number, name in enumerate(names)
    ]


def _words(traits: Sequence[Trait], centre: Floats) -> list[str]:
    found = []
    for place in np.argsort(-np.abs(centre), kind="stable"):
        value, trait = float(centre[place]), traits[place]
        if abs(value) < TELLS:
            break
        word = trait.high if value > 0 else trait.low
        found.append(f"very {word}" if abs(value) >= STRONG else word)
    return found
