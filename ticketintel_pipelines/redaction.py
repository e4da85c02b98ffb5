"""Taking e-mail addresses, IP addresses, wallets and card numbers out of what is said: messages, errors, previews, logs.

What is kept as data is not touched by it: tables, lake and quarantine hold their rows whole.

| found | put in its place | left as it is |
|---|---|---|
| e-mail address | `[e-mail]` | `name@host` without a domain that ends in letters |
| IP address | `[IP address]` | loopback; four numbers that end in `.0.0.0` or follow `v`, `version ` or `==` |
| wallet: 0x and 40 hexadecimal digits, by mistake 36 to 48 | `0x12ab…[wallet]` | the zero address and its like; hashes |
| wallet padded to a word of 32 bytes | its 40 digits as above | words that hold a number |
| card number | `[card number]` | other numbers |

Of a wallet four digits stay. Contracts look the same, and who reads of "the contract 0x12ab…" has to recognise which of a few
it is; among the hundreds of millions of addresses of a chain four digits fit thousands.

A card number is 13 to 19 digits in one piece or in groups with one kind of separator, with a prefix and a length that a card
scheme issues (ISO/IEC 7812; `SCHEMES`) and a right check digit (Luhn). A whole number that is no card but meets all this is
taken for one: of those of 16 digits some 5 in 100. So that amounts in wei are rarely among them, one that ends in six zeros is
not taken for a card; Unix times in milliseconds and finer begin with a 1, as no card does.
"""

import ipaddress
import json
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

EMAIL, ADDRESS, WALLET, CARD = "[e-mail]", "[IP address]", "[wallet]", "[card number]"

