"""What is kept of the addresses of clients: a keyed hash, one of the network block, and a coarse place.

An address is told by its bytes, so that all ways of writing it are one address; an IPv4 address inside IPv6
(`::ffff:192.0.2.1`, RFC 4291) is the IPv4 address. The hash is BLAKE2b with a key and 128 bits (RFC 7693): without the key,
trying all addresses leads nowhere.
"""

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.contract import ColumnType, Place
from ticketintel_pipelines.intake.casting import NO_ADDRESS
from ticketintel_pipelines.intake.places import NOWHERE, Places, Spot
from ticketintel_pipelines.retention.tombstones import Tombstones

DIGEST_BYTES = 16
IPV4_BYTES = 4
IPV4_BLOCK_BYTES = 3
IPV6_BLOCK_BYTES = 6
IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"
LEAST_ROOM = 1_024
MOST_REMEMBERED = 1_000_000
"""Addresses that are remembered, some 300 bytes each; all are forgotten beyond."""


def packed(text: str) -> bytes | None:
    """The bytes of an address, 4 or 16; None for a text that is none, such as one with leading zeros, a port or a zone."""
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        address = inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
    return address[len(IPV4_IN_IPV6) :] if address.startswith(IPV4_IN_IPV6) else address


def block_of(address: bytes) -> bytes:
    """The bytes of an address's network block: /24 of IPv4, /48 of IPv6."""
    return address[:IPV4_BLOCK_BYTES] if len(address) == IPV4_BYTES else address[:IPV6_BLOCK_BYTES]


def kept_name(fact: ColumnType | Place) -> str:
    """The name under which a fact about an address stands beside a row's own columns."""
    return f"client {fact.name.lower()}"


class Clients:
    """Works out what is kept of addresses, once each, and remembers it. May be asked from several threads."""

    def __init__(
        self, key: bytes, places: Places | None = None, tombstones: Callable[[], Tombstones] = lambda: Tombstones()
    ) -> None:
        """`key` are up to 64 secret bytes; `tombstones` are those of the moment at which they are asked for."""
        self._key = key
        self.tombstones = tombstones
        self._places = places or Places()
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        # The number of a text leads to its digests; the first number stands for all texts that are no address.
        self._numbers: dict[str, int] = {}
        self._count = 1
        self._digests = np.zeros((LEAST_ROOM, 2, DIGEST_BYTES), dtype=np.uint8)
        self._blocks: dict[bytes, bytes] = {}
        self._spots: dict[int, Spot] = {0: NOWHERE}

    @property
    def warnings(self) -> list[str]:
        """What people should know about the places, in sentences."""
        return self._places.warnings

    def kept(self, texts: pa.Array, *, placed: bool) -> pa.Table:
        """What is kept of n distinct texts, none of them null, in columns named by `kept_name`; places only if `placed`."""
        with self._lock:
            if len(self._numbers) > MOST_REMEMBERED:
                self._forget()
            names = texts.to_pylist()
            numbers = self._numbered(names)
            digests = self._digests[numbers]
            spots = self._placed(names, numbers) if placed else []
        is_address = pa.array(numbers > 0)
        hashes, blocks = (pc.utf8_slice_codeunits(bytes_to_hex(digests[:, part]), 2) for part in (0, 1))
        columns = {
            kept_name(ColumnType.IP_HASH): pc.if_else(is_address, hashes, NO_ADDRESS),
            kept_name(ColumnType.IP_BLOCK_HASH): pc.if_else(is_address, blocks, pa.scalar(None, pa.string())),
        }
        if placed:
            columns[kept_name(Place.COUNTRY)] = pa.array([spot.country for spot in spots], pa.string())
            columns[kept_name(Place.LATITUDE)] = pa.array([spot.latitude for spot in spots], pa.float64())
            columns[kept_name(Place.LONGITUDE)] = pa.array([spot.longitude for spot in spots], pa.float64())
        return pa.table(columns)

    def _numbered(self, texts: Sequence[str]) -> np.ndarray:
        numbers = np.fromiter(map(self._numbers.get, texts, repeat(-1)), np.int64, len(texts))
        new = np.flatnonzero(numbers < 0)
        numbers[new] = self._add([texts[place] for place in new.tolist()])
        return numbers

    def _add(self, texts: Sequence[str]) -> np.ndarray:
        addresses = [packed(text) for text in texts]
        known = [address for address in addresses if address is not None]
        blocks = [block_of(address) for address in known]
        self._blocks.update((block, self._digest(block)) for block in set(blocks).difference(self._blocks))
        first, self._count = self._count, self._count + len(known)
        while self._count > len(self._digests):
            self._digests = np.concatenate([self._digests, np.zeros_like(self._digests)])
        for part, digests in enumerate((map(self._digest, known), map(self._blocks.__getitem__, blocks))):
            matrix = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
            self._digests[first : self._count, part] = matrix
        numbers = np.zeros(len(texts), dtype=np.int64)
        numbers[[address is not None for address in addresses]] = np.arange(first, self._count)
        self._numbers.update(zip(texts, numbers.tolist(), strict=True))
        return numbers

    def _digest(self, value: bytes) -> bytes:
        return blake2b(value, key=self._key, digest_size=DIGEST_BYTES).digest()

    def _placed(self, texts: Sequence[str], numbers: np.ndarray) -> list[Spot]:
        if not self._places.known:
            return [NOWHERE] * len(texts)
        unknown = [place for place, number in enumerate(numbers.tolist()) if number not in self._spots]
        found = self._places.look_up([_canonical(texts[place]) for place in unknown])
        self._spots.update(zip(numbers[unknown].tolist(), found, strict=True))
        return [self._spots[number] for number in numbers.tolist()]


def _canonical(text: str) -> str:
    address = packed(text)
    assert address is not None
    return inet_ntop(AF_INET if len(address) == IPV4_BYTES else AF_INET6, address)
