"""What is said holds no personal value any more, and nothing else of it changes."""

import ipaddress
import json
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.dagster_kit.metadata import markdown_table
from ticketintel_pipelines.intake.sentences import shortened
from ticketintel_pipelines.redaction import ROUND, is_card_number, redacted, redacted_line, redacted_tree

HEXADECIMAL = "0123456789abcdef"
PREFIXES = {
    "4": (13, 16, 19),
    "51": (16,),
    "2221": (16,),
    "34": (15,),
    "36": (14, 16),
    "3528": (16,),
    "62": (16, 19),
    "50": (13, 19),
}
GROUPS = {13: (4, 3, 3, 3), 14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}


def with_check_digit(digits: str) -> str:
    """Digits with the one behind them that makes them right, found by trying; independent of how it is verified."""

    def luhn(text: str) -> int:
        total = 0
        for place, digit in enumerate(reversed(text)):
            doubled = int(digit) * (1 + place % 2)
            total += doubled // 10 + doubled % 10
        return total

    return next(digits + last for last in "0123456789" if luhn(digits + last) % 10 == 0)


@st.composite
def cards(draw: st.DrawFn, separators: str = " -.") -> str:
    prefix = draw(st.sampled_from(sorted(PREFIXES)))
    length = draw(st.sampled_from(PREFIXES[prefix]))
    size = length - len(prefix) - 1
    digits = with_check_digit(prefix + draw(st.text("0123456789", min_size=size, max_size=size)))
    if digits.endswith(ROUND):
        return "4111111111111111"
    if draw(st.booleans()):
        return digits
    groups, place = [], 0
    for group in GROUPS[length]:
        groups.append(digits[place : place + group])
        place += group
    return draw(st.sampled_from(separators)).join(groups)


wallets = st.text(HEXADECIMAL + "ABCDEF", min_size=40, max_size=40).filter(lambda text: not text.startswith("0" * 8))
words = st.text("abcxyzöß0189", min_size=1, max_size=12)
emails = st.builds(
    lambda local, more, domain, top: f"{local}{more}@{domain}.{top}",
    words,
    st.sampled_from(["", ".b", "+tag", "_x", "-y", "'s"]),
    st.text("abcxyz019", min_size=1, max_size=12),
    st.sampled_from(["com", "example", "co.uk", "xn--p1ai", "ch"]),
)
public = st.ip_addresses(v=4).filter(lambda address: not address.is_loopback and not str(address).endswith(".0.0.0"))
long_ipv6 = st.integers(2**125, 2**126 - 1).map(ipaddress.IPv6Address)
planted = st.one_of(
    emails,
    public.map(str),
    long_ipv6.map(str),
    long_ipv6.map(lambda address: address.exploded.upper()),
    wallets.map(lambda digits: f"0x{digits}"),
    wallets.map(lambda digits: f"0x{'0' * 24}{digits}"),
    cards(),
)
instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(lambda instant: instant.replace(tzinfo=UTC))
HARMLESS = (
    "rows of ticketing.orders|12:00:00|v1.2.3.4|version 10.2.3.4|dagster==1.13.27|xgboost==3.2.0.1|x::text|a[1::2]|std::begin",
    "127.0.0.1:8545|::1|0.0.0.0|10.0.0.0/8|Chrome/120.0.0.0|1.3.6.1.4.1.343|postgres@localhost|@asset|aa:bb:cc:dd:ee:ff|0x0|$1::date",
    "1,234,567|1e-05|2026-01-01 2026-01-31|2024 2025 2026 2027|10/12/2026 10:12:14.123|row 4, column 7",
)
harmless = st.one_of(
    st.sampled_from("|".join(HARMLESS).split("|")),
    st.text(HEXADECIMAL, min_size=64, max_size=64).map(lambda digits: f"0x1{digits[1:]}"),
    st.text("abcdef", min_size=32, max_size=32),
    st.uuids().map(str),
    instants.map(lambda instant: instant.isoformat()),
    instants.map(lambda instant: f"{instant:%Y%m%d%H%M%S}"),
    instants.map(lambda instant: str(instant.timestamp())),
    instants.map(lambda instant: str(int(instant.timestamp() * 1e3))),
    instants.map(lambda instant: str(int(instant.timestamp() * 1e9))),
    st.floats(0, 1).map(repr),
    st.integers(0, 10**12 - 1).map(lambda amount: f"{amount}{ROUND}"),
    st.decimals(0, 10**15, places=2).map(str),
)
said = st.lists(harmless, max_size=4).map(", ".join)


@settings(max_examples=400, deadline=None)
@given(
    planted, said, said, st.sampled_from([("", ""), ("(", ")"), ("'", "'"), ('"', '"'), ("=", ";"), ("\n", "\n"), ("n ", ".")])
)
def test_nothing_of_a_planted_value_is_left_and_the_rest_stays(
    value: str, before: str, after: str, around: tuple[str, str]
) -> None:
    first, last = around
    text = f"{before}; {first}{value}{last}, {after}"
    clean = redacted(text)
    assert value not in clean
    if value.startswith("0x"):
        assert value[-35:] not in clean
    assert clean.startswith(f"{before}; {first}") and clean.endswith(f"{last}, {after}")
    assert redacted(clean) == clean


