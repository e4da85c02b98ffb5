"""A hundred short runs against a chain that reorganises, nodes that err and cut, and processes that die: nothing is lost.

Each world is one chain and one deployment. Between runs the chain goes on, or takes blocks back; during a run the node has
faults, or the process is killed at some step. The last run of a world is undisturbed, and what then is landed and published
must be what the chain says.
"""

import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ticketintel_pipelines.chain.contracts import ChainSettings
from ticketintel_pipelines.chain.events import TRANSFER
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.nights import work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages import chain as stage
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.chain_state import ChainState
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain, Faults, NodeDouble
from ticketintel_pipelines_tests.chain_double.faults import PASSING
from ticketintel_pipelines_tests.chain_stage import SMALL, assert_complete, extract, settings_of, true_hashes, true_logs

WORLDS = 10
RUNS = 11
STEPS = (
    (stage, "stage_increment"),
    (stage, "move_into_place"),
    (Catalog, "withdraw"),
    (Catalog, "record_import"),
    (ChainState, "add"),
    (ChainState, "note_progress"),
)
"""Where a process can die, before and after."""


class Killed(BaseException):
    """What nothing catches."""


class Killer:
    """Lets the process die at one of the next steps, if so armed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps_left: int | None = None
        for place, name in STEPS:
            monkeypatch.setattr(place, name, self._watched(getattr(place, name)))

    def _watched(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self._count()
            result = step(*arguments, **named)
            self._count()
            return result

        return watched

    def _count(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.steps_left = None
                raise Killed


def disturbed_run(workspace: Workspace, settings: ChainSettings, chain: DoubleChain, rng: random.Random, killer: Killer) -> str:
    """One run with faults, and perhaps a death; how it ended."""
    faults = Faults(dict.fromkeys(PASSING, rng.choice((0.0, 0.005, 0.02))), seed=rng.random(), most_per_question=3)
    dies_after = rng.randint(3, 40) if rng.random() < 0.15 else None
    killer.steps_left = rng.randint(1, 25) if rng.random() < 0.4 else None
    with NodeDouble(chain, faults, late_seconds=0.01, dies_after=dies_after) as node:
        try:
            extract(workspace, settings, node.url, size=SMALL, patience_seconds=3.0)
        except Killed:
            return "killed"
        except UnavailableError:
            return "unavailable"
        finally:
            killer.steps_left = None
    return "done"


def published(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(workspace.server.dsn) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(WORLDS))
def test_the_tables_are_what_the_chain_says(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)
    chain = DoubleChain(seed, finality_depth=rng.choice((0, 2, 6)))
    chain.mine(rng.randint(10, 40))
    # A node that leaves out single logs of a block is found by receipts alone.
    settings = settings_of(chain, checked_share=1.0)
    killer = Killer(monkeypatch)
    endings = []
    for _ in range(RUNS):
        if rng.random() < 0.4:
            depth = rng.randint(1, min(15, chain.head.number))
            chain.reorganise(depth, rng.choice((None, depth, max(0, depth - 2))))
        chain.mine(rng.randint(0, 25))
        endings.append(disturbed_run(workspace, settings, chain, rng, killer))
        if seed % 5 == 0 and rng.random() < 0.3:
            # A night in between publishes what a later run may have to take back.
            work_out(workspace, TICKETING, None, Console(verbose=False))
    with NodeDouble(chain) as node:
        report = extract(workspace, settings, node.url)
    last = chain.finalized().number
    assert (report.reached, report.gaps) == (last, []), endings
    assert_complete(workspace, chain, last)
    if seed % 5 == 0:
        work_out(workspace, TICKETING, None, Console(verbose=False))
        hashes = published(workspace, "SELECT block_hash FROM ticketing.blocks ORDER BY block_number")
        assert [row[0] for row in hashes] == true_hashes(chain, last)
        moved = [row for row in true_logs(chain, last) if (row["address"], row["topic0"]) == (TICKET_CONTRACT, TRANSFER.topic)]
        transfers = published(
            workspace,
            "SELECT transaction_hash, log_index, token_id, to_address FROM ticketing.transfers "
            "ORDER BY block_number, log_index",
        )
        assert transfers == [
            (row["transaction_hash"], row["log_index"], int(row["topic3"], 16), "0x" + row["topic2"][26:]) for row in moved
        ]


def test_faults_and_deaths_do_occur(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The simulation would prove nothing if nothing went wrong in it."""
    rng = random.Random(99)
    chain = DoubleChain(99, finality_depth=0)
    killer = Killer(monkeypatch)
    endings = set()
    for _ in range(12):
        chain.mine(20)
        endings.add(disturbed_run(workspace, settings_of(chain, checked_share=1.0), chain, rng, killer))
    assert {"done", "killed"} <= endings
