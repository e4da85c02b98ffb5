"""A compiled reader of the JSON that nodes write logs in: one pass over the text, straight into columns.

It knows the members of a log and no spaces, escapes or nesting; it stops at whatever it does not know, and `parse` then
takes the text to a JSON parser. It runs without the interpreter's lock.
"""

import numpy as np
from numba import njit, uint8, uint64

MOST_TOPICS = 4
BLOCK_NUMBER, TRANSACTION_INDEX, LOG_INDEX = range(3)
BLOCK_HASH, TRANSACTION_HASH = range(2)

_QUOTE, _COLON, _COMMA, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (uint8(ord(character)) for character in '":,{}[]')
_ZERO, _A, _X, _CAPITAL_A = (uint8(ord(character)) for character in "0axA")
_FROM_CAPITALS_TO_BACKTICK = uint8(32)
_MOST_DIGITS = 15
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
_1, _2, _3 = uint64(1), uint64(2), uint64(3)
_ADDRESS, _HASH = uint64(42), uint64(66)
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
                place = _end_of_text(text, place)
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
                place = _end_of_text(text, place)
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
    return log


@njit(nogil=True, cache=True)
def _member(text: np.ndarray, start: int, end: int) -> int:
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
def _copy(text: np.ndarray, place: int, length: int, target: np.ndarray) -> int:
    """Copy the quoted text that starts at `place`; the place behind it, or _UNUSUAL."""
    stop = place + length + _1
    if stop >= uint64(len(text)) or text[place] != _QUOTE or text[stop] != _QUOTE:
        return _UNUSUAL
    is_odd = False
    for step in range(length):
        character = text[place + _1 + step]
        target[step] = character
        # Capitals and the backslash. What else is no hexadecimal digit is found when it is decoded.
        is_odd |= uint8(character - _CAPITAL_A) < _FROM_CAPITALS_TO_BACKTICK
    return _UNUSUAL if is_odd else stop + _1


@njit(nogil=True, cache=True)
def _copy_topics(text: np.ndarray, place: int, topics: np.ndarray, log: int) -> tuple[int, int]:
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
def _end_of_text(text: np.ndarray, place: int) -> int:
    """The place behind the quoted text that starts at `place`, or _UNUSUAL."""
    if text[place] != _QUOTE:
        return _UNUSUAL
    end = uint64(len(text))
    is_odd = False
    place += _1
    while place < end and text[place] != _QUOTE:
        is_odd |= uint8(text[place] - _CAPITAL_A) < _FROM_CAPITALS_TO_BACKTICK
        place += _1
    return _UNUSUAL if is_odd else place + _1


@njit(nogil=True, cache=True)
def _number(text: np.ndarray, place: int) -> tuple[int, int]:
    """The quoted hexadecimal number that starts at `place`, and the place behind it or _UNUSUAL."""
    end = uint64(len(text))
    if place + _3 >= end or text[place] != _QUOTE or text[place + _1] != _ZERO or text[place + _2] != _X:
        return 0, _UNUSUAL
    place += _3
    number = 0
    digits = 0
    while place < end and text[place] != _QUOTE:
        digit = uint8(text[place] - _ZERO)
        if digit > 9:
            digit = uint8(text[place] - _A)
            if digit > 5:
                return 0, _UNUSUAL
            digit += uint8(10)
        number = number * 16 + digit
        digits += 1
        place += _1
    return number, (place + _1 if 0 < digits <= _MOST_DIGITS else _UNUSUAL)


@njit(nogil=True, cache=True)
def _false(text: np.ndarray, place: int) -> int:
    """The place behind the word false that starts at `place`, or _UNUSUAL."""
    if place + uint64(len(_FALSE)) >= uint64(len(text)):
        return _UNUSUAL
    for step in range(uint64(len(_FALSE))):
        if text[place + step] != _FALSE[step]:
            return _UNUSUAL
    return place + uint64(len(_FALSE))