@settings(max_examples=400, deadline=None)
@given(said)
@example("38984282459027.80")
@example("run 12345678-4111-4111-8111-111111111111 of 4111111111111112")
def test_what_holds_no_personal_value_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(planted, harmless, st.text(".:@-x0 4%'\"\\[", max_size=6)), max_size=6).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Key (email)=(ann@mail.example) already exists.", "Key (email)=([e-mail]) already exists."),
        ("mailto:ann%40mail.example?x", "mailto:[e-mail]?x"),
        ('"ann b"@mail.example wrote', "[e-mail] wrote"),
        ("0x" + "1a" * 20 + " is not listed", "0x1a1a…[wallet] is not listed"),
        ("a mistyped 0x" + "1a" * 19 + "1", "a mistyped 0x1a1a…[wallet]"),
        ("bytea \\x" + "1a" * 20, "bytea \\x1a1a…[wallet]"),
        ("minted from 0x" + "0" * 40, "minted from 0x" + "0" * 40),
        (
            "call 0xa9059cbb" + "0" * 24 + "1a" * 20 + f"{10**18:064x}",
            "call 0xa9059cbb" + "0" * 24 + "1a1a…[wallet]" + f"{10**18:064x}",
        ),
        ("http://203.0.113.7:80/ and [2001:db8::7]:443", "http://[IP address]:80/ and [[IP address]]:443"),
        ("::ffff:203.0.113.7", "[IP address]"),
        ("'\\n203.0.113.7'", "'\\n[IP address]'"),
        ("'\\n2001:db8::7'", "'\\n[IP address]'"),
        ("of 2026 4111 1111 1111 1111 7", "of 2026 [card number] 7"),
        ("rate 0.4111111111111111", "rate 0.4111111111111111"),
        ("paid 4111111111111111.00", "paid 4111111111111111.00"),
    ],
)
def test_examples(text: str, clean: str) -> None:
    assert redacted(text) == clean


def test_known_card_numbers() -> None:
    """Test numbers that schemes and payment firms publish."""
    known = "4111111111111111 4222222222222 5555555555554444 2223003122003222 378282246310005 30569309025904 3530111333300000 "
    known += "6011111111111117 6200000000000005 6759649826438453"
    assert all(is_card_number(number) for number in known.split())
    assert not is_card_number("4111111111111112")


def test_about_one_whole_number_in_twenty_of_16_digits_looks_like_a_card() -> None:
    """The price of knowing cards by their digits alone, as the module says it."""
    sample = [str(10**15 + step * 89_999_999_993) for step in range(100_000)]
    assert max(map(len, sample)) == 16
    assert 0.04 < sum(map(is_card_number, sample)) / len(sample) < 0.06


def test_numbers_and_the_form_of_a_tree_stay_and_texts_are_redacted() -> None:
    tree = {"a@b.example": [1, 4111111111111111, None, {"x": "ip 203.0.113.7", "y": True}], "run": str(uuid.UUID(int=7))}
    clean = {"[e-mail]": [1, 4111111111111111, None, {"x": "ip [IP address]", "y": True}], "run": str(uuid.UUID(int=7))}
    assert redacted_tree(tree) == clean


@pytest.mark.parametrize(
    "value", ["ann@mail.example", "éric@mail.example", "203.0.113.7", "0x" + "1a" * 20, "4111 1111 1111 1111"]
)
def test_a_line_of_json_stays_json(value: str) -> None:
    line = json.dumps({"message": f"first\n{value}\nlast \\{value}"}) + "\n"
    clean = redacted_line(line)
    assert clean.endswith("\n")
    assert value not in clean and value not in json.loads(clean)["message"]


def test_an_address_is_redacted_before_it_is_cut() -> None:
    wallet, mail = "0x" + "1a2b" * 10, "a.person.with.a.long.name" * 3 + "@mail.example"
    assert "1a2b1a" not in markdown_table(("wallet", "e-mail"), [(wallet, mail)])
    assert "person" not in markdown_table(("wallet", "e-mail"), [(wallet, mail)])
    assert shortened(mail) == "[e-mail]"


@pytest.mark.parametrize("piece", ["a", "a.", "1 ", ":", "1:", "@a.", "a@b.", "4111-", "1.2.3.", "'a", '"a ', "0x" + "0" * 64])
def test_no_text_takes_long(piece: str) -> None:
    started = time.perf_counter()
    redacted(piece * (200_000 // len(piece)))
    assert time.perf_counter() - started < 2


def test_what_nobody_caught_is_printed_redacted() -> None:
    code = (
        "from ticketintel_pipelines.redaction import redact_tracebacks; import threading; redact_tracebacks()\n"
        "def fail(): raise ValueError('no ' + 'ann' + '@mail.example')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "try: fail()\n"
        "except ValueError as error: raise KeyError('0x' + '1a' * 20) from error\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.count("ValueError: no [e-mail]") == 2
    assert "KeyError: '0x1a1a…[wallet]'" in answer.stderr
    assert "ann@" not in answer.stderr and "1a1a1a" not in answer.stderr
