"""JSON-RPC envelopes: questions as bytes, answers opened without reading what they hold."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ticketintel_pipelines.chain.rpc.dialects import RpcError

# Parsing an envelope of a megabyte of logs with a JSON parser costs as much as parsing the logs themselves. Nodes put
# the members in one of two orders; anything else goes through the parser.
_BEFORE_RESULT = re.compile(rb'\s*\{\s*(?:"(?:jsonrpc|id)"\s*:\s*(?:"2\.0"|(?P<id>\d+))\s*,\s*)*"result"\s*:\s*')
_AFTER_RESULT = re.compile(rb'\s*(?:,\s*"(?:jsonrpc|id)"\s*:\s*(?:"2\.0"|(?P<id>\d+))\s*)*\}\s*\Z')
_ENDS_SEARCHED = 96


_NULL = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, frozen=True):
    """One answer: its id, and `result` or `error` as JSON text."""

    id: int | str | None = None
    result: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ENVELOPES = msgspec.json.Decoder(list[Envelope])


def question(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result_text(body: memoryview, number: int) -> memoryview | None:
    """The JSON text of the result in an answer to question `number`; None where the envelope is not of the usual form."""
    head = _BEFORE_RESULT.match(body, 0, _ENDS_SEARCHED)
    tail = _AFTER_RESULT.search(body, max(head.end() if head else 0, len(body) - _ENDS_SEARCHED))
    if head is None or tail is None or tail.start() <= head.end():
        return None
    answered = head["id"] or tail["id"]
    if answered is None or int(answered) != number:
        return None
    return body[head.end() : tail.start()]


def open_answer(body: memoryview) -> Envelope | list[Envelope]:
    """One answer, or those of a batch.

    Raises:
        msgspec.ValidationError: this is JSON, but not JSON-RPC.
        msgspec.DecodeError: this is not JSON.
    """
    return _ENVELOPES.decode(body) if first_character(body) == b"[" else _ENVELOPE.decode(body)


def first_character(body: memoryview) -> bytes:
    """The first character of a text that is no space; empty where there is none near its start."""
    return bytes(body[:_ENDS_SEARCHED]).lstrip()[:1]


def error_of(answer: Envelope) -> RpcError | None:
    """The error of an answer, whatever shape it has; None where it has none."""
    error = msgspec.json.decode(answer.error)
    if error is None:
        return None
    if not isinstance(error, dict):
        return RpcError(0, str(error))
    code = error.get("code")
    return RpcError(code if isinstance(code, int) else 0, str(error.get("message", "")), error.get("data"))
