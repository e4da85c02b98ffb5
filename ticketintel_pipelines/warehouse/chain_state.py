"""How far a chain was taken: the tables `ops.chain_*`. Whoever changes them holds the lock and a transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from ticketintel_pipelines.chain.extraction.coverage import Covered
from ticketintel_pipelines.chain.extraction.header_chain import Header

BROKEN_LINKS = """
SELECT h.block_number
FROM ops.chain_headers h
JOIN ops.chain_headers p ON p.domain = h.domain AND p.chain_id = h.chain_id AND p.block_number = h.block_number - 1
WHERE h.domain = %s AND h.chain_id = %s AND h.block_number >= %s AND h.parent_hash <> p.block_hash
ORDER BY 1 LIMIT 5
"""


@dataclass(frozen=True)
class LandedIncrement:
    """Blocks whose logs were taken and landed as the files of one name."""

    source_file: str
    covered: Covered


@dataclass(frozen=True)
class Progress:
    head: int
    final_block: int
    reached: int | None
    checked_at: datetime


class ChainState:
    """What is recorded of one chain in one domain."""

    def __init__(self, connection: psycopg.Connection, domain: str, chain_id: int) -> None:
        self.connection = connection
        self.domain = domain
        self.chain_id = chain_id

    @property
    def _place(self) -> tuple[str, int]:
        return self.domain, self.chain_id

    def lock(self) -> None:
        """Wait until nobody else takes this chain; held until the session ends."""
        self.connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"chain {self.domain} {self.chain_id}",))
        self.connection.commit()

    def other_chains(self) -> list[int]:
        """Ids of other chains that rows of the domain were taken from."""
        rows = self.connection.execute(
            "SELECT DISTINCT chain_id FROM ops.chain_increments WHERE domain = %s AND chain_id <> %s", self._place
        )
        return [row[0] for row in rows.fetchall()]

    def increments(self, reaching: int = 0) -> list[LandedIncrement]:
        """What was landed of the blocks from `reaching` on, lowest blocks first."""
        rows = self.connection.execute(
            "SELECT source_file, first_block, last_block, addresses FROM ops.chain_increments "
            "WHERE domain = %s AND chain_id = %s AND last_block >= %s ORDER BY first_block, last_block",
            (*self._place, reaching),
        ).fetchall()
        return [LandedIncrement(name, Covered(first, last, frozenset(addresses))) for name, first, last, addresses in rows]

    def hash_at(self, number: int) -> str | None:
        row = self.connection.execute(
            "SELECT block_hash FROM ops.chain_headers WHERE domain = %s AND chain_id = %s AND block_number = %s",
            (*self._place, number),
        ).fetchone()
        return None if row is None else str(row[0])

    def hashes(self, first: int, last: int, apart_from: Sequence[str] = ()) -> dict[int, str]:
        """The hashes of the stored headers among first..last, those that landed with the files `apart_from` left out."""
        rows = self.connection.execute(
            "SELECT h.block_number, h.block_hash FROM ops.chain_headers h "
            "JOIN ops.imported_files f USING (domain, content_hash) "
            "WHERE h.domain = %s AND h.chain_id = %s AND h.block_number BETWEEN %s AND %s AND f.source_file <> ALL (%s)",
            (*self._place, first, last, list(apart_from)),
        )
        return dict(rows.fetchall())

    def parent_at(self, number: int) -> str | None:
        """The parent hash in the stored header of a block."""
        row = self.connection.execute(
            "SELECT parent_hash FROM ops.chain_headers WHERE domain = %s AND chain_id = %s AND block_number = %s",
            (*self._place, number),
        ).fetchone()
        return None if row is None else str(row[0])

    def stored_range(self) -> tuple[int, int] | None:
        """The lowest and the highest stored header."""
        row = self.connection.execute(
            "SELECT min(block_number), max(block_number) FROM ops.chain_headers WHERE domain = %s AND chain_id = %s",
            self._place,
        ).fetchone()
        assert row is not None
        return None if row[0] is None else (row[0], row[1])

    def add(self, covered: Covered, source_file: str, logs_hash: str, blocks_hash: str, headers: Iterable[Header]) -> None:
        """Record an increment and its headers; the files must be known already, in the same transaction."""
        self.connection.execute(
            "INSERT INTO ops.chain_increments "
            "(domain, content_hash, chain_id, first_block, last_block, addresses, source_file) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (self.domain, logs_hash, self.chain_id, covered.first, covered.last, sorted(covered.addresses), source_file),
        )
        columns = "domain, chain_id, block_number, block_hash, parent_hash, block_time, content_hash"
        with self.connection.cursor() as cursor, cursor.copy(f"COPY ops.chain_headers ({columns}) FROM STDIN") as copy:
            for header in headers:
                time = datetime.fromtimestamp(header.timestamp, UTC)
                copy.write_row((*self._place, header.number, header.hash, header.parent_hash, time, blocks_hash))

    def note_progress(self, head: int, final_block: int, reached: int | None) -> None:
        self.connection.execute(
            "INSERT INTO ops.chain_progress (domain, chain_id, head, final_block, reached) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (domain, chain_id) DO UPDATE SET head = excluded.head, final_block = excluded.final_block, "
            "reached = excluded.reached, checked_at = now()",
            (*self._place, head, final_block, reached),
        )

    def progress(self) -> Progress | None:
        row = self.connection.execute(
            "SELECT head, final_block, reached, checked_at FROM ops.chain_progress WHERE domain = %s AND chain_id = %s",
            self._place,
        ).fetchone()
        return None if row is None else Progress(*row)

    def broken_links(self, first: int) -> Sequence[int]:
        """Blocks from `first` on whose parent is not the stored block before them; the first five."""
        return [row[0] for row in self.connection.execute(BROKEN_LINKS, (*self._place, first)).fetchall()]

    def count_headers(self, first: int, last: int) -> int:
        """How many headers of first..last are stored."""
        row = self.connection.execute(
            "SELECT count(*) FROM ops.chain_headers WHERE domain = %s AND chain_id = %s AND block_number BETWEEN %s AND %s",
            (*self._place, first, last),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def newest_block_time(self) -> datetime | None:
        row = self.connection.execute(
            "SELECT max(block_time) FROM ops.chain_headers WHERE domain = %s AND chain_id = %s", self._place
        ).fetchone()
        return None if row is None else row[0]
