"""What goes wrong between a chain and its reader, by script or by chance; chance depends on the question, not on the time."""

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any


class Fault(Enum):
    # The connection.
    NO_ANSWER = auto()
    """Closed before the first byte."""
    BROKEN_BODY = auto()
    """Closed in the middle of the body."""
    LATE = auto()
    """Answered after the node's `late_seconds`."""
    # HTTP.
    SERVER_ERROR = auto()
    """502 with a page of HTML."""
    RATE_LIMITED = auto()
    """429 with Retry-After."""
    NOT_FOUND_PAGE = auto()
    """404: permanent."""
    NOT_JSON = auto()
    """200 with a page of HTML: permanent."""
    # JSON-RPC.
    RATE_LIMITED_ERROR = auto()
    """-32005 "rate limit" under HTTP 200."""
    INTERNAL_ERROR = auto()
    """-32603."""
    TOO_MANY_RESULTS = auto()
    """-32005 "query returned more than", whatever the range."""
    TIMED_OUT_ERROR = auto()
    """-32000 "query timeout exceeded"."""
    WRONG_QUESTION = auto()
    """-32602: permanent."""
    # Batches.
    HALF_BATCH = auto()
    """Some of the answers only."""
    SHUFFLED_BATCH = auto()
    """All answers, in another order."""
    # Content.
    EMPTY_LOGS = auto()
    """No logs at all, without an error."""
    CUT_BLOCKS = auto()
    """No logs of some blocks, always the same ones."""
    CUT_LOGS = auto()
    """Without some of the logs, always the same ones."""
    CUT_TAIL = auto()
    """The first logs only."""
    DOUBLED_LOGS = auto()
    """The first log twice."""
    CUT_RECEIPTS = auto()
    """Receipts of a block without one of its logs."""
    ODD_RECEIPTS = auto()
    """Receipts of a block without a member that they must have."""
    NO_RECEIPTS = auto()
    """No receipts of a block that exists."""
    NULL_BLOCK = auto()
    """No block at a height that exists."""
    LAGGING = auto()
    """Answered by a node that is some blocks behind."""
    STALE_BRANCH = auto()
    """Answered by a node on another branch."""


CUTS = frozenset({Fault.EMPTY_LOGS, Fault.CUT_BLOCKS, Fault.CUT_LOGS, Fault.CUT_TAIL})
OF_BATCHES = frozenset({Fault.HALF_BATCH, Fault.SHUFFLED_BATCH})
PERMANENT = frozenset({Fault.NOT_FOUND_PAGE, Fault.NOT_JSON, Fault.WRONG_QUESTION})
PASSING = tuple(fault for fault in Fault if fault not in PERMANENT)
"""What any node may do now and then; a reader gets over it."""

_OF_LOGS = CUTS | {Fault.TOO_MANY_RESULTS, Fault.DOUBLED_LOGS}
_OF_RECEIPTS = frozenset({Fault.CUT_RECEIPTS, Fault.ODD_RECEIPTS, Fault.NO_RECEIPTS})
_CUT_SHARE = 0.5


class Faults:
    """Which fault an exchange meets: those of the script first, each at the first exchange that it fits, then chance.

    `rates` are probabilities by fault. Whether a question meets one depends on the seed, the question and how often it was
    asked, so that threads do not change the draw. With `most_per_question` a question gets through after so many faults.
    """

    def __init__(
        self, rates: Mapping[Fault, float] | None = None, *, seed: int = 0, most_per_question: int | None = None
    ) -> None:
        self.rates = dict(rates or {})
        self.seed = seed
        self.met: Counter[Fault] = Counter()
        self._most_per_question = most_per_question
        self._script: list[tuple[Fault, str | None]] = []
        self._asked: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def script(self, *faults: Fault, method: str | None = None) -> None:
        """Let these be met next, by questions to `method` only if one is given."""
        with self._lock:
            self._script.extend((fault, method) for fault in faults)

    def draw(self, method: str, question: str, is_batch: bool) -> Fault | None:
        """The fault that this exchange meets."""
        with self._lock:
            self._asked[question] += 1
            scripted = [entry for entry in self._script if entry[1] in (None, method) and _fits(entry[0], method, is_batch)]
            fault: Fault | None = None
            if scripted:
                self._script.remove(scripted[0])
                fault = scripted[0][0]
            elif self._most_per_question is None or self._failed[question] < self._most_per_question:
                fault = self._by_chance(method, question, is_batch)
            if fault is not None:
                self._failed[question] += 1
                self.met[fault] += 1
            return fault

    def _by_chance(self, method: str, question: str, is_batch: bool) -> Fault | None:
        fitting = [fault for fault in self.rates if _fits(fault, method, is_batch)]
        drawn = random.Random(f"{self.seed} {question} {self._asked[question]}").random()
        for fault in fitting:
            drawn -= self.rates[fault]
            if drawn < 0:
                return fault
        return None

    def of_logs(self, fault: Fault | None, logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """What a fault makes of the logs in an answer; what it does not concern stays as it is."""
        if fault is Fault.EMPTY_LOGS:
            return []
        if fault is Fault.CUT_TAIL:
            return list(logs[: len(logs) * 2 // 3])
        if fault is Fault.CUT_BLOCKS:
            return [log for log in logs if not self._hides(log["blockHash"])]
        if fault is Fault.CUT_LOGS:
            return [log for log in logs if not self._hides(log["blockHash"] + log["logIndex"])]
        if fault is Fault.DOUBLED_LOGS:
            return [*logs[:1], *logs]
        return list(logs)

    @staticmethod
    def of_receipts(fault: Fault | None, receipts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
        """What a fault makes of the receipts of a block."""
        if fault is Fault.NO_RECEIPTS:
            return None
        if fault is Fault.CUT_RECEIPTS:
            place = next((place for place, receipt in enumerate(receipts) if receipt["logs"]), None)
            return [{**receipt, "logs": receipt["logs"][1:]} if n == place else receipt for n, receipt in enumerate(receipts)]
        if fault is Fault.ODD_RECEIPTS:
            return [{name: value for name, value in receipt.items() if name != "status"} for receipt in receipts]
        return list(receipts)

    def _hides(self, what: str) -> bool:
        return random.Random(f"{self.seed} {what}").random() < _CUT_SHARE


def _fits(fault: Fault, method: str, is_batch: bool) -> bool:
    if fault in OF_BATCHES:
        return is_batch
    if fault in _OF_LOGS:
        return method == "eth_getLogs"
    if fault in _OF_RECEIPTS:
        return method == "eth_getBlockReceipts"
    if fault is Fault.NULL_BLOCK:
        return method == "eth_getBlockByNumber"
    return True
