"""An extraction that is killed at any moment, and run again: every block and log once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.chain_double import DoubleChain, NodeDouble
from ticketintel_pipelines_tests.chain_stage import assert_complete
from ticketintel_pipelines_tests.conftest import environment_of

BLOCKS = 400
CODE = """
import sys
from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.chain_double import DoubleChain
from ticketintel_pipelines_tests.chain_stage import extract, settings_of

workspace = Workspace(DOMAINS)
_ = workspace.server
print("ready", flush=True)
settings = settings_of(DoubleChain(), confirmations=0)
report = extract(workspace, settings, sys.argv[1], progress=lambda words: print(words, flush=True))
print(f"done {report.reached} {report.gaps}", flush=True)
"""


def start(workspace: Workspace, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CODE, url],
        env=environment_of(workspace.settings),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def wait_for(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError(f"the process ended before it said {beginning!r}")


@pytest.mark.slow
def test_a_killed_extraction_goes_on_where_it_ended(make_settings) -> None:
    settings = make_settings()
    workspace = Workspace(DOMAINS, lambda: settings)
    chain = DoubleChain(5, finality_depth=0)
    chain.mine(BLOCKS)
    with NodeDouble(chain) as node:
        # After so many increments, and a moment into the next one; the last kills meet a reorganisation being replaced.
        for increments, moment, depth in ((0, 0.05, 0), (3, 0.0, 0), (6, 0.03, 0), (0, 0.2, 60), (0, 0.35, 90)):
            if depth:
                chain.reorganise(depth)
            process = start(workspace, node.url)
            wait_for(process, "ready")
            for _ in range(increments):
                wait_for(process, "landed")
            time.sleep(moment)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        last = start(workspace, node.url)
        assert wait_for(last, "done") == f"done {chain.head.number} []"
        assert last.wait() == 0
    assert_complete(workspace, chain, chain.head.number)
