"""Value transfers of a simulated world: exchanges fund most wallets, families and groups one another, and rings cash out."""

import datetime
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.intake.casting import plan_casts
from ticketintel_pipelines.learning.rings.funding import hub_size
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.ticketing.simulator.parameters import PARAMETERS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import VALUE_TRANSFERS

DAYS = 12
START = datetime.date(2026, 1, 1)


class World:
    """Value transfers, wallets and wash trades of a world."""

    def __init__(self, folder: Path) -> None:
        simulate(folder, days=DAYS, daily_events=8_000, seed=5, start=START)
        parts = [pq.read_table(path) for path in sorted((folder / "value_transfers").glob("*.parquet"))]
        self.moved = pa.concat_tables(parts).to_pylist()
        self.wallets = pq.read_table(folder / "truth" / "wallets.parquet").to_pylist()
        self.funder: dict[str, str] = {}
        for row in self.moved:
            self.funder.setdefault(row["to_address"], row["from_address"])
        self.blocks = {
            row["number"]: row["timestamp"]
            for path in (folder / "blocks").glob("*.parquet")
            for row in pq.read_table(path).to_pylist()
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("funded"))


def test_every_wallet_but_a_visitors_is_funded_and_mostly_by_exchanges(world: World) -> None:
    wanted = {row["wallet_address"] for row in world.wallets if row["role"] != "visitor"}
    assert wanted <= world.funder.keys()
    funded = Counter(world.funder[wallet] for wallet in wanted)
    sizes = np.array(list(funded.values()))
    hub = hub_size(sizes)
    hubs = [size for size in sizes if size > hub]
    assert len(hubs) == PARAMETERS.funding.exchanges
    assert 0.4 < sum(hubs) / len(wanted) < 0.8
    assert (sizes == 1).sum() > 0.15 * len(wanted), "some come with money of their own"


def test_groups_under_one_hand_have_a_funder_in_common_unless_they_take_care(world: World) -> None:
    groups = defaultdict(list)
    for row in world.wallets:
        if row["ring_id"] is not None:
            groups[row["ring_id"]].append(world.funder[row["wallet_address"]])
    shared = [len(set(funders)) == 1 for funders in groups.values() if len(funders) > 1]
    assert len(shared) > 8
    assert 0.3 < np.mean(shared) < 0.95
    everybodys = Counter(world.funder[row["wallet_address"]] for row in world.wallets if row["role"] == "fan")
    families = [row for row in world.wallets if row["role"] == "family"]
    kin = [row for row in families if world.funder[row["wallet_address"]] in {one["wallet_address"] for one in world.wallets}]
    assert 0.2 < len(kin) / len(families) < 0.6
    assert everybodys.most_common(1)[0][1] > 50


def test_rings_cash_out_to_one_wallet_or_do_not(world: World) -> None:
    rings = {row["wallet_address"]: row["ring_id"] for row in world.wallets if row["role"] == "wash_trader" and row["ring_id"]}
    exits = defaultdict(lambda: defaultdict(set))
    for row in world.moved:
        if row["from_address"] in rings and row["to_address"] not in rings:
            exits[rings[row["from_address"]]][row["to_address"]].add(row["from_address"])
    meeting = [any(len(payers) > 1 for payers in places.values()) for places in exits.values()]
    assert any(meeting)


def test_value_moves_in_the_blocks_of_its_day(world: World) -> None:
    for row in world.moved:
        assert row["block_timestamp"].timestamp() == world.blocks[row["block_number"]]
        assert int(row["value_wei"]) > 0
    keys = [tuple(row[name] for name in VALUE_TRANSFERS.key) for row in world.moved]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("columns", "movement"),
    [
        pytest.param(
            "hash nonce block_hash block_number transaction_index from_address to_address value gas gas_price input "
            "block_timestamp",
            "transaction_index",
            id="transactions",
        ),
        pytest.param(
            "block_number transaction_hash transaction_index from_address to_address value input output trace_type call_type "
            "reward_type gas gas_used subtraces trace_address error status trace_id",
            "trace_id",
            id="traces, whose blocks tell the time",
        ),
        pytest.param(
            "token_address from_address to_address value transaction_hash log_index block_number", "log_index", id="coins"
        ),
    ],
)
def test_exports_of_ethereum_etl_are_taken_as_they_are(columns: str, movement: str) -> None:
    types = dict.fromkeys(columns.split(), "VARCHAR")
    casts = plan_casts(VALUE_TRANSFERS, types, "export.csv", time_is_joined="block_timestamp" not in types)
    read = {cast.column.name: cast.raw for cast in casts}
    assert movement in read["movement_id"]
    assert "value" in read["value_wei"]


def test_value_transfers_are_raw_and_refer_to_nothing() -> None:
    domain: Domain = TICKETING
    assert VALUE_TRANSFERS in domain.raw_tables
    assert VALUE_TRANSFERS.parents == ()
