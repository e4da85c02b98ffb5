"""Pulling the plug on an increment: broken off or killed at any step and taken again, each row is landed once."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace

import psycopg
import pytest

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines_tests.postgres.extracting import Pipeline, add_account, minutes_ago

# Children start from a server that has the heavy modules loaded: a kill costs a moment, not seconds.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["ticketintel_pipelines_tests.postgres.extracting"])

STEPS = 6
"""Two tables read, two landed, fragments moved, watermarks moved but not committed."""
ACCOUNTS = 50


@dataclass
class At:
    """Progress that does something at the n-th step, counted from 0, and never again."""

    step: int
    act: object

    def __call__(self, message: str) -> None:
        self.step -= 1
        if self.step == -1:
            self.act()  # type: ignore[operator]


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def increment_until_killed(settings: Settings, source: PlatformSource, domain: Domain, step: int | None, delay: float) -> None:
    pipeline = Pipeline(Workspace((), lambda: settings), source, domain)
    _ = pipeline.workspace.server
    if step is None:
        threading.Timer(delay, kill_oneself).start()
    pipeline.increment(At(STEPS if step is None else step, kill_oneself))
    # Between two steps, or after the last.
    kill_oneself()


def killed(pipeline: Pipeline, step: int | None, delay: float = 0) -> None:
    arguments = (pipeline.workspace.settings, pipeline.source, pipeline.domain, step, delay)
    process = _processes.Process(target=increment_until_killed, args=arguments)
    process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL


def write_some(shop: psycopg.Connection, round_: int) -> None:
    """Add accounts, and change the wallet of one that was there."""
    for number in range(ACCOUNTS):
        add_account(shop, f"a{round_}-{number}", minutes_ago(5), created_at=minutes_ago(60 * 24 * (number % 3)))
    shop.execute("UPDATE accounts SET wallet = %s, updated_at = now() WHERE account_id = 'a0-0'", (f"0x{round_:040x}",))
    shop.commit()


def check_each_row_once(pipeline: Pipeline, rounds: int) -> None:
    rows = pipeline.landed("accounts", "account_id, wallet, known_at")
    assert len(rows) == len(set(rows))
    assert {key for key, _, _ in rows} == {f"a{round_}-{number}" for round_ in range(rounds) for number in range(ACCOUNTS)}
    newest = max((row for row in rows if row[0] == "a0-0"), key=lambda row: row[2])
    assert newest[1] == f"0x{rounds - 1:040x}"
    assert not list(pipeline.workspace.lake(pipeline.domain).scratch.glob("*/accounts*"))


def test_broken_off_at_any_step_nothing_is_known_and_the_next_increment_takes_all(
    pipeline: Pipeline, shop: psycopg.Connection
) -> None:
    class PlugPulledError(Exception):
        pass

    def pull() -> None:
        raise PlugPulledError

    for step in range(STEPS):
        write_some(shop, step)
        before = pipeline.ops("content_hash", "raw_fragments")
        with pytest.raises(PlugPulledError):
            pipeline.increment(At(step, pull))
        assert pipeline.ops("content_hash", "raw_fragments") == before
        pipeline.increment()
        check_each_row_once(pipeline, step + 1)


def test_killed_at_any_step_and_taken_again(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    for step in range(STEPS):
        write_some(shop, step)
        killed(pipeline, step)
    # Small chunks: the reading takes a while, and a kill falls into it.
    pipeline.source = replace(pipeline.source, chunk_rows=1)
    for delay in (0.02, 0.1):
        killed(pipeline, None, delay)
    pipeline.increment()
    check_each_row_once(pipeline, STEPS)
    killed(pipeline, STEPS)
    assert pipeline.increment().rows == 0
