"""How many blocks to ask for at once: fewer when the endpoint objects or is slow, more when it answers quickly."""

import threading

LARGEST_LOGS = 8_000
"""Logs that one answer should stay below: 5 MB of JSON, under the 10,000 that several providers stop at. Measured on a
local node: much larger answers come slower, much smaller ones cost more around them."""

LONGEST_RANGE = 2_000
"""Blocks; their headers are held too, and many providers go no further."""

FIRST_RANGE = 10

_QUICK_SECONDS = 2.0
_SLOW_SECONDS = 8.0
_GROWTH = 2
_NEAR_ENOUGH = 8
_FILL = 0.8
_ANSWERS_UNTIL_RETRIAL = 128


class RangeSizer:
    """The next range's length in blocks, learnt from the answers so far. Safe to use from several threads."""

    def __init__(self, largest_logs: int = LARGEST_LOGS, longest: int = LONGEST_RANGE, first: int = FIRST_RANGE) -> None:
        self._largest_logs = largest_logs
        self._longest = longest
        self._blocks = min(first, longest)
        self._unrefused = _GROWTH * longest + 1
        self._refused = self._unrefused
        self._good_answers = 0
        self._lock = threading.Lock()

    @property
    def blocks(self) -> int:
        return self._blocks

    def answered(self, blocks: int, logs: int, seconds: float) -> None:
        """A range of `blocks` gave `logs` in `seconds`."""
        with self._lock:
            self._good_answers += 1
            if self._good_answers % _ANSWERS_UNTIL_RETRIAL == 0:
                # Too many results in one place says little about the next; a fixed limit is met again at small cost.
                self._refused = min(self._unrefused, self._refused * _GROWTH)
            if seconds > _SLOW_SECONDS:
                self._blocks = max(1, min(self._blocks, blocks // 2))
                return
            fitting = int(blocks * self._largest_logs * _FILL / logs) if logs else self._longest
            grown = self._grown(blocks) if seconds < _QUICK_SECONDS else blocks
            target = max(1, min(grown, fitting, self._longest))
            # An answer to a short range (the end, a remainder) tells only whether it was too much.
            if target > self._blocks or fitting < self._blocks:
                self._blocks = target

    def _grown(self, blocks: int) -> int:
        """The next longer range, nearer and nearer to what was refused until that is not worth a refusal."""
        if blocks * _GROWTH < self._refused:
            return blocks * _GROWTH
        gap = self._refused - blocks
        return blocks + gap // 2 if gap > blocks // _NEAR_ENOUGH else blocks

    def refused(self, blocks: int, most_blocks: int | None = None) -> int:
        """A range of `blocks` was too much, `most_blocks` being what the endpoint suggests; returns what to ask for now."""
        with self._lock:
            smaller = most_blocks if most_blocks and most_blocks < blocks else blocks // 2
            smaller = max(1, smaller)
            self._refused = max(2, min(self._refused, blocks))
            self._blocks = min(self._blocks, smaller)
            self._good_answers = 0
            return smaller
