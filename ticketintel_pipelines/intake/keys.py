"""The key that clients' addresses are hashed with: the one that is set, else one that is made once for the home."""

import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.settings import ADDRESS_KEY, SHORTEST_KEY, Settings


def address_key(settings: Settings) -> bytes:
    """32 bytes that depend on nothing but the text of the key.

    Raises:
        BadInputError: the home's file of the key cannot be used; it is never replaced, since the hashes of all addresses depend
            on it.
    """
    text = settings.address_key or _key_of_home(settings.address_key_file)
    return hashlib.sha256(text.encode()).digest()


def _key_of_home(file: Path) -> str:
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_text(encoding="ascii").strip()
    except (PermissionError, IsADirectoryError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file} cannot be read as the key of addresses; mend it, or set {ADDRESS_KEY.name}") from error
    if len(key) < SHORTEST_KEY:
        raise BadInputError(f"{file} holds no whole key of addresses; restore it from a backup, or set {ADDRESS_KEY.name}")
    return key


def _make_key(file: Path) -> None:
    """Put a new key into the file, readable by its owner only; of several processes at once, the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link, other than a rename, does not replace what is there, and it shows the whole key or none.
        with suppress(FileExistsError):
            os.link(written, file)
    finally:
        written.unlink()
