"""A real EVM node for tests: anvil, whose chain can be mined, set back and reorganised at will.

It is installed, git-ignored, by one line in the root of the repository: INSTALL.
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

INSTALL = "npm install --no-save @foundry-rs/anvil"
REPOSITORY = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
ANSWER_SECONDS = 60.0

_LISTENING = re.compile(rf"Listening on {re.escape(HOST)}:(\d+)")


class NodeError(Exception):
    """The error member of a node's answer."""


@dataclass(frozen=True)
class Node:
    """A running node; quantities in its answers are hexadecimal text, as the node gives them."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of one question.

        Raises:
            NodeError: the node answered with an error.
        """
        question = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        with contextlib.closing(connection):
            connection.request("POST", "/", json.dumps(question), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        if "error" in answer:
            raise NodeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> int:
        """Mine so many blocks; the height of the last."""
        self.rpc("anvil_mine", hex(blocks))
        return self.height()

    def height(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def block_hash(self, number: int) -> str | None:
        block = self.rpc("eth_getBlockByNumber", hex(number), False)
        return None if block is None else block["hash"]

    def reorganise(self, depth: int, transactions: Sequence[tuple[str | dict[str, Any], int]] = ()) -> None:
        """Replace the last `depth` blocks by as many new ones.

        The new ones hold only `transactions`: each, signed or as a JSON object, with the place of its block among them,
        counted from 0.
        """
        self.rpc("anvil_reorg", depth, transactions)


def find_anvil() -> Path | None:
    """The program; the one in the repository before one on the PATH, None where there is neither."""
    # npm's own launcher is a script that starts the program: killing the script would leave the program running.
    installed = sorted((REPOSITORY / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if installed:
        return installed[0]
    on_path = shutil.which("anvil")
    return Path(on_path) if on_path else None


@contextlib.contextmanager
def running_node(*options: str) -> Iterator[Node]:
    """A node of one's own on a free port of this machine, with anvil's command line `options`; stopped at the end.

    Blocks are mined when asked for or when a transaction comes in. Skips the test where anvil is not installed.
    """
    program = find_anvil()
    if program is None:
        pytest.skip(f"no anvil; in the root of the repository: {INSTALL}")
    command = [str(program), "--host", HOST, "--port", "0", *options]
    if setpriv := shutil.which("setpriv"):
        # A test run that is killed takes its node along.
        command = [setpriv, "--pdeathsig", "KILL", *command]
    # Left to itself, anvil puts the states of old blocks, gigabytes of a long chain, into the home of the user for good.
    with tempfile.TemporaryDirectory(prefix="ticketintel-node-") as states, tempfile.TemporaryFile("w+") as output:
        command += ["--cache-path", states]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            node = Node(_port(process, output))
            node.rpc("anvil_setLoggingEnabled", False)
            yield node
        finally:
            _stop(process)


def _port(process: subprocess.Popen[bytes], output: IO[str]) -> int:
    """The port that the node says it listens on."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        has_ended = process.poll() is not None
        # Positioned reads: the node writes through the same file description.
        said = os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")
        if found := _LISTENING.search(said):
            return int(found[1])
        if has_ended or time.monotonic() > deadline:
            raise RuntimeError(f"anvil did not start: {said.strip()[-500:]}")
        time.sleep(0.01)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for kind, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
        # The group, for an anvil on the PATH may be a launcher; it may also be gone already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        else:
            return
