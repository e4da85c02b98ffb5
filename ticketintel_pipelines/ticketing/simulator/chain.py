"""Blocks and logs: every move of a token as the logs that its contract and its market emit."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.encode import encode_seaport_listing, encode_ticket_sold, encode_transfer
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.chain.uint256 import from_uint64
from ticketintel_pipelines.ticketing.simulator.arrays import row_count, running_total, select
from ticketintel_pipelines.ticketing.simulator.clock import BLOCK, BLOCKS_PER_DAY, HOUR, SECOND, Day, Purpose
from ticketintel_pipelines.ticketing.simulator.texts import choose, timestamps
from ticketintel_pipelines.ticketing.simulator.world import NO_TOKEN, Label, Market, Moves, World

MARKET_CONTRACT = "0x7ec4e7000000000000000000000000000000b001"
"""The platform's own market; it emits `TicketSold`."""
SEAPORT_CONTRACT = "0x00000000000000adc04c56bf30ac9d3c0aaf14dc"
FEE_WALLET = "0x7ec4e7000000000000000000000000000000fee5"
"""Receives the fee of sales on Seaport."""
FOREIGN_TRANSACTIONS = 4
"""Fewer than so many transactions of others lie between two of ours in a block."""
FOREIGN_LOGS = 9
NARROW_TOKENS_PER_EVENT = 1_000_000
WEI_PER_ETHER = 10**18
HOURS_PER_DAY = 24


def _address(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text[2:]), dtype=np.uint8)[None, :]


@dataclass
class ChainDay:
    """What the chain recorded on one day. `hashes` are the transactions' (n, 32) by number of transaction.

    `moves` are the day's moves in chain order; `ledger_log` is for each the place of the log by which the ledger names it.
    """

    blocks: pa.Table
    logs: pa.Table
    log_block: np.ndarray
    log_index: np.ndarray
    log_transaction_index: np.ndarray
    is_transfer: np.ndarray
    hashes: np.ndarray
    moves: Moves
    ledger_log: np.ndarray
    truth: pa.Table


def token_words(world: World, tokens: np.ndarray) -> np.ndarray:
    """Token ids as (n, 32) big-endian words."""
    event = world.tokens.event[tokens]
    number = (event + 1).astype(np.int64)
    serial = world.tokens.serial[tokens].astype(np.int64)
    wide = world.organisers.wide_tokens[world.events.organiser[event]]
    words = from_uint64(np.where(wide, serial, number * NARROW_TOKENS_PER_EVENT + serial))
    # The event's number stands above bit 128, that is in bytes 8 to 15.
    words[:, 8:16] = np.where(wide, number, 0).astype(">u8").view(np.uint8).reshape(-1, 8)
    return words


def record_day(world: World, day: Day, moves: Moves, transactions: int) -> ChainDay:
    """Blocks, logs and truth of the day's moves; `transactions` is one more than their highest number."""
    rng = day.generator(Purpose.CHAIN)
    blocks = _blocks(world, day, rng)
    hashes = rng.integers(0, 256, (transactions, 32), dtype=np.uint8)
    place = rng.permutation(transactions)
    moves = select(moves, np.lexsort((np.arange(row_count(moves)), place[moves.transaction], moves.block)))
    first = np.ones(row_count(moves), dtype=bool)
    first[1:] = moves.transaction[1:] != moves.transaction[:-1]
    rows = row_count(moves)
    transaction_index = running_total(first * (1 + rng.integers(0, FOREIGN_TRANSACTIONS, rows)), moves.block) - 1
    logs_of = np.where(moves.market == Market.GIFT, 1, 2)
    first_log = running_total(first * rng.integers(0, FOREIGN_LOGS, rows) + logs_of, moves.block) - logs_of
    transfer_log = first_log + (moves.market == Market.SEAPORT)
    # A sale is named by the log of its market, which comes after the transfer on the platform and before it on Seaport.
    offset = np.array([1, 1, -1, 0])[moves.market.astype(np.int64)]
    ledger_log = transfer_log + offset
    prices = _prices_in_wei(world, day, moves)
    sold = np.flatnonzero((moves.market == Market.PRIMARY) | (moves.market == Market.RESALE))
    listed = np.flatnonzero(moves.market == Market.SEAPORT)
    addresses, columns = _encode(world, rng, moves, prices, sold, listed)
    source = np.concatenate([np.arange(rows), sold, listed])
    index = np.concatenate([transfer_log, first_log[sold] + 1, first_log[listed]])
    order = np.lexsort((index, moves.block[source]))
    source, index = source[order], index[order]
    height = moves.block[source]
    logs = pa.table(
        {
            "block_number": pa.array(height),
            "block_hash": blocks["hash"].combine_chunks().take(pa.array(height - day.first_block)),
            "block_timestamp": timestamps(day.block_time(height)),
            "transaction_hash": bytes_to_hex(hashes[moves.transaction[source]]),
            "transaction_index": pa.array(transaction_index[source].astype(np.int64)),
            "log_index": pa.array(index.astype(np.int64)),
            "address": addresses.take(pa.array(order)),
            "topics": _topics(columns).take(pa.array(order)),
            "data": pa.concat_arrays([part["data"] for part in columns]).take(pa.array(order)),
        }
    )
    truth = pa.table(
        {
            "transaction_hash": bytes_to_hex(hashes[moves.transaction]),
            "log_index": pa.array(transfer_log.astype(np.int64)),
            "block_timestamp": timestamps(day.block_time(moves.block)),
            "label": choose([label.name.lower() for label in Label], moves.label),
            "is_fraud": pa.array(moves.label != Label.HONEST),
            "transaction_id": transaction_ids(hashes[moves.transaction], ledger_log),
        }
    )
    is_transfer = order < rows
    return ChainDay(blocks, logs, height, index, transaction_index[source], is_transfer, hashes, moves, ledger_log, truth)


