"""Which blocks were asked for which contracts, and which are still to be asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ticketintel_pipelines.chain.contracts import Contract


@dataclass(frozen=True)
class Covered:
    """The blocks first..last, of which the logs of these addresses were taken."""

    first: int
    last: int
    addresses: frozenset[str]


def missing(contracts: Iterable[Contract], covered: Sequence[Covered], last: int) -> list[Covered]:
    """What is to be taken so that each contract has every block from its start to `last` once: lowest blocks first.

    Contracts that lack the same blocks are asked for together; a contract that was added later gets its own past.
    """
    contracts = list(contracts)
    covered = merged(covered)
    cuts = {last + 1, *(contract.start_block for contract in contracts)}
    for part in covered:
        cuts |= {part.first, part.last + 1}
    pieces: list[Covered] = []
    for start, end in pairwise(sorted(cut for cut in cuts if cut <= last + 1)):
        taken: set[str] = set()
        for part in covered:
            if part.first <= start and end - 1 <= part.last:
                taken |= part.addresses
        wanted = frozenset(c.address for c in contracts if c.start_block <= start and c.address not in taken)
        if not wanted:
            continue
        if pieces and pieces[-1].last == start - 1 and pieces[-1].addresses == wanted:
            pieces[-1] = Covered(pieces[-1].first, end - 1, wanted)
        else:
            pieces.append(Covered(start, end - 1, wanted))
    return pieces


def merged(covered: Iterable[Covered]) -> list[Covered]:
    """Parts that follow one another as one, for each set of addresses."""
    whole: list[Covered] = []
    for part in sorted(covered, key=lambda part: (sorted(part.addresses), part.first)):
        before = whole[-1] if whole else None
        if before is not None and before.addresses == part.addresses and part.first <= before.last + 1:
            whole[-1] = Covered(before.first, max(before.last, part.last), before.addresses)
        else:
            whole.append(part)
    return sorted(whole, key=lambda part: (part.first, part.last))


def repeated(covered: Sequence[Covered]) -> list[Covered]:
    """Blocks that were taken more than once for the same address."""
    ordered = sorted(covered, key=lambda part: (part.first, part.last))
    doubles = []
    for place, part in enumerate(ordered):
        for later in ordered[place + 1 :]:
            if later.first > part.last:
                break
            if both := part.addresses & later.addresses:
                doubles.append(Covered(later.first, min(part.last, later.last), both))
    return doubles
