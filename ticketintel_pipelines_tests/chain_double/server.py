"""The node: an HTTP server on 127.0.0.1 that serves a chain in memory, with limits and faults."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any

from ticketintel_pipelines_tests.chain_double.answers import INVALID_PARAMS, LIMIT_EXCEEDED, NO_LIMITS, Limits, RpcFailure, View
from ticketintel_pipelines_tests.chain_double.chain import DoubleChain
from ticketintel_pipelines_tests.chain_double.faults import Fault, Faults

RETRY_AFTER_SECONDS = 1
BEHIND_BLOCKS = 3
"""By how much a lagging node lags."""

_ERRORS = {
    Fault.RATE_LIMITED_ERROR: (LIMIT_EXCEEDED, "rate limit exceeded"),
    Fault.INTERNAL_ERROR: (-32603, "internal error"),
    Fault.TOO_MANY_RESULTS: (LIMIT_EXCEEDED, "query returned more than 10000 results"),
    Fault.TIMED_OUT_ERROR: (-32000, "query timeout exceeded"),
    Fault.WRONG_QUESTION: (INVALID_PARAMS, "invalid argument 0: hex string has length 38, want 40"),
}
_PAGES: dict[Fault | None, int] = {Fault.SERVER_ERROR: 502, Fault.NOT_FOUND_PAGE: 404, Fault.NOT_JSON: 200}


class NodeDouble:
    """A node of `chain` while in context, at `url`; the chain may be mined and reorganised meanwhile.

    `other` is the chain that a stale answer comes from. `boast` is added to the height that eth_blockNumber tells.
    `asked` counts the questions by method, `exchanges` the HTTP requests.
    """

    def __init__(
        self,
        chain: DoubleChain,
        faults: Faults | None = None,
        *,
        other: DoubleChain | None = None,
        limits: Limits = NO_LIMITS,
        boast: int = 0,
        late_seconds: float = 0.3,
        dies_after: int | None = None,
    ) -> None:
        self.chain = chain
        self.faults = faults or Faults()
        self.other = other or chain
        self.limits = limits
        self.boast = boast
        self.late_seconds = late_seconds
        self.dies_after = dies_after
        """So many exchanges are answered, then it is as if the machine had gone."""
        self.asked: Counter[str] = Counter()
        self.exchanges = 0
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    def __enter__(self) -> "NodeDouble":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def is_dead(self) -> bool:
        with self._lock:
            return self.dies_after is not None and self.exchanges > self.dies_after

    def draw(self, questions: Sequence[Mapping[str, Any]], is_batch: bool) -> Fault | None:
        """Count an exchange; the fault that it meets."""
        with self._lock:
            self.exchanges += 1
            self.asked.update(question["method"] for question in questions)
        question = json.dumps([(question["method"], question["params"]) for question in questions])
        return self.faults.draw(questions[0]["method"], question, is_batch)

    def answers(self, questions: Sequence[Mapping[str, Any]], fault: Fault | None) -> list[dict[str, Any]]:
        """The answers to the questions of one exchange, from one view of the chain."""
        chain = self.other if fault is Fault.STALE_BRANCH else self.chain
        blocks = chain.blocks
        if fault is Fault.LAGGING:
            blocks = blocks[: max(1, len(blocks) - BEHIND_BLOCKS)]
        view = View(chain, blocks, self.limits, self.boast)
        answers = [self._answer(view, question, fault) for question in questions]
        if fault is Fault.HALF_BATCH:
            return answers[: (len(answers) + 1) // 2]
        if fault is Fault.SHUFFLED_BATCH:
            return answers[::-1]
        return answers

    def _answer(self, view: View, question: Mapping[str, Any], fault: Fault | None) -> dict[str, Any]:
        answer = {"jsonrpc": "2.0", "id": question["id"]}
        try:
            if fault is not None and fault in _ERRORS:
                raise RpcFailure(*_ERRORS[fault])
            result = view.answer(question["method"], question["params"])
        except RpcFailure as failure:
            return {**answer, "error": {"code": failure.code, "message": failure.message}}
        if question["method"] == "eth_getLogs":
            result = self.faults.of_logs(fault, result)
        if question["method"] == "eth_getBlockReceipts" and result is not None:
            result = self.faults.of_receipts(fault, result)
        if fault is Fault.NULL_BLOCK and question["method"] == "eth_getBlockByNumber":
            result = None
        return {**answer, "result": result}


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, node: NodeDouble) -> None:
        self.node = node
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._connections):
            _hang_up(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        node = self.server.node
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_batch = isinstance(asked, list)
        questions = asked if is_batch else [asked]
        fault = node.draw(questions, is_batch)
        if fault is Fault.NO_ANSWER or node.is_dead():
            self._break_off()
            return
        if fault is Fault.LATE:
            time.sleep(node.late_seconds)
        if fault in _PAGES:
            self._send(_PAGES[fault], b"<html><body>Something else</body></html>", {"Content-Type": "text/html"})
        elif fault is Fault.RATE_LIMITED:
            self._send(429, b"{}", {"Retry-After": str(RETRY_AFTER_SECONDS)})
        elif is_batch and node.limits.largest_batch and len(questions) > node.limits.largest_batch:
            error = {"code": -32600, "message": f"batch too large: at most {node.limits.largest_batch} requests"}
            self._send(200, json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())
        else:
            answers = node.answers(questions, fault)
            body = json.dumps(answers if is_batch else answers[0], separators=(",", ":")).encode()
            self._send(200, body, broken=fault is Fault.BROKEN_BODY)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, broken: bool = False) -> None:
        members = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        head = f"HTTP/1.1 {status} .\r\n" + "".join(f"{name}: {value}\r\n" for name, value in members.items()) + "\r\n"
        # In one piece: a second small packet would wait for the first to be acknowledged.
        try:
            self.wfile.write(head.encode() + (body[: len(body) // 2] if broken else body))
        except OSError:
            # The reader has gone; so has what there was to tell it.
            self.close_connection = True
        if broken:
            self._break_off()

    def _break_off(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests read what they print."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            # Readers that close a connection while it is open for the next question are no failure of the node.
            self.close_connection = True


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side was quicker.
        return
