"""A compiled reader of the JSON that nodes write logs in: one pass over the text, straight into columns.

It knows the members of a log and no spaces, escapes or nesting; it stops at whatever it does not know, and `parse` then
takes the text to a JSON parser. It runs without the interpreter's lock.
"""

import numpy as np
from numba import njit
from numpy import uint8, uint64

MOST_TOPICS = 4
BLOCK_NUMBER, TRANSACTION_INDEX, LOG_INDEX = range(3)
BLOCK_HASH, TRANSACTION_HASH = range(2)

_QUOTE, _COLON, _COMMA, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (uint8(ord(character)) for character in '":,{}[]')
_ZERO, _A, _X = (uint8(ord(character)) for character in "0ax")
_FIVE, _NINE = uint8(5), uint8(9)
_MEMBERS = (
    "address",
    "topics",
    "data",
    "blockHash",
    "blockNumber",
    "transactionHash",
    "transactionIndex",
    "logIndex",
    "removed",
)
_ALL = (1 << len(_MEMBERS) - 1) - 1
"""All but `removed`, which some nodes leave out."""
_LONGEST_NAME = max(map(len, _MEMBERS))
_NAMES = np.zeros((len(_MEMBERS), _LONGEST_NAME), dtype=np.uint8)
_NAME_LENGTHS = np.array([len(name) for name in _MEMBERS])
for _place, _name in enumerate(_MEMBERS):
    _NAMES[_place, : len(_name)] = np.frombuffer(_name.encode(), dtype=np.uint8)
_FALSE = np.frombuffer(b"false", dtype=np.uint8).copy()
# The processor copies and compares many characters at once only where the indexes are unsigned.
_0, _1, _2, _3 = uint64(0), uint64(1), uint64(2), uint64(3)
_ADDRESS, _HASH, _MOST_DIGITS = uint64(42), uint64(66), uint64(15)
_UNUSUAL = uint64(0)


@njit(nogil=True, cache=True)
def count_logs(text: np.ndarray) -> int:
    """How many logs a text of the usual form holds."""
    count = 0
    for character in text:
        count += character == _OPEN
    return count


@njit(nogil=True, cache=True)
def scan_logs(
    text: np.ndarray,
    addresses: np.ndarray,
    hashes: np.ndarray,
    topics: np.ndarray,
    topic_counts: np.ndarray,
    numbers: np.ndarray,
    data_spans: np.ndarray,
) -> int:
    """Read `[{log},{log}…]` into columns for n logs; the number of logs read, or -1 for a text of another form.

    `addresses` (n, 42), `hashes` (2, n, 66) and `topics` (4, n, 66) take characters, `topic_counts` (n) says how many of a
    log's topics are there, `numbers` (3, n) takes integers, `data_spans` (2, n) where the data starts and ends in the text.
    """
    end = uint64(len(text))
    most = len(topic_counts)
    if most == 0 or end == 0 or text[0] != _OPEN_LIST:
        return -1
    log = 0
    place = _1
    while log < most:
        if place >= end or text[place] != _OPEN:
            return -1
        place += _1
        seen = 0
        while True:
            name_start = place + _1
            name_end = name_start
            while name_end < end and text[name_end] != _QUOTE:
                name_end += _1
            place = name_end + _2
            if place >= end or text[name_start - _1] != _QUOTE or text[name_end + _1] != _COLON:
                return -1
            member = _member(text, name_start, name_end)
            seen |= 1 << member
            if member == 0:
                place = _copy(text, place, _ADDRESS, addresses[log])
            elif member == 1:
                count, place = _copy_topics(text, place, topics, log)
                topic_counts[log] = count
            elif member == 2:
                data_spans[0, log] = place + _1
                place = _end_of_digits(text, place)
                data_spans[1, log] = place - _1
            elif member == 3:
                place = _copy(text, place, _HASH, hashes[0, log])
            elif member == 5:
                place = _copy(text, place, _HASH, hashes[1, log])
            elif member == 4 or member == 6 or member == 7:
                number, place = _number(text, place)
                numbers[0 if member == 4 else member - 5, log] = number
            elif member == 8:
                place = _false(text, place)
            else:
                place = _end_of_digits(text, place)
            if place == _UNUSUAL or place >= end:
                return -1
            if text[place] == _CLOSE:
                break
            if text[place] != _COMMA:
                return -1
            place += _1
        if seen & _ALL != _ALL:
            return -1
        log += 1
        place += _1
        if place >= end or text[place] != (_COMMA if log < most else _CLOSE_LIST):
            return -1
        place += _1
    return log if place == end else -1


