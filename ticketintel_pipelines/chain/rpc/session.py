"""Questions to one endpoint, asked again where that can help; every failure comes out as one of `errors`."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.chain.rpc.dialects import GET_LOGS, RpcError, explain
from ticketintel_pipelines.chain.rpc.endpoint import AnswerTooLargeError, Endpoint, HttpAnswer
from ticketintel_pipelines.chain.rpc.envelope import Envelope, error_of, first_character, open_answer, question, result_text
from ticketintel_pipelines.chain.rpc.errors import (
    SETTING,
    AnswerTimeoutError,
    EndpointTroubleError,
    LaggingEndpointError,
    MissingMethodError,
    PermanentRpcError,
    RateLimitedError,
    RefusedQuestionError,
    TooManyResultsError,
    WrongAnswerError,
)
from ticketintel_pipelines.chain.rpc.headers import decode_header

T = TypeVar("T")

TIMED_OUT = (408, 504, 522, 524)
REFUSED = (401, 402, 403)
ABSENT = (404, 405, 410)
TOO_LARGE = 413
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


@dataclass(frozen=True)
class Backoff:
    """Waits between attempts: exponential, with full jitter so that threads do not come back together.

    An endpoint that asks for a wait longer than `longest_seconds` is left to the fail-over instead.
    """

    attempts: int = 4
    first_seconds: float = 0.25
    longest_seconds: float = 20.0

    def seconds(self, attempt: int, draw: random.Random) -> float:
        """How long to wait after failed attempt number `attempt`, counted from 0."""
        return draw.uniform(0.5, 1.0) * min(self.longest_seconds, self.first_seconds * 2**attempt)


@dataclass(frozen=True)
class Session:
    """One endpoint for one piece of work, so that what belongs together comes from one node.

    `left` tells the seconds left of the patience for the whole piece; `stopped` is set when nobody waits for it any more,
    which ends a wait too unless a test handed in a `sleep` of its own.
    """

    endpoint: Endpoint
    backoff: Backoff
    sleep: Callable[[float], None] | None
    draw: random.Random
    left: Callable[[], float]
    stopped: threading.Event
    is_only: bool
    """There is no other endpoint to go to."""

    def ask(self, method: str, params: Sequence[Any]) -> memoryview:
        """The result of one question, as JSON text."""
        return self._retried(lambda: self._ask_once(method, params))

    def ask_unless_slow(self, method: str, params: Sequence[Any]) -> memoryview:
        """The same, but a time-out is raised at once: asking for less helps more than asking again."""
        return self._retried(lambda: self._ask_once(method, params), bears_time_outs=False)

    def ask_many(self, method: str, several: Sequence[Sequence[Any]]) -> list[memoryview]:
        """The results of several questions to one method, in their order; in batches as large as the endpoint takes."""
        results: list[memoryview | None] = [None] * len(several)
        open_questions = list(range(len(several)))
        while open_questions:
            size = self.endpoint.batch_size
            asked, rest = open_questions[:size], open_questions[size:]
            if size == 1:
                (number,) = asked
                results[number] = self.ask(method, several[number])
                open_questions = rest
                continue
            answers = self._retried(lambda asked=asked: self._ask_batch(method, several, asked))  # type: ignore[misc]
            for number, result in answers.items():
                results[number] = result
            if 2 * len(answers) < len(asked):
                self.endpoint.smaller_batches(len(asked))
            open_questions = [*(number for number in asked if number not in answers), *rest]
        return [result for result in results if result is not None]

    def headers(self, first: int, last: int) -> list[Header]:
        """The headers of first..last; they need not be linked.

        Raises:
            LaggingEndpointError: the endpoint does not have one of them.
        """
        answers = self.ask_many("eth_getBlockByNumber", [(hex(number), False) for number in range(first, last + 1)])
        headers = []
        for number, text in enumerate(answers, first):
            header = decode_header(text, self.endpoint.name)
            if header is None:
                raise LaggingEndpointError(f"{self.endpoint.name} does not have block {number} yet")
            if header.number != number:
                raise WrongAnswerError(f"{self.endpoint.name} gave block {header.number} for block {number}")
            headers.append(header)
        return headers

    def header(self, block: str) -> Header | None:
        """The header at a height in hexadecimal or at a tag; None where the endpoint has none."""
        return decode_header(self.ask("eth_getBlockByNumber", (block, False)), self.endpoint.name)

    def pause(self, seconds: float) -> None:
        """Wait, unless nobody waits for the work any more."""
        if self.sleep is None:
            self.stopped.wait(seconds)
        else:
            self.sleep(seconds)

    def _retried(self, attempt_once: Callable[[], T], *, bears_time_outs: bool = True) -> T:
        # Each time-out is a long wait in itself, that another endpoint may spare.
        bears_time_outs = bears_time_outs and self.is_only
        attempt = 0
        while True:
            try:
                return attempt_once()
            except (LaggingEndpointError, WrongAnswerError):
                # The same node would say the same; whoever asked decides what to compare or whom to ask instead.
                raise
            except EndpointTroubleError as trouble:
                wait = max(self.backoff.seconds(attempt, self.draw), trouble.wait_seconds or 0.0)
                attempt += 1
                is_last = attempt >= self.backoff.attempts or wait > min(self.backoff.longest_seconds, self.left())
                if is_last or self.stopped.is_set() or (isinstance(trouble, AnswerTimeoutError) and not bears_time_outs):
                    raise
                self.pause(wait)

    def _ask_once(self, method: str, params: Sequence[Any]) -> memoryview:
        answer = self._exchange(method, msgspec.json.encode(question(1, method, params)))
        text = result_text(answer.body, 1) if answer.status < 300 else None
        if text is not None:
            return text
        envelope = self._opened(answer, method)
        if isinstance(envelope, list):
            raise WrongAnswerError(f"{self.endpoint.name} answered one question with a list")
        return self._result(envelope, method)

    def _ask_batch(self, method: str, several: Sequence[Sequence[Any]], asked: Sequence[int]) -> dict[int, memoryview]:
        """What a batch gave, by number; empty when the endpoint does not take such a batch."""
        try:
            answer = self._exchange(method, msgspec.json.encode([question(n, method, several[n]) for n in asked]))
            envelopes = self._opened(answer, method)
        except AnswerTimeoutError:
            self.endpoint.smaller_batches(len(asked))
            raise
        except (AnswerTooLargeError, RefusedQuestionError):
            # A question of it asked alone says whether it is the batch that is wrong or the question.
            return {}
        if not isinstance(envelopes, list):
            self._raise_if_not_for_the_batch(answer, envelopes, method)
            return {}
        wanted = set(asked)
        results: dict[int, memoryview] = {}
        turned_away: EndpointTroubleError | None = None
        for envelope in envelopes:
            if not isinstance(envelope.id, int) or envelope.id not in wanted:
                continue
            try:
                results[envelope.id] = self._result(envelope, method)
            except LaggingEndpointError:
                raise
            except EndpointTroubleError as trouble:
                turned_away = trouble
        if turned_away is not None and not results:
            raise turned_away
        return results

    def _raise_if_not_for_the_batch(self, answer: HttpAnswer, envelope: Envelope, method: str) -> None:
        """Raise what one error in answer to a whole batch means, unless it may be that batches are not taken."""
        if answer.status >= SERVER_ERROR:
            raise self._of_status(answer, method)
        error = error_of(envelope)
        trouble = self._explained(error, method) if error else None
        may_be_the_batch = isinstance(trouble, RefusedQuestionError | MissingMethodError)
        if isinstance(trouble, RateLimitedError) or (isinstance(trouble, PermanentRpcError) and not may_be_the_batch):
            raise trouble

    def _exchange(self, method: str, body: bytes) -> HttpAnswer:
        try:
            return self.endpoint.exchange(body)
        except AnswerTooLargeError as error:
            if method == GET_LOGS:
                raise TooManyResultsError(str(error)) from error
            raise

    def _opened(self, answer: HttpAnswer, method: str) -> Envelope | list[Envelope]:
        """The envelopes of an answer; whatever is wrong with it as a piece of HTTP is raised."""
        name = self.endpoint.name
        if answer.status == TOO_MANY_REQUESTS:
            raise RateLimitedError(f"{name} asks for fewer requests (HTTP {answer.status})", answer.wait_seconds)
        try:
            envelope = open_answer(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if answer.status >= 300:
                raise self._of_status(answer, method) from error
            if first_character(answer.body) in (b"{", b"[") and not isinstance(error, msgspec.ValidationError):
                raise EndpointTroubleError(f"{name} broke off its answer") from error
            raise PermanentRpcError(
                f"{name} answers with something that is not JSON-RPC; set the address of an Ethereum endpoint in {SETTING}"
            ) from error
        # Some put the JSON-RPC error under a status of their own; it says more than the status.
        if answer.status >= 300 and not (isinstance(envelope, Envelope) and error_of(envelope)):
            raise self._of_status(answer, method)
        return envelope

    def _of_status(self, answer: HttpAnswer, method: str) -> Exception:
        name, status = self.endpoint.name, answer.status
        if status in REFUSED:
            return PermanentRpcError(
                f"{name} refuses access (HTTP {status}); check the key and the plan behind the address in {SETTING}"
            )
        if status in ABSENT:
            return PermanentRpcError(
                f"{name} has nothing at this address (HTTP {status}); check the path of the address in {SETTING}"
            )
        if status == TOO_LARGE and method == GET_LOGS:
            return TooManyResultsError(f"{name} finds the answer too large (HTTP {status})")
        if status in TIMED_OUT:
            return AnswerTimeoutError(f"{name} did not answer in time (HTTP {status})")
        if status >= SERVER_ERROR:
            return EndpointTroubleError(f"{name} has trouble (HTTP {status})", answer.wait_seconds)
        return RefusedQuestionError(f"{name} refuses {method} (HTTP {status}); check the address in {SETTING}")

    def _result(self, envelope: Envelope, method: str) -> memoryview:
        error = error_of(envelope)
        if error is not None:
            raise self._explained(error, method)
        return memoryview(envelope.result)

    def _explained(self, error: RpcError, method: str) -> Exception:
        said = self.endpoint.without_secrets(error.message)
        return explain(RpcError(error.code, said, error.data), method, self.endpoint.name)
