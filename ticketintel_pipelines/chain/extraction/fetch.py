"""A range of blocks fetched in pieces, several at once, checked and delivered in order, in memory that stays the same."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.extraction.header_chain import BrokenChainError, Header, check_links
from ticketintel_pipelines.chain.extraction.parse import PARSED_SCHEMA, parse_logs
from ticketintel_pipelines.chain.extraction.ranges import LARGEST_LOGS, RangeSizer
from ticketintel_pipelines.chain.extraction.verify import Sampling, Verified, of_receipts, verified
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.chain.rpc.dialects import GET_LOGS
from ticketintel_pipelines.chain.rpc.errors import AnswerTimeoutError, TooManyResultsError, WrongAnswerError
from ticketintel_pipelines.chain.rpc.session import Session

SAMPLE_RATE = 0.01

_TIMESTAMP = pa.timestamp("us", "UTC")
LOG_SCHEMA = pa.schema([*list(PARSED_SCHEMA)[:2], ("block_timestamp", _TIMESTAMP), *list(PARSED_SCHEMA)[2:]])
"""The columns of `logs` in the lake."""


@dataclass(frozen=True)
class BlockRange:
    """The blocks first..last: their linked headers, and all their wanted logs (LOG_SCHEMA) in the order of the chain.

    `recovered` counts the logs that the node had kept back, `by_receipts` the blocks whose receipts were checked.
    """

    first: int
    last: int
    headers: list[Header]
    logs: pa.Table
    recovered: int = 0
    by_receipts: int = 0


def fetch_ranges(
    client: ChainClient,
    wanted: LogFilter,
    first: int,
    last: int,
    *,
    parent_hash: str | None,
    largest_logs: int = LARGEST_LOGS,
    sample_rate: float = SAMPLE_RATE,
    seed: int = 0,
) -> Iterator[BlockRange]:
    """The blocks first..last in contiguous pieces, in order; `last` must be the height of a header that was seen.

    `parent_hash` is the stored hash of the block before `first`; None where there is none. About `largest_logs` logs are
    asked for at once; of a share `sample_rate` of the blocks with logs the receipts are compared too.

    Raises:
        BrokenChainError: a block does not follow the one before it; the chain was reorganised.
        PermanentRpcError: the question or the settings are wrong.
        UnavailableError: no endpoint gives an answer that stands the checks.
    """
    fetcher = _Fetcher(client, wanted, RangeSizer(largest_logs), Sampling(sample_rate, seed))
    pending: deque[tuple[int, Future[BlockRange]]] = deque()
    next_block = first
    # While one half of them waits for a node, the other half reads what it gave.
    workers = 2 * client.in_flight
    with ThreadPoolExecutor(workers, thread_name_prefix="chain") as pool:
        try:
            while pending or next_block <= last:
                while next_block <= last and len(pending) < workers:
                    end = min(last, next_block + fetcher.sizer.blocks - 1)
                    pending.append((end, pool.submit(fetcher.fetch, next_block, end)))
                    next_block = end + 1
                end, future = pending.popleft()
                piece = future.result()
                if piece.last < end:
                    # Too much for one answer: the rest is next in order, before what is under way already.
                    pending.appendleft((end, pool.submit(fetcher.fetch, piece.last + 1, end)))
                check_links(piece.headers, parent_hash)
                parent_hash = piece.headers[-1].hash
                yield piece
        finally:
            fetcher.stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Fetcher:
    client: ChainClient
    wanted: LogFilter
    sizer: RangeSizer
    sampling: Sampling
    stopped: threading.Event = field(default_factory=threading.Event)

    def fetch(self, first: int, last: int) -> BlockRange:
        """The blocks from `first` on, as many up to `last` as can be had at once."""
        last = min(last, first + self.sizer.blocks - 1)
        while True:
            try:
                piece, seconds = self.client.run(partial(self._piece, first=first, last=last), self.stopped)
            except TooManyResultsError as refusal:
                last = first + self.sizer.refused(last - first + 1, refusal.most_blocks) - 1
                continue
            self.sizer.answered(last - first + 1, piece.logs.num_rows, seconds)
            return piece

    def _piece(self, session: Session, first: int, last: int) -> tuple[BlockRange, float]:
        """The blocks first..last from one endpoint, and the seconds that it took to give their logs."""
        # The headers first: an endpoint that does not have them would answer for blocks beyond its head with nothing.
        headers = session.headers(first, last)
        try:
            check_links(headers, None)
        except BrokenChainError as error:
            raise WrongAnswerError(f"{session.endpoint.name} gave headers of two branches at block {error.number}") from error
        started = time.monotonic()
        logs = self._ask(session, first, last)
        seconds = time.monotonic() - started
        if logs is None:
            result = Verified(of_receipts(session, self.wanted, headers), 0, 1)
        else:
            result = verified(session, self.wanted, headers, logs, self.sampling)
        timed = result.logs.add_column(2, "block_timestamp", _timestamps(result.logs, headers))
        return BlockRange(first, last, headers, timed, result.recovered, result.by_receipts), seconds

    def _ask(self, session: Session, first: int, last: int) -> pa.Table | None:
        """The logs that an endpoint gives for first..last; None where those of a single block are too many for it.

        Raises:
            TooManyResultsError: those of several blocks are.
        """
        question = {**self.wanted.members, "fromBlock": hex(first), "toBlock": hex(last)}
        ask = session.ask_unless_slow if last > first else session.ask
        try:
            return parse_logs(ask(GET_LOGS, (question,)))
        except TooManyResultsError:
            if last > first:
                raise
            return None
        except AnswerTimeoutError as error:
            if last == first:
                raise
            raise TooManyResultsError(str(error)) from error


def _timestamps(logs: pa.Table, headers: list[Header]) -> pa.Array:
    """The time of each log's block."""
    seconds = np.array([header.timestamp for header in headers], dtype=np.int64)
    places = np.asarray(logs["block_number"]) - headers[0].number
    return pa.array(seconds[places] * 1_000_000).cast(_TIMESTAMP)
