"""Keccak-256, the hash of the EVM (not SHA3-256, which pads otherwise)."""


def keccak256(data: bytes) -> bytes:
    # The package brings a parser of C along, which nobody needs who hashes nothing.
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()
