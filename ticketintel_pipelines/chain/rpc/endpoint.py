"""One endpoint: a single HTTP exchange with it, and what has been learnt about it."""

import ipaddress
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa
import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as HttpTimeoutError

from ticketintel_pipelines.chain.rpc.errors import (
    SETTING,
    AnswerTimeoutError,
    EndpointTroubleError,
    PermanentRpcError,
)

LARGEST_ANSWER_BYTES = 256 << 20
"""What is longer is not read to its end, so that an answer cannot take all memory."""

CONNECT_SECONDS = 5.0
_CHUNK_BYTES = 1 << 18
_SHORTEST_SECRET = 6


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as it came: `wait_seconds` is its Retry-After, None where it has none."""

    status: int
    body: memoryview
    wait_seconds: float | None


class AnswerTooLargeError(EndpointTroubleError):
    """The answer is longer than LARGEST_ANSWER_BYTES."""


class Endpoint:
    """One address of a node, and what is known of it: how many questions it takes at once, what it lacks, whether it
    is set aside. Safe to use from several threads.

    `name` is scheme and host, which is all that may be shown: a provider's key stands in the path, the query or in
    front of the host.
    """

    def __init__(self, url: str, *, timeout_seconds: float, batch_size: int, in_flight: int) -> None:
        parts = _split(url)
        self.name = _shown(parts)
        self._secrets = _secrets(parts)
        self._url = url
        self._http = urllib3.PoolManager(
            num_pools=1,
            maxsize=in_flight,
            block=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, timeout_seconds), read=timeout_seconds),
            retries=False,
            headers=_headers(parts),
        )
        self._slots = threading.BoundedSemaphore(in_flight)
        self.batch_size = batch_size
        self.lacks: set[str] = set()
        self.chain_id: int | None = None
        self.cuts_results = False
        """Caught giving fewer logs than its own receipts hold."""
        self._lock = threading.Lock()
        self._failures = 0
        self._aside_until = 0.0

    def exchange(self, body: bytes) -> HttpAnswer:
        """Send one JSON-RPC body, as soon as fewer than `in_flight` are under way.

        Raises:
            EndpointTroubleError: no connection, no answer in time, or an answer that broke off.
            PermanentRpcError: the endpoint answers from another address.
        """
        try:
            with self._slots:
                response = self._http.request("POST", self._url, body=body, redirect=False, preload_content=False)
                try:
                    content = self._read(response)
                except BaseException:
                    response.close()
                    raise
                response.release_conn()
        except NewConnectionError as error:
            # To the library a refused connection is a kind of time-out; asking for less would not help here.
            raise EndpointTroubleError(f"{self.name} cannot be reached ({type(error).__name__})") from error
        except HttpTimeoutError as error:
            raise AnswerTimeoutError(f"{self.name} did not answer in time") from error
        except (HTTPError, OSError) as error:
            what = "broke off its answer" if isinstance(error, ProtocolError) else "cannot be reached"
            raise EndpointTroubleError(f"{self.name} {what} ({type(error).__name__})") from error
        if 300 <= response.status < 400:
            raise PermanentRpcError(
                f"{self.name} redirects elsewhere (HTTP {response.status}); set the address it redirects to in {SETTING}"
            )
        return HttpAnswer(response.status, content, _retry_after(response.headers.get("Retry-After")))

    def _read(self, response: urllib3.BaseHTTPResponse) -> memoryview:
        # The compressed length says nothing about the memory that the content takes.
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and not response.headers.get("Content-Encoding"):
            return self._read_whole(response, int(announced))
        chunks: list[bytes] = []
        size = 0
        while chunk := response.read(_CHUNK_BYTES):
            size += len(chunk)
            self._check_size(size)
            chunks.append(chunk)
        return memoryview(b"".join(chunks))

    def _read_whole(self, response: urllib3.BaseHTTPResponse, size: int) -> memoryview:
        self._check_size(size)
        # Arrow's pool keeps the memory of one answer for the next; the system's, given back and asked for again, costs
        # more than reading into it.
        body = memoryview(pa.allocate_buffer(size)).cast("B")
        place = 0
        while chunk := response.read(_CHUNK_BYTES):
            body[place : place + len(chunk)] = chunk
            place += len(chunk)
        return body

    def _check_size(self, size: int) -> None:
        if size > LARGEST_ANSWER_BYTES:
            raise AnswerTooLargeError(f"{self.name} gave an answer of over {LARGEST_ANSWER_BYTES:,} bytes")

    def without_secrets(self, text: str) -> str:
        """A text from outside, with the parts of the address that are not to be shown taken out."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    def set_aside(self, now: float, seconds: float) -> None:
        """Leave it alone for a while, longer with each failure in a row."""
        with self._lock:
            if now < self._aside_until:
                # The other requests that were under way with the one that failed.
                return
            self._failures += 1
            self._aside_until = now + seconds * 2 ** min(self._failures - 1, 5)

    def worked(self) -> None:
        with self._lock:
            self._failures = 0

    @property
    def aside_until(self) -> float:
        """The time, by the clock given to `set_aside`, from which it may be asked again."""
        return self._aside_until

    def smaller_batches(self, refused: int) -> None:
        """A batch of `refused` questions was not answered whole."""
        with self._lock:
            self.batch_size = max(1, min(self.batch_size, refused // 2))

    def close(self) -> None:
        self._http.clear()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PermanentRpcError(f"an address in {SETTING} is no http:// or https:// address; separate several by commas")
    return parts


def _shown(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _secrets(parts: SplitResult) -> list[str]:
    pieces = [*parts.path.split("/"), *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    pieces += [parts.username or "", parts.password or ""]
    known = {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST_SECRET}
    return sorted(known, key=len, reverse=True)


def _headers(parts: SplitResult) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if not _is_this_machine(parts.hostname or ""):
        headers["Accept-Encoding"] = "gzip"
    if parts.username:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers |= urllib3.make_headers(basic_auth=credentials)
    return headers


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its forms; None where it is absent or unreadable."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
