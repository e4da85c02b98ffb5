"""Keccak-256, the hash of the EVM (not SHA3-256, which pads otherwise)."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()
