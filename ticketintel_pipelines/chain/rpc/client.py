"""A chain behind several endpoints: each piece of work is done on one, and on the next when that one is in trouble."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.chain.rpc.endpoint import Endpoint
from ticketintel_pipelines.chain.rpc.errors import (
    SETTING,
    EndpointTroubleError,
    LaggingEndpointError,
    MixedChainsError,
    PermanentRpcError,
    RefusedQuestionError,
    WrongAnswerError,
)
from ticketintel_pipelines.chain.rpc.session import Backoff, Session
from ticketintel_pipelines.errors import UnavailableError

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 180.0
BATCH_SIZE = 100
IN_FLIGHT = 4
BACKOFF = Backoff()

_ASIDE_SECONDS = 30.0
_TURNS = 3
"""How often each endpoint is tried with one piece of work."""


class ChainClient:
    """The endpoints of one chain, in the order of preference; to be used as a context manager, from any thread.

    `timeout_seconds` bounds each wait for a node, `patience_seconds` a whole piece of work with all its retries,
    `in_flight` is the number of questions that each node is asked at once. `sleep`, `clock` (seconds) and `draw` are handed
    in by tests.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        batch_size: int = BATCH_SIZE,
        in_flight: int = IN_FLIGHT,
        backoff: Backoff = BACKOFF,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: random.Random | None = None,
    ) -> None:
        if not urls:
            raise PermanentRpcError(f"no endpoint of a chain is set; put the address of one into {SETTING}")
        self.in_flight = in_flight
        self._endpoints = [
            Endpoint(url, timeout_seconds=timeout_seconds, batch_size=batch_size, in_flight=in_flight) for url in urls
        ]
        self._patience_seconds = patience_seconds
        self._backoff = backoff
        self._sleep = sleep
        self._clock = clock
        self._draw = draw or random.Random()
        self._chain_id: int | None = None

    def __enter__(self) -> "ChainClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()

    def run(self, work: Callable[[Session], T], stopped: threading.Event | None = None) -> T:
        """Do a piece of work on the first endpoint that is not set aside, and on the next while there is trouble.

        `work` is begun anew on each, so that all it sees comes from one node. `stopped` gives up between attempts.

        Raises:
            PermanentRpcError: asking again cannot help, whichever endpoint is asked.
            UnavailableError: every endpoint was tried several times, or the patience is used up.
        """
        stopped = stopped or threading.Event()
        deadline = self._clock() + self._patience_seconds
        troubles: dict[str, str] = {}
        refusals: set[str] = set()
        for turn in range(_TURNS * len(self._endpoints)):
            endpoint = self._next_endpoint()
            session = self._session(endpoint, deadline, stopped)
            try:
                self._check_chain(session)
                result = work(session)
            except EndpointTroubleError as trouble:
                troubles[endpoint.name] = str(trouble)
                endpoint.set_aside(self._clock(), max(_ASIDE_SECONDS, trouble.wait_seconds or 0.0))
                wait = self._wait_before_next(turn, trouble)
                if stopped.is_set() or self._clock() + wait > deadline:
                    break
                if wait:
                    session.pause(wait)
            except MixedChainsError:
                raise
            except PermanentRpcError:
                # An expired key or a missing method is one endpoint's own; a question that all refuse is wrong.
                refusals.add(endpoint.name)
                if len(refusals) == len(self._endpoints):
                    raise
                endpoint.set_aside(self._clock(), _ASIDE_SECONDS)
            else:
                endpoint.worked()
                return result
        raise UnavailableError(
            f"no endpoint of the chain gave what was asked: {'; '.join(troubles.values())}. Try again later, or set other "
            f"addresses in {SETTING}"
        )

    def chain_id(self) -> int:
        """The id of the chain that all endpoints serve."""
        return self.run(_ask_chain_id)

    def head(self) -> Header:
        """The newest header that an endpoint hands out; what it merely says about its height is not believed."""
        return self.run(lambda session: _existing(session, "latest"))

    def finalized(self, confirmations: int | None = None) -> Header:
        """The newest header that counts as final: the node's own, or the one `confirmations` below the head (at least 0).

        Raises:
            PermanentRpcError: the chain has no notion of finality; a number of confirmations is needed.
        """
        if confirmations is None:
            return self.run(_finalized)

        def below_head(session: Session) -> Header:
            head = _existing(session, "latest")
            return session.headers(*[max(0, head.number - confirmations)] * 2)[0]

        return self.run(below_head)

    def headers(self, first: int, last: int) -> list[Header]:
        """The headers of first..last, all from one endpoint; not checked to be linked."""
        return self.run(lambda session: session.headers(first, last))

    def header_at(self, number: int) -> Header | None:
        """The header at a height; None where no endpoint has one."""
        header = self.run(lambda session: session.header(hex(number)))
        for endpoint in self._endpoints if header is None and len(self._endpoints) > 1 else ():
            with suppress(EndpointTroubleError):
                session = self._session(endpoint, self._clock() + self._patience_seconds, threading.Event())
                header = header or session.header(hex(number))
        return header

    def _session(self, endpoint: Endpoint, deadline: float, stopped: threading.Event) -> Session:
        return Session(
            endpoint,
            self._backoff,
            self._sleep,
            self._draw,
            left=lambda: deadline - self._clock(),
            stopped=stopped,
            is_only=len(self._endpoints) == 1,
        )

    def _next_endpoint(self) -> Endpoint:
        now = self._clock()
        # Where all are set aside, the one that was to come back first is as good as any.
        return min(self._endpoints, key=lambda endpoint: max(0.0, endpoint.aside_until - now))

    def _wait_before_next(self, turn: int, trouble: EndpointTroubleError) -> float:
        """No wait while there is another endpoint to go to."""
        now = self._clock()
        if any(endpoint.aside_until <= now for endpoint in self._endpoints):
            return 0.0
        wait = self._backoff.seconds(turn, self._draw)
        return max(wait, trouble.wait_seconds or 0.0) if len(self._endpoints) == 1 else wait

    def _check_chain(self, session: Session) -> None:
        """Endpoints of different chains under one setting would be mixed without a trace."""
        if len(self._endpoints) == 1 or session.endpoint.chain_id is not None:
            return
        chain_id = _ask_chain_id(session)
        if self._chain_id is None:
            self._chain_id = chain_id
        if chain_id != self._chain_id:
            raise MixedChainsError(
                f"{session.endpoint.name} serves chain {chain_id} and another endpoint serves chain {self._chain_id}; "
                f"leave the endpoints of one chain in {SETTING}"
            )
        session.endpoint.chain_id = chain_id


def _ask_chain_id(session: Session) -> int:
    text = bytes(session.ask("eth_chainId", ()))
    try:
        return int(text.strip(b'" '), 16)
    except ValueError as error:
        raise WrongAnswerError(f"{session.endpoint.name} gave a chain id that cannot be read") from error


def _existing(session: Session, tag: str) -> Header:
    header = session.header(tag)
    if header is None:
        raise LaggingEndpointError(f"{session.endpoint.name} has no {tag} block yet")
    return header


def _finalized(session: Session) -> Header:
    try:
        header = session.header("finalized")
    except RefusedQuestionError as error:
        raise PermanentRpcError(
            f"{session.endpoint.name} does not know which block is final; set a number of confirmations for this chain"
        ) from error
    if header is None:
        raise LaggingEndpointError(
            f"{session.endpoint.name} has no final block yet (set a number of confirmations if this chain never has)"
        )
    return header
