"""Logs to token transfers and market sales, with an account of every log that gave neither."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.events import (
    KNOWN_EVENTS,
    ORDER_FULFILLED,
    TRANSFER,
    TRANSFER_BATCH,
    EventSignature,
)
from ticketintel_pipelines.chain.forms import FORMS_OF_EVENT, decode_form
from ticketintel_pipelines.chain.rows import (
    SALE_SCHEMA,
    TRANSFER_SCHEMA,
    UNDECODABLE_SCHEMA,
    Decoded,
    assemble,
    undecodable_table,
)
from ticketintel_pipelines.chain.seaport import decode_order_sales
from ticketintel_pipelines.chain.transfer_batch import INDEXED_ARGUMENTS, decode_transfer_batches
from ticketintel_pipelines.chain.uint256 import WORD
from ticketintel_pipelines.chain.words import Fault, LogColumns, log_columns

WRAPPED_ETHER = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
"""WETH of Ethereum's main network."""

ANONYMOUS = "anonymous"

# Measured: smaller slices stay nearer the processor's caches, until the calls per slice outweigh that. It also keeps
# the texts of a slice far below the 2 GiB of one string column.
_SLICE_ROWS = 16_384

_SEAPORT_INDEXED = 2
_TRANSFER_ARGUMENTS = 3


@dataclass(frozen=True)
class DecodedLogs:
    """What n logs held; `decoded + unknown + undecodable.num_rows` is n.

    `transfers` and `sales` have the lake's columns, in the order of the logs. `decoded` counts the logs that were
    understood, also those that hold neither (an empty batch, an order without an NFT); `fungible` counts the transfers
    of standard "erc20". `unknown_by_topic` counts the logs of other events by topic0, "anonymous" where there is none.
    `undecodable` names the `row` of the input and the `reason`.
    """

    transfers: pa.Table
    sales: pa.Table
    undecodable: pa.Table
    decoded: int
    fungible: int
    unknown_by_topic: dict[str, int]

    @property
    def unknown(self) -> int:
        return sum(self.unknown_by_topic.values())


def decode_logs(logs: pa.Table, wrapped_ether: Collection[str] = (WRAPPED_ETHER,), carried: Sequence[str] = ()) -> DecodedLogs:
    """Decode a table with the columns of `logs` in the lake; further columns are ignored.

    Addresses, topics and data are lower-case `0x` text. `wrapped_ether` lists the ERC-20 contracts whose amounts count
    as wei in a Seaport price. `carried` names further columns of the logs that every decoded row gets from its log,
    behind the others. A log that does not hold what its topic0 promises is reported, never raised.
    """
    starts = range(0, logs.num_rows, _SLICE_ROWS)
    parts = [_decode_slice(logs.slice(start, _SLICE_ROWS), start, wrapped_ether, carried) for start in starts]
    unknown: Counter[str] = Counter()
    for part in parts:
        unknown.update(part.unknown_by_topic)
    return DecodedLogs(
        transfers=pa.concat_tables(
            [_extended(TRANSFER_SCHEMA, logs, carried).empty_table(), *(part.transfers for part in parts)]
        ),
        sales=pa.concat_tables([_extended(SALE_SCHEMA, logs, carried).empty_table(), *(part.sales for part in parts)]),
        undecodable=pa.concat_tables([UNDECODABLE_SCHEMA.empty_table(), *(part.undecodable for part in parts)]),
        decoded=sum(part.decoded for part in parts),
        fungible=sum(part.fungible for part in parts),
        unknown_by_topic=dict(unknown),
    )


def _extended(schema: pa.Schema, logs: pa.Table, carried: Sequence[str]) -> pa.Schema:
    return pa.schema([*schema, *(logs.schema.field(name) for name in carried)])


def _decode_slice(logs: pa.Table, first_row: int, wrapped_ether: Collection[str], carried: Sequence[str]) -> DecodedLogs:
    columns = log_columns(logs)
    topic0 = logs["topic0"].combine_chunks().cast(pa.string())
    known_topics = pa.array([event.topic for event in KNOWN_EVENTS])
    event_codes = np.asarray(pc.fill_null(pc.index_in(topic0, known_topics), -1))
    is_unknown = (event_codes == -1) | _is_ambiguous_transfer(columns, event_codes)
    results: list[Decoded] = []
    for code, event in enumerate(KNOWN_EVENTS):
        rows = np.flatnonzero((event_codes == code) & ~is_unknown)
        if rows.size:
            results.extend(_decode_event(columns, rows, event, wrapped_ether))
    transfers = assemble(
        logs, [part.transfers for part in results if part.transfers], _extended(TRANSFER_SCHEMA, logs, carried)
    )
    return DecodedLogs(
        transfers=transfers,
        sales=assemble(logs, [part.sales for part in results if part.sales], _extended(SALE_SCHEMA, logs, carried)),
        undecodable=undecodable_table([fault for part in results for fault in part.faults], first_row),
        decoded=sum(part.count for part in results),
        fungible=pc.sum(pc.equal(transfers["standard"], "erc20"), min_count=0).as_py(),
        unknown_by_topic=_count_topics(topic0.filter(pa.array(is_unknown))),
    )


def _decode_event(
    logs: LogColumns, rows: np.ndarray, event: EventSignature, wrapped_ether: Collection[str]
) -> Iterator[Decoded]:
    indexed, data_bytes = logs.indexed[rows], logs.data_bytes[rows]
    fits = np.zeros(len(rows), dtype=bool)
    if event == TRANSFER_BATCH:
        fits = indexed == len(INDEXED_ARGUMENTS)
        yield decode_transfer_batches(logs, rows[fits])
    elif event == ORDER_FULFILLED:
        fits = indexed == _SEAPORT_INDEXED
        yield decode_order_sales(logs, rows[fits], wrapped_ether)
    for form in FORMS_OF_EVENT.get(event, ()):
        has_form = (indexed == len(form.indexed)) & (data_bytes == WORD * len(form.data))
        if has_form.any():
            yield decode_form(logs, rows[has_form], form)
            fits |= has_form
    if not fits.all():
        reason = f"{event.name} is malformed: no form of it has this number of topics and this length of data"
        yield Decoded(count=0, faults=[Fault(rows[~fits], reason)])


def _is_ambiguous_transfer(logs: LogColumns, event_codes: np.ndarray) -> np.ndarray:
    """Transfers of early contracts that index one argument or none: ERC-20 and ERC-721 look the same there."""
    few_indexed = (logs.indexed == 0) | (logs.indexed == 1)
    is_whole = logs.data_bytes == WORD * (_TRANSFER_ARGUMENTS - logs.indexed)
    return (event_codes == KNOWN_EVENTS.index(TRANSFER)) & few_indexed & is_whole


def _count_topics(topics: pa.StringArray) -> dict[str, int]:
    counts = pc.value_counts(topics)
    names, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return {ANONYMOUS if name is None else name: number for name, number in zip(names, numbers, strict=True)}