_LOCAL = r"\w.!#$%&*+?^`~-"
_EMAIL = re.compile(
    # From the beginning of a word on, so that each is looked through once.
    rf"(?:\"[^\"\n@]{{1,64}}\"|(?<![{_LOCAL}])(?:[{_LOCAL}]|(?<=\w)'(?=\w))+?)(?:@|%40)"
    r"[\w-]+(?:\.[\w-]+)*?\.(?:xn--[a-z0-9-]+|[^\W\d_]{2,})(?![\w-]*\.[^\W\d_]{2})",
    re.IGNORECASE,
)
_HEXADECIMAL = re.compile(r"([0\\][xX])([0-9a-fA-F]{36,})(?![0-9a-fA-F]|…\[)")
_IPV4 = re.compile(r"(?<![\d.])(?<![vV])(?<!ersion )(?<!==)(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
_IPV6 = re.compile(
    # A line break that an error quotes ends in a letter, such as the n of "\\n".
    r"(?:(?<=\\[nrt])|(?<![0-9A-Za-z:.$]))(?:[0-9a-fA-F]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4})(?![0-9A-Za-z:]|\.\d)"
)
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SEPARATORS = " .\u00a0-"
_DIGITS = re.compile(rf"({_UUID})|(?<![0-9a-fA-F])\d+(?:[{_SEPARATORS}]\d+)*(?![0-9a-fA-F])")

WORD_DIGITS, WALLET_DIGITS = 64, 40
MISTYPED = range(36, 49)
"""Lengths that are taken for a wallet with digits too few or too many."""
KEPT_DIGITS = 4
SHORTEST_GROUP, LONGEST_POINTED_GROUP = 3, 6
ROUND = "000000"
SCHEMES = (
    # Prefixes from, to (of as many digits as both have), lengths from, to.
    (2200, 2204, 16, 19),  # Mir
    (2221, 2720, 16, 16),  # Mastercard
    (30, 30, 14, 19),  # Diners Club
    (34, 34, 15, 15),  # American Express
    (35, 35, 16, 19),  # JCB
    (36, 36, 14, 19),  # Diners Club
    (37, 37, 15, 15),  # American Express
    (38, 39, 14, 19),  # Diners Club
    (4, 4, 13, 13),  # Visa
    (4, 4, 16, 16),
    (4, 4, 19, 19),
    (50, 50, 13, 19),  # Maestro
    (51, 55, 16, 16),  # Mastercard
    (56, 58, 13, 19),  # Maestro
    (60, 69, 13, 19),  # Maestro, Discover, UnionPay, RuPay
    (81, 82, 16, 16),  # RuPay, UnionPay
    (9792, 9792, 16, 16),  # Troy
)
LONGEST_CARD = 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def redacted(text: str) -> str:
    """A text without e-mail addresses, IP addresses, wallets and card numbers. What holds none comes back as it is."""
    # A value may be known for one only once its neighbour is gone.
    while (clean := _redacted_once(text)) != text:
        text = clean
    return text


def redacted_tree(value: Any) -> Any:
    """What JSON can hold, with each text in it redacted, keys included; numbers are left as they are."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(key) if isinstance(key, str) else key: redacted_tree(inner) for key, inner in value.items()}
    return [redacted_tree(inner) for inner in value] if isinstance(value, list) else value


def redacted_line(line: str) -> str:
    """A line of a log. One that is JSON stays JSON: it is redacted within its texts, whose escapes would hide a beginning."""
    if line[:1] in ("{", "["):
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            return redacted(line)
        clean = redacted_tree(tree)
        return line if clean == tree else json.dumps(clean) + line[len(line.rstrip()) :]
    return redacted(line)


def redact_tracebacks() -> None:
    """Have what nobody caught in this process printed redacted from now on."""

    def tell(kind: type[BaseException], error: BaseException | None, origin: TracebackType | None) -> None:
        print(redacted("".join(traceback.format_exception(kind, error, origin))), end="", file=sys.stderr)

    sys.excepthook = tell
    threading.excepthook = lambda failed: tell(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _redacted_once(text: str) -> str:
    if "x" in text or "X" in text:
        text = _HEXADECIMAL.sub(_without_wallets, text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(EMAIL, text)
    if ":" in text:
        text = _IPV6.sub(_without_ipv6, text)
    if "." in text:
        text = _IPV4.sub(_without_ipv4, text)
    return _DIGITS.sub(_without_cards, text)


def _without_wallets(found: re.Match[str]) -> str:
    prefix, digits = found.groups()
    if len(digits) in MISTYPED:
        return prefix + (digits if digits.startswith("0" * 32) else _shown(digits))
    # A hash or a topic is one word; what a log or a call carries is many, behind the four bytes of a call's selector.
    head = len(digits) % WORD_DIGITS
    if head not in (0, 8):
        return found.group()
    words = (digits[start : start + WORD_DIGITS] for start in range(head, len(digits), WORD_DIGITS))
    return prefix + digits[:head] + "".join(_without_padded(word) for word in words)


def _without_padded(word: str) -> str:
    padding, digits = word[:-WALLET_DIGITS], word[-WALLET_DIGITS:]
    # A number that fills more than 16 bytes is no amount.
    return word if padding.strip("0") or digits.startswith("0" * 8) else padding + _shown(digits)


def _shown(digits: str) -> str:
    return f"{digits[:KEPT_DIGITS]}…{WALLET}"


def _without_ipv4(found: re.Match[str]) -> str:
    numbers = [int(part) for part in found.group().split(".")]
    is_address = max(numbers) <= 255 and numbers[0] != 127 and any(numbers[1:])
    return ADDRESS if is_address else found.group()


def _without_ipv6(found: re.Match[str]) -> str:
    text = found.group()
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return text
    groups = [group for group in text.split(":") if group]
    # `a[1::2]` and `1::dec` are no addresses.
    is_code = "::" in text and len(groups) < 4 and not any(len(group) >= 4 for group in groups)
    return text if address.is_loopback or address.is_unspecified or is_code else ADDRESS


def _without_cards(found: re.Match[str]) -> str:
    text = found.group()
    if found.group(1) or sum(map(str.isdigit, text)) < 13:
        return text
    parts = re.split(f"([{_SEPARATORS}])", text)
    groups, separators = parts[::2], ["", *parts[1::2], ""]
    kept, place = [], 0
    while place < len(groups):
        length = _card_at(groups, separators, place)
        kept += [separators[place], CARD if length else groups[place]]
        place += length or 1
    return "".join(kept)


def _card_at(groups: list[str], separators: list[str], first: int) -> int:
    """The number of groups from one on that are a card number, or 0. `separators[i]` stands before the group i."""
    digits = ""
    for last in range(first, len(groups)):
        if last > first and (len(groups[last - 1]) < SHORTEST_GROUP or separators[last] != separators[first + 1]):
            return 0
        # Two longer ones with a point between them are a decimal number.
        if last > first and separators[last] == "." and max(map(len, groups[last - 1 : last + 1])) > LONGEST_POINTED_GROUP:
            return 0
        digits += groups[last]
        if len(digits) > LONGEST_CARD:
            return 0
        # With a point beside it, digits are a part of a decimal number.
        if "." not in (separators[first], separators[last + 1]) and is_card_number(digits):
            return last - first + 1
    return 0


def is_card_number(digits: str) -> bool:
    """Whether digits without separators are a card number by prefix, length and check digit."""
    if digits.endswith(ROUND) or not _is_issued(digits):
        return False
    right = [int(digit) for digit in reversed(digits)]
    return (sum(right[::2]) + sum(_DOUBLED[digit] for digit in right[1::2])) % 10 == 0


def _is_issued(digits: str) -> bool:
    return any(
        shortest <= len(digits) <= longest and low <= int(digits[: len(str(low))]) <= high
        for low, high, shortest, longest in SCHEMES
    )