def transaction_ids(hashes: np.ndarray, log_index: np.ndarray) -> pa.StringArray:
    """Ticket transactions by the names that the ledger gives them; each log of this world moves one token, place 0."""
    index = pa.array(log_index.astype(np.int64)).cast(pa.string())
    return pc.binary_join_element_wise(bytes_to_hex(hashes), index, "0", ":")


def _blocks(world: World, day: Day, rng: np.random.Generator) -> pa.Table:
    hashes = rng.integers(0, 256, (BLOCKS_PER_DAY, 32), dtype=np.uint8)
    parents = np.concatenate([world.last_block_hash[None, :], hashes[:-1]])
    world.last_block_hash = hashes[-1]
    return pa.table(
        {
            "number": pa.array(day.first_block + np.arange(BLOCKS_PER_DAY)),
            "hash": bytes_to_hex(hashes),
            "parent_hash": bytes_to_hex(parents),
            "timestamp": pa.array((day.start_us + BLOCK * np.arange(BLOCKS_PER_DAY)) // SECOND),
        }
    )


def _prices_in_wei(world: World, day: Day, moves: Moves) -> np.ndarray:
    """Prices at the rate of the block's hour; the rate walks on from where the day before left it. uint64, (n,)."""
    rng = day.generator(Purpose.RATE)
    steps = np.cumsum(rng.normal(0, world.parameters.trade.eth_usd_hourly_spread, HOURS_PER_DAY))
    rates = world.cents_per_ether * np.exp(steps)
    world.cents_per_ether = float(rates[-1])
    wei_per_cent = np.array([WEI_PER_ETHER // round(rate) for rate in rates], dtype=np.uint64)
    hour = (day.block_time(moves.block) - day.start_us) // HOUR
    return moves.cents.astype(np.uint64) * wei_per_cent[hour]


def _encode(
    world: World, rng: np.random.Generator, moves: Moves, prices: np.ndarray, sold: np.ndarray, listed: np.ndarray
) -> tuple[pa.StringArray, list[dict[str, pa.Array]]]:
    """Emitting contracts and encoded columns: one transfer per move, then the platform's sales, then Seaport's."""
    wallets = world.actors.wallet
    contracts = world.organisers.contract[world.events.organiser[world.tokens.event[moves.token]]]
    words = token_words(world, moves.token)
    mints = moves.giver == NO_TOKEN
    givers = np.where(mints[:, None], np.uint8(0), wallets[np.where(mints, 0, moves.giver)])
    takers = wallets[moves.taker]
    fees = (prices.astype(np.float64) * world.parameters.trade.seaport_fee).astype(np.uint64)[listed]
    columns = [
        encode_transfer(givers, takers, words),
        encode_ticket_sold(contracts[sold], words[sold], takers[sold], givers[sold], from_uint64(prices[sold])),
        encode_seaport_listing(
            rng.integers(0, 256, (len(listed), 32), dtype=np.uint8),
            givers[listed],
            np.zeros((len(listed), 20), dtype=np.uint8),
            takers[listed],
            contracts[listed],
            words[listed],
            from_uint64(prices[listed] - fees),
            from_uint64(fees),
            _address(FEE_WALLET),
        ),
    ]
    addresses = pa.concat_arrays(
        [
            bytes_to_hex(contracts),
            pa.repeat(MARKET_CONTRACT, len(sold)),
            pa.repeat(SEAPORT_CONTRACT, len(listed)),
        ]
    )
    return addresses, columns


def _topics(columns: list[dict[str, pa.Array]]) -> pa.ListArray:
    """The topics of each log as a list without nulls; events of one kind have one number of topics."""
    values, lengths = [], []
    for part in columns:
        rows = len(part["data"])
        topics = [part[name] for name in ("topic0", "topic1", "topic2", "topic3") if part[name].null_count == 0]
        if rows == 0:
            continue
        count = len(topics)
        # One topic after another, log by log.
        interleaved = np.arange(rows * count).reshape(count, rows).T.reshape(-1)
        values.append(pa.concat_arrays(topics).take(pa.array(interleaved)))
        lengths.append(np.full(rows, count))
    if not values:
        return pa.array([], pa.list_(pa.string()))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(values))
