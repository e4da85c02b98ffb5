"""What steps write to stdout and stderr, kept by Dagster as files: redacted before it reaches a file or the terminal.

Dagster's own log of each run and the tracebacks of failed steps go through here too, since it writes them to stderr.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import IO, Any, TextIO

import dagster._core.storage.local_compute_log_manager as local
from dagster import Field
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._serdes import ConfigurableClassData
from dagster._utils import touch_file

from ticketintel_pipelines.redaction import redacted_line
from ticketintel_pipelines.settings import COMPUTE_LOGS, read_settings

LOOK_AGAIN_SECONDS = 0.2
PIECE_BYTES = 1 << 16
LONGEST_LINE = 1 << 20
"""Bytes. A line that is longer is passed on in pieces, cut behind a space where it has one."""


class RedactedComputeLogs(local.LocalComputeLogManager):
    """Compute logs in local files, each line of them redacted; named by `dagster.yaml`.

    What was written in the last moment before a process is killed is lost: up to a fifth of a second, and an unfinished line.
    """

    @classmethod
    def config_type(cls) -> Any:
        return {"base_dir": Field(str, is_required=False, description="Where to, if not into Dagster's home.")}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RedactedComputeLogs":
        return cls(config_value.get("base_dir") or str(read_settings().compute_logs), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        out, err = (Path(self.get_captured_local_path(log_key, kind)) for kind in local.IO_TYPE_EXTENSION.values())
        with _captured(sys.stdout, out), _captured(sys.stderr, err):
            yield CapturedLogContext(log_key)
        # Its presence says that the capture is complete.
        touch_file(self.complete_artifact_path(log_key))

    @contextmanager
    def open_log_stream(self, log_key: Sequence[str], io_type: ComputeIOType) -> Iterator[Any]:
        """For what schedules and sensors log."""
        with super().open_log_stream(log_key, io_type) as stream:
            yield None if stream is None else _RedactedStream(stream)


def compute_logs_at(dagster_home: Path) -> dict[str, Any]:
    """The part of an instance's configuration that keeps its compute logs in a home, whatever the environment says."""
    config = {"base_dir": str(dagster_home / COMPUTE_LOGS)}
    return {"compute_logs": {"module": __name__, "class": RedactedComputeLogs.__name__, "config": config}}


class _RedactedStream(StringIO):
    """Passes lines on to another stream, redacted."""

    def __init__(self, target: IO[str]) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        self._target.write("".join(map(redacted_line, text.splitlines(keepends=True))))
        return len(text)


@contextmanager
def _captured(stream: TextIO, path: Path) -> Iterator[None]:
    """What this process and those that it starts write to a stream, as redacted lines in a file and where it went before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    number = _file_number(stream)
    if number is None:
        yield
        return
    stream.flush()
    # Through a file without a name: a pipe could fill up while nobody may run, and breaks for a child that outlives the run.
    with tempfile.TemporaryFile() as written, os.fdopen(os.dup(number), "wb", 0) as before, path.open("ab", 0) as kept:
        ended = threading.Event()
        copying = threading.Thread(target=_copy, args=(written.fileno(), (kept, before), ended), name=path.name, daemon=True)
        # The copy is read by position, so that it does not move the place where the next word is written.
        os.dup2(written.fileno(), number)
        copying.start()
        try:
            yield
        finally:
            stream.flush()
            os.dup2(before.fileno(), number)
            ended.set()
            copying.join()


def _file_number(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, ValueError, OSError):
        # A stream that was put in the place of the process's own, such as by a notebook or a test.
        return None


def _copy(source: int, targets: Sequence[IO[bytes]], ended: threading.Event) -> None:
    place, rest = 0, b""
    while True:
        # Asked before it is looked: what was written before the end is then read.
        last = ended.wait(LOOK_AGAIN_SECONDS)
        while piece := os.pread(source, PIECE_BYTES, place):
            place += len(piece)
            lines, rest = _whole_lines(rest + piece)
            _pass_on(lines, targets)
        if last:
            _pass_on(rest, targets)
            return


def _whole_lines(text: bytes) -> tuple[bytes, bytes]:
    """The part that can be redacted already, and the unfinished line behind it."""
    end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    if not end and len(text) > LONGEST_LINE:
        end = text.rfind(b" ") + 1 or len(text)
    return text[:end], text[end:]


def _pass_on(text: bytes, targets: Sequence[IO[bytes]]) -> None:
    if not text:
        return
    lines = text.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    clean = "".join(map(redacted_line, lines)).encode("utf-8", "surrogateescape")
    for target in targets:
        # Whoever read the terminal has seen enough; the file goes on.
        with suppress(BrokenPipeError):
            target.write(clean)
