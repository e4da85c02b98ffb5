"""Errors in the words of nodes and providers: what is to be done, and how long a range they say would do."""

import pytest

from ticketintel_pipelines.chain.rpc.dialects import RpcError, explain
from ticketintel_pipelines.chain.rpc.errors import (
    AnswerTimeoutError,
    EndpointTroubleError,
    LaggingEndpointError,
    MissingMethodError,
    PermanentRpcError,
    RateLimitedError,
    RefusedQuestionError,
    TooManyResultsError,
)

ALCHEMY = (
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response "
    "size, or you can request any block range with a cap of 10K logs in the response. Based on your parameters and the "
    "response size limit, this block range should work: [0x10, 0x73]"
)
ALCHEMY_FREE = (
    "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your parameters, "
    "this block range should work: [0x1180fca, 0x1180fd3]. Upgrade to PAYG for expanded block range."
)
AVALANCHE = "requested too many blocks from 0 to 5000000, maximum is set to 1024"


@pytest.mark.parametrize(
    ("code", "message", "most_blocks"),
    [
        (-32005, "query returned more than 10000 results", None),
        (-32005, "query returned more than 10000 results. Try with this block range [0x64, 0x6D].", 10),
        (-32602, ALCHEMY, 100),
        (-32600, ALCHEMY_FREE, 10),
        (-32000, "Query timeout exceeded. Consider reducing your block range.", None),
        (-32602, "query exceeds max results 20000, retry with the range 21860000-21860020", 21),
        (-32602, "query exceeds max block range 100000", 100_000),
        (-32005, "Too many logs requested. Max logs per response is 20000.", None),
        (-32614, "eth_getLogs is limited to a 10,000 range", 10_000),
        (-32614, "eth_getLogs is limited to a 5 range", 5),
        (-32600, "block range is too wide", None),
        (-32000, "exceed maximum block range: 50000", 50_000),
        (-32000, "block range limit exceeded (60000 blocks requested, limit 5000)", 5000),
        (-32602, "eth_getLogs range is too large, max is 1k blocks", 1000),
        (-32001, "please limit the query to at most 500 blocks", 500),
        (-32000, AVALANCHE, 1024),
        (-32005, "Requested range exceeds maximum RPC range limit", None),
        (35, "ranges over 10000 blocks are not supported on freetier", 10_000),
        (-32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800", 800),
        (-32020, "backend response too large", None),
        (-32000, "logs matched by query exceeds limit of 10000", None),
    ],
)
def test_too_many_results(code: int, message: str, most_blocks: int | None) -> None:
    trouble = explain(RpcError(code, message), "eth_getLogs", "https://node")
    assert isinstance(trouble, TooManyResultsError)
    assert trouble.most_blocks == most_blocks


def test_a_range_suggested_in_the_data() -> None:
    data = {"from": "0x10", "limit": 10000, "to": "0x1f"}
    trouble = explain(RpcError(-32005, "query returned more than 10000 results", data), "eth_getLogs", "https://node")
    assert isinstance(trouble, TooManyResultsError)
    assert trouble.most_blocks == 16


@pytest.mark.parametrize(
    ("code", "message", "data", "kind", "wait_seconds"),
    [
        (-32005, "daily request count exceeded, request rate limited", {"rate": {"backoff_seconds": 30}}, RateLimitedError, 30),
        (429, "Your app has exceeded its compute units per second capacity", None, RateLimitedError, None),
        (-32005, "limit exceeded", None, RateLimitedError, None),
        (-32000, "too many requests, try again in 250ms", None, RateLimitedError, 0.25),
        (-32007, "50/second request limit reached", None, RateLimitedError, None),
        (-32603, "internal error", None, EndpointTroubleError, None),
        (-32000, "no backend is currently healthy to serve traffic", None, EndpointTroubleError, None),
        (-32000, "context deadline exceeded", None, AnswerTimeoutError, None),
        (-32002, "request timed out", None, AnswerTimeoutError, None),
        (-32000, "header not found", None, LaggingEndpointError, None),
        (-32602, "block range extends beyond current head block", None, LaggingEndpointError, None),
        (-32001, "Unknown block", None, LaggingEndpointError, None),
        (-32000, "cannot query unfinalized data", None, LaggingEndpointError, None),
        (-32601, "the method eth_getLogs does not exist/is not available", None, MissingMethodError, None),
        (-32000, "Unsupported method: eth_getLogs", None, MissingMethodError, None),
        (-32602, "invalid argument 0: hex string has length 38, want 40", None, RefusedQuestionError, None),
        (-32600, "Must be authenticated!", None, PermanentRpcError, None),
        (-32000, "invalid project id", None, PermanentRpcError, None),
        (401, "Unauthorized", None, PermanentRpcError, None),
    ],
)
def test_other_errors(code: int, message: str, data: object, kind: type[Exception], wait_seconds: float | None) -> None:
    trouble = explain(RpcError(code, message, data), "eth_getLogs", "https://node")
    assert type(trouble) is kind
    if isinstance(trouble, EndpointTroubleError):
        assert trouble.wait_seconds == wait_seconds
    else:
        assert "TICKETINTEL_CHAIN_RPC_URL" in str(trouble)


def test_only_logs_can_be_too_many() -> None:
    trouble = explain(RpcError(-32602, "block range is too wide"), "eth_getBlockByNumber", "https://node")
    assert isinstance(trouble, RefusedQuestionError)


def test_long_messages_are_shortened() -> None:
    assert len(str(explain(RpcError(-32603, "x\n" * 5000), "eth_chainId", "https://node"))) < 300
