"""A development node, whose time, code and blocks are its user's: anvil, or another that knows anvil's methods."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ticketintel_pipelines.chain.rpc.endpoint import Endpoint
from ticketintel_pipelines.chain.rpc.envelope import Envelope, error_of, open_answer, question
from ticketintel_pipelines.chain.rpc.errors import EndpointTroubleError, PermanentRpcError
from ticketintel_pipelines.errors import BadInputError, UnavailableError

TIMEOUT_SECONDS = 120.0
BATCH_QUESTIONS = 500
BATCH_BYTES = 1 << 20
"""Anvil takes bodies of up to 2 MB."""
MOST_MINED_AT_ONCE = 1_000
ROOMY_GAS_LIMIT = 1 << 40
"""A block of it takes any number of transactions."""


class NodeRefusalError(Exception):
    """The node answered with an error."""


class DevelopmentNode:
    """One node, asked one thing after another; nothing is asked twice, for much of it changes the chain.

    Raises BadInputError for an address that is no development node's, and UnavailableError where none answers.
    """

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise BadInputError("the address of the node is no http:// address; write it as in http://127.0.0.1:8545")
        self._endpoint = Endpoint(url, timeout_seconds=timeout_seconds, batch_size=BATCH_QUESTIONS, in_flight=1)
        self.name = self._endpoint.name

    def __enter__(self) -> "DevelopmentNode":
        try:
            self.ask("anvil_nodeInfo")
        except NodeRefusalError as refusal:
            raise BadInputError(
                f"{self.name} is no development node (it refuses {refusal}); start one with: anvil"
            ) from refusal
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._endpoint.close()

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one question.

        Raises:
            NodeRefusalError: the node answered with an error.
        """
        return self.ask_all([(method, params)])[0]

    def ask_all(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of several questions in their order; the node may work on them in any."""
        results: list[Any] = []
        for first, batch in self._batches(questions):
            methods = [method for method, _ in questions[first : first + len(batch)]]
            answers = self._exchange(first, batch)
            for number, method in enumerate(methods, first):
                if number not in answers:
                    raise UnavailableError(f"{self.name} left {method} unanswered; start it anew and try again")
                if error := error_of(answers[number]):
                    raise NodeRefusalError(f"{method}: {self._endpoint.without_secrets(error.message)}")
                results.append(msgspec.json.decode(answers[number].result))
        return results

    def mine(self, blocks: int) -> None:
        """Mine so many blocks; all waiting transactions go into the first of them."""
        while blocks > 0:
            run = min(blocks, MOST_MINED_AT_ONCE)
            self.ask("anvil_mine", hex(run))
            blocks -= run

    @contextmanager
    def mining_on_demand(self, seconds: int) -> Iterator[None]:
        """Blocks come only from `mine`, `seconds` apart, and hold what is sent to them; afterwards all is as it was."""
        is_automatic, interval = self.ask("anvil_getAutomine"), self.ask("anvil_getIntervalMining")
        gas_limit = self.ask("eth_getBlockByNumber", "latest", False)["gasLimit"]
        self.ask("evm_setIntervalMining", 0)
        try:
            self.ask("evm_setBlockGasLimit", hex(ROOMY_GAS_LIMIT))
            self.ask("anvil_setBlockTimestampInterval", seconds)
            yield
        finally:
            # Where the node itself is gone, that is the error to be told.
            with suppress(UnavailableError):
                self.ask("anvil_removeBlockTimestampInterval")
                self.ask("evm_setBlockGasLimit", gas_limit)
                if is_automatic:
                    self.ask("evm_setAutomine", True)
                elif interval:
                    self.ask("evm_setIntervalMining", interval)

    def _batches(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> Iterator[tuple[int, list[bytes]]]:
        batch: list[bytes] = []
        size = first = 0
        for number, (method, params) in enumerate(questions):
            text = msgspec.json.encode(question(number, method, params))
            if batch and (len(batch) >= BATCH_QUESTIONS or size + len(text) > BATCH_BYTES):
                yield first, batch
                batch, size, first = [], 0, number
            batch.append(text)
            size += len(text)
        if batch:
            yield first, batch

    def _exchange(self, first: int, batch: Sequence[bytes]) -> dict[int | str | None, Envelope]:
        """The answers to a batch by number; one question goes without the brackets, which not every node takes."""
        body = batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]"
        try:
            answer = self._endpoint.exchange(body)
            opened = open_answer(answer.body)
        except EndpointTroubleError as trouble:
            raise UnavailableError(f"{trouble}; start the node, with: anvil") from trouble
        except PermanentRpcError as error:
            raise BadInputError(f"{self.name} redirects elsewhere; name the development node itself") from error
        except msgspec.DecodeError as error:
            raise BadInputError(
                f"{self.name} answers with something that is not JSON-RPC (HTTP {answer.status}); name a development node"
            ) from error
        if isinstance(opened, list):
            return {envelope.id: envelope for envelope in opened}
        # An error that a node blames on the whole of what it was sent has no number.
        is_for_all = opened.id is None and error_of(opened) is not None
        return {first if is_for_all else opened.id: opened}
