"""JSON-RPC errors as the common nodes and providers word them, sorted by what is to be done.

The same code means different things at different providers (-32005 is a rate limit at one and too many results at
another, -32602 a wrong question at one and a range too long at another), so the words come before the code.
"""

import re
from dataclasses import dataclass
from typing import Any

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
)
from ticketintel_pipelines.redaction import redacted

GET_LOGS = "eth_getLogs"

METHOD_NOT_FOUND = -32601
WRONG_QUESTION = (-32600, -32602, -32700)
LIMIT_EXCEEDED = -32005

_MESSAGE_CHARACTERS = 160


@dataclass(frozen=True)
class RpcError:
    """The error member of a JSON-RPC answer."""

    code: int
    message: str
    data: Any = None


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_TOO_MANY_RESULTS = _any_of(
    r"query returned more than",  # geth, Infura, Erigon
    r"query exceeds (max|limit)",  # Reth, Ankr, dRPC
    r"too many (logs|results|blocks)",  # Nethermind, Avalanche
    r"logs matched by query exceeds",  # Arbitrum
    r"response (size )?(is )?(too (big|large)|exceed|should not)",  # Alchemy, Optimism, 1RPC
    r"size (is larger than|exceeded)",  # Alchemy
    r"block range",  # geth, QuickNode, Ankr, Chainstack, Base, Besu
    r"range(s)? (is |are )?(too (wide|large|big)|over|limit|exceed)",  # Erigon, dRPC, Besu
    r"(max|maximum|requested) (rpc )?range",  # Cloudflare, Besu
    r"getlogs is limited to",  # QuickNode
    r"limited to (a )?[\d,.]+k? ?(block|range)",  # BlockPI, 1RPC
    r"at most [\d,.]+k? blocks",  # Coinbase
    r"requested blocks is",  # thirdweb
    r"exceeds the range allowed",  # Blast
    r"blocks distance",  # TAC
    r"must be smaller than size",  # Harmony
)
_BEYOND_HEAD = _any_of(
    r"beyond (the )?(current )?head",
    r"extends beyond",
    r"header not found",
    r"(unknown|unfinalized) (block|data|header)",
    r"block (\S+ )?(is )?(not (yet )?(found|imported|available)|doesn'?t exist)",
    r"(finalized|safe) block not",
)
_TIME_OUT = _any_of(r"time[ds]? ?-?out", r"deadline exceeded", r"took too long")
_RATE_LIMIT = _any_of(
    r"rate.?limit",
    r"too many requests",
    r"throttl",
    r"compute units",
    r"request limit",
    r"capacity",
    r"quota",
    r"try again (later|in|after)",
)
_NOT_ALLOWED = _any_of(
    r"unauthori[sz]ed", r"forbidden", r"api.?key", r"project id", r"authenticat", r"access denied", r"invalid token"
)
_NO_METHOD = _any_of(
    r"method (\S+ )?(is )?(not (found|supported|available|allowed|whitelisted)|does not exist)", r"unsupported method"
)

_SUGGESTED_HEX = re.compile(r"\[\s*(0x[0-9a-f]+)\s*,\s*(0x[0-9a-f]+)\s*\]", re.IGNORECASE)
_SUGGESTED_DECIMAL = re.compile(r"range:?\s+(\d+)\s*-\s*(\d+)", re.IGNORECASE)
_NUMBER = r"(\d[\d,.]*)(k)?\b"
_LONGEST_RANGE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:up to|limited to|at most)(?: an?)? {_NUMBER}[ -]?(?:block|range)",
        rf"max(?:imum)?(?: (?:allowed|is set to|is|block range|number of requested blocks is|range))*:? \(?{_NUMBER}",
        rf"ranges? (?:over|exceeds?|greater than) {_NUMBER}",
        rf"limit(?: is)?:? {_NUMBER}",
        rf"requested blocks is {_NUMBER}",
        rf"\(\d+ > {_NUMBER}\)",
        rf"distance: {_NUMBER}",
    )
)
_RETRY_IN = re.compile(r"(?:retry|try again) (?:in|after) (\d+(?:\.\d+)?) ?(ms|s|sec|m|min)?", re.IGNORECASE)


def explain(error: RpcError, method: str, endpoint: str) -> Exception:
    """The exception that stands for an error answer to `method`; `endpoint` is the name that sentences may quote."""
    said = shortened(error.message)
    words = f"{endpoint} answered {method} with error {error.code}: {said}"
    is_rate_limit = _RATE_LIMIT.search(error.message) is not None
    if _BEYOND_HEAD.search(error.message):
        return LaggingEndpointError(words)
    if method == GET_LOGS and not is_rate_limit and _TOO_MANY_RESULTS.search(_with_details(error)):
        return TooManyResultsError(words, longest_range(error))
    if _TIME_OUT.search(error.message):
        return AnswerTimeoutError(words)
    if is_rate_limit or error.code in (LIMIT_EXCEEDED, 429):
        return RateLimitedError(words, _wait_seconds(error))
    if error.code == METHOD_NOT_FOUND or _NO_METHOD.search(error.message):
        return MissingMethodError(
            f"{endpoint} does not offer the method {method}; use a node or a plan that does, or another address in {SETTING}"
        )
    if error.code in (401, 403) or _NOT_ALLOWED.search(error.message):
        return PermanentRpcError(
            f"{endpoint} refuses access ({said}); check the key and the plan behind the address in {SETTING}"
        )
    if error.code in WRONG_QUESTION:
        return RefusedQuestionError(
            f"{endpoint} refuses {method} as a wrong question ({said}); check the contract addresses and start blocks "
            f"of the chain settings, and that {SETTING} names an Ethereum endpoint"
        )
    return EndpointTroubleError(words)


def longest_range(error: RpcError) -> int | None:
    """The longest range, in blocks, that an error about too many results says would do."""
    message = error.message[:1000]
    if isinstance(error.data, dict) and {"from", "to"} <= error.data.keys():
        return _span(str(error.data["from"]), str(error.data["to"]))
    if found := _SUGGESTED_HEX.search(message) or _SUGGESTED_DECIMAL.search(message):
        return _span(*found.groups())
    if re.search(r"returned more than|max results|matched by query|response|max logs", message, re.IGNORECASE):
        return None
    for pattern in _LONGEST_RANGE:
        if found := pattern.search(message):
            digits = re.sub(r"\D", "", found[1])
            return max(1, int(digits) * (1000 if found[2] else 1))
    return None


def shortened(message: str) -> str:
    """A provider's message as one line that fits into a sentence."""
    line = " ".join(redacted(message).split())
    return line if len(line) <= _MESSAGE_CHARACTERS else line[: _MESSAGE_CHARACTERS - 1] + "…"


def _with_details(error: RpcError) -> str:
    # Some wrap the reason: "invalid params", with the words that matter under data.
    return error.message + (f" {error.data}" if isinstance(error.data, str) else "")


def _span(first: str, last: str) -> int | None:
    try:
        blocks = int(last, 0) - int(first, 0) + 1
    except ValueError:
        return None
    return blocks if blocks > 0 else None


def _wait_seconds(error: RpcError) -> float | None:
    if isinstance(error.data, dict) and isinstance(rate := error.data.get("rate"), dict):
        seconds = rate.get("backoff_seconds")
        return float(seconds) if isinstance(seconds, int | float) else None
    if found := _RETRY_IN.search(error.message):
        scale = {"ms": 0.001, "m": 60.0, "min": 60.0}.get((found[2] or "s").lower(), 1.0)
        return float(found[1]) * scale
    return None
