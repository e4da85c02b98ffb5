"""Extract from a live chain: what its nodes call final and the lake does not have, landed as raw blocks and logs.

An increment is made known in one transaction with its headers and the range it covers, so a run that is killed anywhere goes
on where the last increment ended. Where the nodes no longer have a stored block, everything from there on is fetched anew,
checked, and only then takes the place of what was landed of the orphaned branch; the days of both are noted as stale, and
the next run takes the orphaned rows out of what was published.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ticketintel_pipelines.chain.contracts import ChainSettings
from ticketintel_pipelines.chain.extraction.coverage import Covered, merged, missing, repeated
from ticketintel_pipelines.chain.extraction.fetch import BlockRange, fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.extraction.header_chain import BrokenChainError, Header, fork_point
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder
from ticketintel_pipelines.stages.chain_landing import StagedIncrement, stage_increment
from ticketintel_pipelines.stages.chain_tables import ChainTables
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.chain_state import ChainState

MOST_REORGANISATIONS = 5
"""In one run; beyond, the nodes contradict each other."""


@dataclass(frozen=True)
class IncrementSize:
    """What is fetched before it is landed: bounds memory, and what a killed run has to fetch again."""

    blocks: int = 20_000
    logs: int = 100_000


@dataclass
class ChainReport:
    """What one extraction did. `reached` is the block up to which every contract has every block; -1 while there is none."""

    chain_id: int
    head: int
    final_block: int
    reached: int = -1
    blocks: int = 0
    logs: int = 0
    increments: int = 0
    logs_recovered: int = 0
    blocks_checked_by_receipts: int = 0
    orphaned_from: list[int] = field(default_factory=list)
    newest_block_time: datetime | None = None
    gaps: list[str] = field(default_factory=list)
    lowest_block: int | None = None
    """The lowest block that was landed now."""

    def count(self, increments: Sequence[StagedIncrement]) -> None:
        """Add increments that were made known."""
        self.increments += len(increments)
        self.blocks += sum(len(increment.new_headers) for increment in increments)
        self.logs += sum(increment.logs.rows for increment in increments)
        lowest = (increment.covered.first for increment in increments)
        self.lowest_block = min((*lowest, *([] if self.lowest_block is None else [self.lowest_block])), default=None)

    @property
    def blocks_behind(self) -> int:
        """Final blocks that are not landed yet; the blocks after the final one are not waited for."""
        return max(0, self.final_block - self.reached)

    def minutes_behind(self, now: datetime) -> float | None:
        """Age of the newest landed block."""
        return None if self.newest_block_time is None else (now - self.newest_block_time).total_seconds() / 60


def extract_chain(
    workspace: Workspace,
    domain: Domain,
    tables: ChainTables,
    settings: ChainSettings,
    client: ChainClient,
    progress: Callable[[str], None] = lambda message: None,
    size: IncrementSize = IncrementSize(),
) -> ChainReport:
    """Land all final blocks that are not landed yet, after what the chain has taken back was replaced.

    Raises:
        BadInputError: the endpoints serve another chain than the settings or the landed rows are of.
        UnavailableError: no endpoint gives an answer that stands the checks; what was landed before stays, and is sound.
    """
    with workspace.catalog() as catalog:
        state = ChainState(catalog.connection, domain.name, settings.chain_id)
        state.lock()
        _refuse_other_chain(client, settings, state)
        extraction = _Extraction(workspace, domain, tables, settings, client, catalog, state, progress, size)
        return extraction.run()


def _refuse_other_chain(client: ChainClient, settings: ChainSettings, state: ChainState) -> None:
    served = client.chain_id()
    if served != settings.chain_id:
        raise BadInputError(
            f"the endpoints of TICKETINTEL_CHAIN_RPC_URL serve chain {served}, the settings file of the chain says "
            f"{settings.chain_id}; mend one of them"
        )
    if others := state.other_chains():
        raise BadInputError(
            f"blocks of chain {others[0]} have been landed, the settings file says chain {settings.chain_id}; "
            "one home holds one chain, name another TICKETINTEL_HOME for the other"
        )
    state.connection.commit()


@dataclass
class _Extraction:
    workspace: Workspace
    domain: Domain
    tables: ChainTables
    settings: ChainSettings
    client: ChainClient
    catalog: Catalog
    state: ChainState
    progress: Callable[[str], None]
    size: IncrementSize

    def run(self) -> ChainReport:
        report = ChainReport(self.settings.chain_id, self.client.head().number, -1)
        for _ in range(MOST_REORGANISATIONS):
            final = self.client.finalized(self.settings.confirmations)
            report.final_block = final.number
            report.head = max(report.head, final.number)
            try:
                self._replace_orphans(final, report)
                self._extend(final, report)
            except BrokenChainError as error:
                # The chain was reorganised while it was read; what was landed so far is looked at again.
                self.progress(f"block {error.number} does not follow what is stored; looking for the fork")
                continue
            return self._finish(report)
        raise UnavailableError(
            f"the chain was reorganised {MOST_REORGANISATIONS} times while it was read, or its nodes contradict each other; "
            "what was landed before stays; try again later, or raise the confirmations in the chain's settings file"
        )

    def _finish(self, report: ChainReport) -> ChainReport:
        covered = [increment.covered for increment in self.state.increments()]
        open_parts = missing(self.settings.contracts, covered, report.final_block)
        report.reached = open_parts[0].first - 1 if open_parts else report.final_block
        report.newest_block_time = self.state.newest_block_time()
        report.gaps = self._gaps(covered, report)
        with self.catalog.connection.transaction():
            self.state.note_progress(report.head, report.final_block, report.reached if report.reached >= 0 else None)
        return report

    def _gaps(self, covered: Sequence[Covered], report: ChainReport) -> list[str]:
        """What contradicts: every block from the start block to the last one reached is accounted for, once."""
        gaps = [
            f"blocks {part.first} to {part.last} of {', '.join(sorted(part.addresses))} are missing"
            for part in missing(self.settings.contracts, covered, report.final_block)
        ]
        gaps += [f"blocks {part.first} to {part.last} were landed twice" for part in repeated(covered)]
        for first, last in _spans(covered):
            if (stored := self.state.count_headers(first, last)) != last - first + 1:
                gaps.append(f"of the blocks {first} to {last} only {stored:,} headers are stored")
        if report.lowest_block is not None:
            # What was landed by earlier runs was held to be linked then.
            broken = self.state.broken_links(report.lowest_block)
            gaps += [f"block {number} does not follow the stored block before it" for number in broken]
        return gaps

    def _extend(self, final: Header, report: ChainReport) -> None:
        covered = [increment.covered for increment in self.state.increments()]
        for part in missing(self.settings.contracts, covered, final.number):
            with scratch_folder(self.workspace.lake(self.domain)) as scratch:
                for increment in self._fetch(part, final, scratch, report):
                    self._record([increment], report)
                    self.progress(f"landed blocks {increment.covered.first:,} to {increment.covered.last:,}")

    def _replace_orphans(self, final: Header, report: ChainReport) -> None:
        """Find the first stored block that the nodes do not have any more, and land their branch in the place of ours."""
        fork = self._fork(final)
        if fork is None:
            return
        report.orphaned_from.append(fork)
        affected = self.state.increments(reaching=fork)
        names = [increment.source_file for increment in affected]
        kept = [increment.covered for increment in self.state.increments() if increment.source_file not in names]
        first = min(increment.covered.first for increment in affected)
        last = min(final.number, max(increment.covered.last for increment in affected))
        self.progress(f"blocks from {fork:,} on were orphaned; fetching from {first:,}")
        staged: list[StagedIncrement] = []
        with scratch_folder(self.workspace.lake(self.domain)) as scratch:
            for part in missing(self.settings.contracts, kept, last):
                if part.last >= first:
                    own = Covered(max(part.first, first), part.last, part.addresses)
                    for increment in self._fetch(own, final, scratch, report, instead_of=names, beside=staged):
                        staged.append(increment)  # noqa: PERF402 - the next one is linked to it
            self._record(staged, report, instead_of=names)

    def _fork(self, final: Header) -> int | None:
        """The lowest stored block that the nodes have another hash for; None where they agree with all that they have."""
        stored = self.state.stored_range()
        if stored is None:
            return None
        lowest, highest = stored
        last = min(highest, final.number)
        if last < lowest:
            return None

        def current(number: int) -> str | None:
            header = final if number == final.number else self.client.header_at(number)
            return None if header is None else header.hash

        if self.state.hash_at(last) == current(last):
            # All before it are its ancestors. Blocks beyond, where a node has fallen behind, are not in question.
            return None
        return fork_point(self.state.hash_at, current, lowest, last)

    def _fetch(
        self,
        part: Covered,
        final: Header,
        scratch: Path,
        report: ChainReport,
        *,
        instead_of: Sequence[str] = (),
        beside: Sequence[StagedIncrement] = (),
    ) -> Iterator[StagedIncrement]:
        """The blocks of a part as increments of bounded size, each linked to the headers known around it.

        Known are the stored headers, apart from those of the files `instead_of`, and those of the increments `beside`.
        """

        def known(first: int, last: int) -> dict[int, str]:
            hashes = self.state.hashes(first, last, apart_from=instead_of)
            self.catalog.connection.commit()
            for increment in beside:
                hashes |= {header.number: header.hash for header in increment.new_headers if first <= header.number <= last}
            return hashes

        parent_hash = known(part.first - 1, part.first - 1).get(part.first - 1)
        wanted = LogFilter(tuple(sorted(part.addresses)), self.tables.topics)
        pieces: list[BlockRange] = []
        fetched = fetch_ranges(
            self.client,
            wanted,
            part.first,
            part.last,
            parent_hash=parent_hash,
            sample_rate=self.settings.checked_share,
            seed=part.first,
        )
        for piece in fetched:
            pieces.append(piece)
            report.logs_recovered += piece.recovered
            report.blocks_checked_by_receipts += piece.by_receipts
            if piece.last == final.number and piece.headers[-1].hash != final.hash:
                # Behind one address there can be several nodes, and one of them on another branch.
                raise BrokenChainError(final.number)
            if piece.last == part.last or self._is_enough(pieces):
                yield self._stage(pieces, part.addresses, known(pieces[0].first, pieces[-1].last + 1), scratch)
                pieces = []

    def _is_enough(self, pieces: Sequence[BlockRange]) -> bool:
        blocks, logs = sum(len(piece.headers) for piece in pieces), sum(piece.logs.num_rows for piece in pieces)
        return blocks >= self.size.blocks or logs >= self.size.logs

    def _stage(
        self, pieces: Sequence[BlockRange], addresses: frozenset[str], known: Mapping[int, str], scratch: Path
    ) -> StagedIncrement:
        for header in (header for piece in pieces for header in piece.headers):
            if known.get(header.number, header.hash) != header.hash:
                raise BrokenChainError(header.number)
        lake, first_day = self.workspace.lake(self.domain), self.workspace.settings.first_day
        return stage_increment(
            pieces, addresses, known, self.state.chain_id, self.tables.blocks, self.tables.logs, lake, scratch, first_day
        )

    def _record(self, increments: Sequence[StagedIncrement], report: ChainReport, *, instead_of: Sequence[str] = ()) -> None:
        """Make increments known, in the place of others, all in one transaction; then remove what nothing refers to."""
        if not instead_of:
            self._hold_links(increments)
        for increment in increments:
            for source, target in increment.moves:
                move_into_place(source, target)
        with self.catalog.connection.transaction():
            removed = [
                path for name in instead_of for path in self.catalog.withdraw(self.domain.name, name, self.tables.inputs)
            ]
            files = [file for increment in increments for file in (increment.blocks, increment.logs)]
            self.catalog.record_import(self.domain.name, files)
            for increment in increments:
                self.state.add(
                    increment.covered,
                    increment.source_file,
                    increment.logs.content_hash,
                    increment.blocks.content_hash,
                    increment.new_headers,
                )
        landed = {target for increment in increments for _, target in increment.moves}
        for path in set(removed) - landed:
            path.unlink(missing_ok=True)
        report.count(increments)

    def _hold_links(self, increments: Sequence[StagedIncrement]) -> None:
        """The block after an increment, where it was landed before, must follow the increment's last one."""
        for increment in increments:
            after = self.state.parent_at(increment.covered.last + 1)
            if after is not None and after != increment.last_hash:
                raise BrokenChainError(increment.covered.last + 1)


def _spans(covered: Sequence[Covered]) -> list[tuple[int, int]]:
    """The blocks that were taken for any contract, as maximal ranges."""
    anyone = merged(Covered(part.first, part.last, frozenset()) for part in covered)
    return [(part.first, part.last) for part in anyone]
