"""Telling a person at a terminal what a command is doing."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

PATIENCE_SECONDS = 2.0
"""A step that takes longer gets a line."""


class Progress(Protocol):
    def step(self, name: str) -> AbstractContextManager[None]:
        """A context in which a named step runs."""


class Silence:
    """Progress that nobody watches."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        yield


class Console:
    """A line when a step has lasted two seconds and one when it ends; with `verbose`, for every step."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self.stream = stream or sys.stdout
        self.verbose = verbose

    def say(self, message: str) -> None:
        print(message, file=self.stream, flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        announced = threading.Event()

        def announce() -> None:
            announced.set()
            self.say(f"  {name} …")

        timer = threading.Timer(PATIENCE_SECONDS, announce)
        timer.daemon = True
        if self.verbose:
            announce()
        else:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if announced.is_set():
            self.say(f"  {name}: {time.monotonic() - started:.1f} s")
