"""The files of a world that was played onto a node: the node's hashes in them, and the settings to extract it with."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.ticketing.simulator.chain import MARKET_CONTRACT, SEAPORT_CONTRACT
from ticketintel_pipelines.ticketing.simulator.playing import Played
from ticketintel_pipelines.ticketing.simulator.write import COMPRESSION, COMPRESSION_LEVEL, TRUTH_FOLDER

_HASH_CHARACTERS = 66


def carry_hashes(folder: Path, played: Played) -> None:
    """Write the node's hashes over the simulated ones wherever the world's files name a block or a transaction.

    Orders then point at the transactions on the chain, and so does the truth. Hashes that were not played stay.
    """

    def transactions(column: pa.ChunkedArray) -> pa.ChunkedArray:
        return _replaced(column, played.transactions["simulated_hash"], played.transactions["hash"])

    def blocks(table: pa.Table) -> pa.Table:
        row = pc.index_in(table["number"], value_set=played.blocks["number"])
        table = _with(table, "hash", played.blocks["hash"].take(row))
        return _with(table, "parent_hash", played.blocks["parent_hash"].take(row))

    def logs(table: pa.Table) -> pa.Table:
        row = pc.index_in(table["block_number"], value_set=played.blocks["number"])
        table = _with(table, "block_hash", played.blocks["hash"].take(row))
        return _with(table, "transaction_hash", transactions(table["transaction_hash"]))

    def named(table: pa.Table) -> pa.Table:
        return _with(table, "transaction_hash", transactions(table["transaction_hash"]))

    def begins_with_hash(table: pa.Table, name: str) -> pa.Table:
        hashes = pc.utf8_slice_codeunits(table[name], 0, _HASH_CHARACTERS)
        rest = pc.utf8_slice_codeunits(table[name], _HASH_CHARACTERS, 1 << 20)
        return _with(table, name, pc.binary_join_element_wise(transactions(hashes), rest, ""))

    def reviewed(table: pa.Table) -> pa.Table:
        return begins_with_hash(table, "transaction_id")

    def defects(table: pa.Table) -> pa.Table:
        # The key of a log is its transaction's hash, a colon and its index; no other key begins with such a hash.
        return begins_with_hash(table, "key")

    truth = folder / TRUTH_FOLDER
    for pattern, change in (
        ("blocks/*.parquet", blocks),
        ("logs/*.parquet", logs),
        ("orders/*.parquet", named),
        ("fraud_reviews/*.parquet", reviewed),
    ):
        for path in sorted(folder.glob(pattern)):
            _rewrite(path, change)
    _rewrite(truth / "transactions.parquet", lambda table: reviewed(named(table)))
    _rewrite(truth / "fraud_reviews.parquet", reviewed)
    _rewrite(truth / "defects.parquet", defects)


def chain_settings(played: Played) -> str:
    """The settings file (TOML) with which a played world is extracted from its node."""
    names = {MARKET_CONTRACT: "market", SEAPORT_CONTRACT: "seaport"}
    tickets = (contract for contract in played.contracts if contract not in names)
    names |= {contract: f"tickets {number}" for number, contract in enumerate(tickets, start=1)}
    contracts = (
        f'[[contract]]\nname = "{names[contract]}"\naddress = "{contract}"\nstart_block = {played.first_block}\n'
        for contract in played.contracts
    )
    head = (
        "# A simulated world that was played onto a development node. Nothing follows its last block, so none waits for\n"
        f"# confirmations.\nchain_id = {played.chain_id}\nconfirmations = 0\n"
    )
    return "\n".join((head, *contracts))


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(change(pq.read_table(path)), unfinished, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL)
    unfinished.replace(path)


def _with(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(name), values)


def _replaced(column: pa.ChunkedArray, old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with each value of `old` replaced by the one of `new` in the same place."""
    return pc.coalesce(new.take(pc.index_in(column, value_set=old)), column)
