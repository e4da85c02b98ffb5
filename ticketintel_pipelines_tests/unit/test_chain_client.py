"""Talking to nodes that answer as scripted: what is asked again, how long is waited, what is told to a person."""

import gzip
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ticketintel_pipelines.chain.rpc import endpoint as endpoints
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.chain.rpc.endpoint import Endpoint, HttpAnswer
from ticketintel_pipelines.chain.rpc.errors import (
    EndpointTroubleError,
    PermanentRpcError,
    RateLimitedError,
    TooManyResultsError,
)
from ticketintel_pipelines.chain.rpc.session import Session
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines_tests.chain_double import DoubleChain, NodeDouble

SECRET_URL = "https://user:pass-phrase@node.example:8545/v3/0123456789abcdef?apikey=s3cr3t-s3cr3t"
SECRETS = ("user", "pass-phrase", "0123456789abcdef", "s3cr3t-s3cr3t", "v3")
NAME = "https://node.example:8545"
Answer = HttpAnswer | Exception
Question = dict[str, Any]


class Script:
    """Stands where HTTP would be: `answer` gives the answer to the questions of an exchange, by the endpoint's name."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.exchanges: list[tuple[str, list[Question]]] = []
        self.answer: Callable[[str, Any], Answer] = lambda name, asked: said(asked)

    def exchange(self, endpoint: Endpoint, body: bytes) -> HttpAnswer:
        asked = json.loads(body)
        self.exchanges.append((endpoint.name, asked if isinstance(asked, list) else [asked]))
        answer = self.answer(endpoint.name, asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def client(self, *urls: str, **settings: Any) -> ChainClient:
        return ChainClient(urls or (SECRET_URL,), sleep=self.sleep, clock=lambda: self.now, draw=random.Random(0), **settings)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()
    monkeypatch.setattr(Endpoint, "exchange", lambda endpoint, body: script.exchange(endpoint, body))
    return script


def http(status: int, body: str | bytes = b"", wait_seconds: float | None = None) -> HttpAnswer:
    return HttpAnswer(status, memoryview(body.encode() if isinstance(body, str) else body), wait_seconds)


def said(asked: Any, result: Callable[[Question], Any] = lambda question: "0x1") -> HttpAnswer:
    """A good answer to one question or a batch."""
    if isinstance(asked, list):
        return http(200, json.dumps([{"jsonrpc": "2.0", "id": q["id"], "result": result(q)} for q in asked]))
    return http(200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result(asked)}))


def failed(code: int, message: str, status: int = 200) -> HttpAnswer:
    return http(status, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}))


def in_turn(*answers: Answer | None) -> Callable[[str, Any], Answer]:
    """These answers, then (and for None) good ones."""
    left = list(answers)

    def answer(name: str, asked: Any) -> Answer:
        return (left.pop(0) if left else None) or said(asked)

    return answer


def ask_numbers(session: Session, count: int = 10) -> list[int]:
    return [json.loads(bytes(text)) for text in session.ask_many("echo", [(number,) for number in range(count)])]


def echo(question: Question) -> Any:
    return question["params"][0]


@pytest.mark.parametrize(
    "trouble",
    [
        EndpointTroubleError("cannot be reached"),
        http(502, "<html>"),
        http(200, '{"jsonrpc":"2.0","id":1,"res'),
        http(503, '{"error":"overloaded"}'),
        failed(-32603, "internal error"),
        failed(-32005, "rate limit exceeded"),
        failed(-32000, "try again later", status=429),
    ],
)
def test_passing_trouble_is_asked_again_after_growing_waits(script: Script, trouble: Answer) -> None:
    script.answer = in_turn(trouble, trouble, trouble)
    assert script.client().chain_id() == 1
    assert len(script.exchanges) == 4
    for attempt, wait in enumerate(script.waits):
        assert 0.5 * 0.25 * 2**attempt <= wait <= 0.25 * 2**attempt


@pytest.mark.parametrize("urls", [("http://one.example",), ("http://one.example", "http://two.example")])
def test_attempts_are_bounded_in_number_and_time(script: Script, urls: Sequence[str]) -> None:
    script.answer = lambda name, asked: EndpointTroubleError(f"{name} cannot be reached")
    with pytest.raises(UnavailableError, match=r"http://one\.example cannot be reached.* TICKETINTEL_CHAIN_RPC_URL"):
        script.client(*urls).chain_id()
    assert len(script.exchanges) == 12 * len(urls)
    script.exchanges.clear()
    with pytest.raises(UnavailableError):
        script.client(*urls, patience_seconds=1.0).chain_id()
    assert 2 < len(script.exchanges) < 8


def test_a_wait_that_the_node_asks_for_is_kept(script: Script) -> None:
    script.answer = in_turn(http(429, wait_seconds=7.0))
    script.client().chain_id()
    assert script.waits == [7.0]
    # A long one too, where there is no other node.
    script.answer = in_turn(http(429, wait_seconds=90.0))
    script.client().chain_id()
    assert script.waits[1:] == [90.0]


def test_another_node_is_asked_instead_of_waiting_long(script: Script) -> None:
    script.answer = lambda name, asked: http(429, wait_seconds=600.0) if "one" in name else said(asked)
    client = script.client("http://one.example", "http://two.example")
    assert client.chain_id() == client.chain_id() == 1
    assert script.waits == []
    assert Counter(name for name, _ in script.exchanges)["http://one.example"] == 1
    script.now += 601.0
    client.chain_id()
    assert Counter(name for name, _ in script.exchanges)["http://one.example"] == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (http(401), "refuses access"),
        (http(403, '{"message":"no plan"}'), "refuses access"),
        (http(404), "check the path"),
        (http(200, "<html>"), "not JSON-RPC"),
        (http(200, '{"id":[]}'), "not JSON-RPC"),
        (http(400), "HTTP 400"),
        (failed(-32601, "the method eth_chainId does not exist"), "does not offer the method eth_chainId"),
        (failed(-32602, "invalid argument 0 of 0123456789abcdef"), "wrong question"),
        (failed(-32000, "invalid api key s3cr3t-s3cr3t", status=400), "refuses access"),
    ],
)
def test_a_permanent_error_is_told_at_once_without_secrets(script: Script, answer: HttpAnswer, says: str) -> None:
    script.answer = lambda name, asked: answer
    with pytest.raises(PermanentRpcError, match=says) as raised:
        script.client().chain_id()
    assert len(script.exchanges) == 1
    assert "TICKETINTEL_CHAIN_RPC_URL" in str(raised.value)
    assert NAME in str(raised.value)
    assert not any(secret in str(raised.value) for secret in SECRETS)


@pytest.mark.parametrize("url", ["node.example", "ws://node.example", "http://", "http://node:port"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(PermanentRpcError, match="TICKETINTEL_CHAIN_RPC_URL"):
        ChainClient([url])


def test_nodes_of_different_chains_are_not_mixed(script: Script) -> None:
    script.answer = lambda name, asked: (
        EndpointTroubleError("gone") if "one" in name and len(script.exchanges) > 2 else said(asked, lambda q: hex(len(name)))
    )
    client = script.client("http://one.example", "http://two.two.example")
    client.chain_id()
    with pytest.raises(PermanentRpcError, match="serves chain 22 and another endpoint serves chain 18"):
        client.run(lambda session: session.ask("eth_call", ()))


def test_batches_are_put_in_order_and_halves_completed(script: Script) -> None:
    def half_and_shuffled(name: str, asked: Any) -> HttpAnswer:
        return said(asked[::-1][: max(1, len(asked) // 2)], echo) if isinstance(asked, list) else said(asked, echo)

    script.answer = half_and_shuffled
    assert script.client().run(ask_numbers) == list(range(10))
    assert script.waits == []
    assert sum(len(asked) for _, asked in script.exchanges) < 25


@pytest.mark.parametrize(
    "refusal",
    [failed(-32600, "batch too large"), http(413), http(400), failed(-32600, "no batches", status=400), http(200, "[]")],
)
def test_batches_that_a_node_does_not_take_become_smaller(script: Script, refusal: HttpAnswer) -> None:
    def at_most_three(name: str, asked: Any) -> HttpAnswer:
        return refusal if isinstance(asked, list) and len(asked) > 3 else said(asked, echo)

    script.answer = at_most_three
    client = script.client()
    assert client.run(ask_numbers) == list(range(10))
    assert script.waits == []
    script.exchanges.clear()
    assert client.run(ask_numbers) == list(range(10))
    assert max(len(asked) for _, asked in script.exchanges) <= 3


def test_a_batch_with_a_wrong_question_is_a_permanent_error(script: Script) -> None:
    script.answer = lambda name, asked: failed(-32602, "missing value for required argument 0")
    with pytest.raises(PermanentRpcError, match="missing value"):
        script.client().run(ask_numbers)
    script.answer = lambda name, asked: http(401)
    script.exchanges.clear()
    with pytest.raises(PermanentRpcError, match="refuses access"):
        script.client().run(ask_numbers)
    assert len(script.exchanges) == 1


def test_questions_of_a_batch_that_are_turned_away_are_asked_again(script: Script) -> None:
    def every_other(name: str, asked: Any) -> HttpAnswer:
        answers = json.loads(bytes(said(asked, echo).body))
        for answer in answers[1::2]:
            answer["error"] = {"code": 429, "message": "rate limit"}
            del answer["result"]
        return http(200, json.dumps(answers))

    script.answer = every_other
    assert script.client().run(ask_numbers) == list(range(10))
    script.answer = in_turn(
        http(200, json.dumps([{"id": n, "error": {"code": 429, "message": "rate limit"}} for n in range(10)]))
    )
    script.client().run(ask_numbers)
    assert len(script.waits) == 1


def test_a_time_out_is_borne_only_where_nothing_else_can_be_done(script: Script) -> None:
    script.answer = lambda name, asked: http(504) if "one" in name else said(asked)
    assert script.client("http://one.example", "http://two.example").chain_id() == 1
    assert [name for name, _ in script.exchanges].count("http://one.example") == 1
    assert script.waits == []
    script.answer = in_turn(http(504), failed(-32000, "query timeout exceeded"))
    assert script.client().chain_id() == 1
    assert len(script.waits) == 2
    script.answer = lambda name, asked: failed(-32000, "query timeout exceeded")
    script.exchanges.clear()
    with pytest.raises(UnavailableError):
        script.client().run(lambda session: session.ask_unless_slow("eth_getLogs", ({},)))
    assert len(script.exchanges) == 3


def test_a_rate_limit_is_not_mistaken_for_too_many_results(script: Script) -> None:
    script.answer = in_turn(
        failed(-32005, "query rate limit exceeded"), failed(-32005, "query returned more than 10000 results")
    )
    with pytest.raises(TooManyResultsError):
        script.client().run(lambda session: session.ask("eth_getLogs", ({},)))
    assert len(script.waits) == 1
    assert not issubclass(TooManyResultsError, RateLimitedError)


def test_an_answer_that_would_take_all_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = DoubleChain(3)
    chain.mine(20)
    with NodeDouble(chain) as node, ChainClient([node.url], sleep=lambda seconds: None) as client:
        question = ({"fromBlock": "0x0", "toBlock": hex(20)},)
        assert client.run(lambda session: len(session.ask("eth_getLogs", question))) > 2000
        monkeypatch.setattr(endpoints, "LARGEST_ANSWER_BYTES", 2000)
        with pytest.raises(TooManyResultsError):
            client.run(lambda session: session.ask("eth_getLogs", question))


class _Compressing(BaseHTTPRequestHandler):
    """Answers gzipped and in chunks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = gzip.compress(bytes(said(asked).body))
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body[:20], body[20:], b""):
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests read what they print."""


def test_compressed_answers_are_read() -> None:
    with HTTPServer(("127.0.0.1", 0), _Compressing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with ChainClient([f"http://127.0.0.1:{server.server_port}"]) as client:
                assert client.chain_id() == 1
        finally:
            server.shutdown()
            thread.join()


def test_nobody_waits_for_work_that_is_not_wanted_any_more(script: Script) -> None:
    stopped = threading.Event()
    stopped.set()
    script.answer = lambda name, asked: http(429, wait_seconds=60.0)
    with pytest.raises(UnavailableError):
        script.client().run(lambda session: session.ask("eth_chainId", ()), stopped)
    assert script.waits == []
    assert len(script.exchanges) == 1