@njit(nogil=True, cache=True)
def _member(text: np.ndarray, start: uint64, end: uint64) -> int:
    """Which member of a log a key names; their number for one that is not known."""
    length = end - start
    for member in range(len(_NAME_LENGTHS)):
        if uint64(_NAME_LENGTHS[member]) == length:
            name = _NAMES[member]
            same = True
            for place in range(length):
                same &= text[start + place] == name[place]
            if same:
                return member
    return len(_NAME_LENGTHS)


@njit(nogil=True, cache=True)
def _is_no_digit(character: uint8) -> uint8:
    """1 for what is no lower-case hexadecimal digit, else 0."""
    return uint8(uint8(character - _ZERO) > _NINE) & uint8(uint8(character - _A) > _FIVE)


@njit(nogil=True, cache=True)
def _starts_text(text: np.ndarray, place: uint64) -> bool:
    """Whether `"0x` stands at `place`."""
    if place + _3 >= uint64(len(text)):
        return False
    return text[place] == _QUOTE and text[place + _1] == _ZERO and text[place + _2] == _X


@njit(nogil=True, cache=True)
def _copy(text: np.ndarray, place: uint64, length: uint64, target: np.ndarray) -> uint64:
    """Copy the quoted digits that start at `place`; the place behind them, or _UNUSUAL."""
    stop = place + length + _1
    if stop >= uint64(len(text)) or not _starts_text(text, place) or text[stop] != _QUOTE:
        return _UNUSUAL
    target[_0] = _ZERO
    target[_1] = _X
    odd = uint8(0)
    for step in range(_2, length):
        character = text[place + _1 + step]
        target[step] = character
        odd |= _is_no_digit(character)
    return _UNUSUAL if odd else stop + _1


@njit(nogil=True, cache=True)
def _copy_topics(text: np.ndarray, place: uint64, topics: np.ndarray, log: int) -> tuple[int, uint64]:
    """Copy a list of quoted topics; how many there are, and the place behind the list or _UNUSUAL."""
    count = 0
    if text[place] != _OPEN_LIST:
        return 0, _UNUSUAL
    place += _1
    end = uint64(len(text))
    while place < end and text[place] != _CLOSE_LIST:
        if count == MOST_TOPICS:
            return 0, _UNUSUAL
        place = _copy(text, place, _HASH, topics[count, log])
        if place == _UNUSUAL or place >= end:
            return 0, _UNUSUAL
        count += 1
        if text[place] == _COMMA:
            place += _1
    return count, place + _1


@njit(nogil=True, cache=True)
def _end_of_digits(text: np.ndarray, place: uint64) -> uint64:
    """The place behind the quoted digits that start at `place`, or _UNUSUAL."""
    if not _starts_text(text, place):
        return _UNUSUAL
    end = uint64(len(text))
    odd = uint8(0)
    place += _3
    while place < end and text[place] != _QUOTE:
        odd |= _is_no_digit(text[place])
        place += _1
    return _UNUSUAL if odd else place + _1


@njit(nogil=True, cache=True)
def _number(text: np.ndarray, place: uint64) -> tuple[int, uint64]:
    """The number in the quoted digits that start at `place`, and the place behind them or _UNUSUAL."""
    stop = _end_of_digits(text, place)
    start = place + _3
    if stop <= start + _1 or stop - start > _MOST_DIGITS + _1:
        return 0, _UNUSUAL
    number = 0
    for step in range(start, stop - _1):
        digit = int(uint8(text[step] - _ZERO))
        number = number * 16 + (digit if digit <= _NINE else int(uint8(text[step] - _A)) + 10)
    return number, stop


@njit(nogil=True, cache=True)
def _false(text: np.ndarray, place: uint64) -> uint64:
    """The place behind the word false that starts at `place`, or _UNUSUAL."""
    if place + uint64(len(_FALSE)) >= uint64(len(text)):
        return _UNUSUAL
    for step in range(uint64(len(_FALSE))):
        if text[place + step] != _FALSE[step]:
            return _UNUSUAL
    return place + uint64(len(_FALSE))
