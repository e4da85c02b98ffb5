"""Where the raw rows of ticketing arise by themselves: a chain's nodes and the platform's own database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ticketintel_pipelines.chain.events import KNOWN_EVENTS
from ticketintel_pipelines.stages.chain_tables import ChainTables
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import BLOCKS, LOGS
from ticketintel_pipelines.upstream.increment import Increment, take_increment
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines.warehouse.chain_state import ChainState

if TYPE_CHECKING:
    # The client of a chain is imported where it is used: loading the definitions talks to no node.
    from ticketintel_pipelines.stages.chain import ChainReport

SENSOR_PATIENCE_SECONDS = 20.0
"""A sensor that waits longer than a minute is cut off."""
CHAIN_TABLES = ChainTables(BLOCKS, LOGS, tuple(event.topic for event in KNOWN_EVENTS), RAW_INPUTS)


def take_from_chain(workspace: Workspace, progress: Callable[[str], None] = lambda message: None) -> "ChainReport | None":
    """Land what the chain has and the lake has not; None where no endpoint is set.

    Raises:
        BadInputError: endpoints, settings file and landed rows do not go together.
        UnavailableError: no endpoint gives an answer that stands the checks.
    """
    from ticketintel_pipelines.chain.contracts import read_chain_settings
    from ticketintel_pipelines.chain.rpc.client import ChainClient
    from ticketintel_pipelines.stages.chain import extract_chain

    settings = workspace.settings
    if not settings.chain_rpc_urls:
        return None
    chain = read_chain_settings(settings.chain_settings)
    with ChainClient(settings.chain_rpc_urls) as client:
        return extract_chain(workspace, TICKETING, CHAIN_TABLES, chain, client, progress)


def new_final_blocks(workspace: Workspace) -> int | None:
    """How many final blocks the chain has that were not landed; None where no endpoint is set.

    Raises:
        BadInputError: the settings file of the chain does not serve.
        UnavailableError: no endpoint answers.
    """
    from ticketintel_pipelines.chain.contracts import read_chain_settings
    from ticketintel_pipelines.chain.rpc.client import ChainClient

    settings = workspace.settings
    if not settings.chain_rpc_urls:
        return None
    chain = read_chain_settings(settings.chain_settings)
    with ChainClient(settings.chain_rpc_urls, patience_seconds=SENSOR_PATIENCE_SECONDS) as client:
        final = client.finalized(chain.confirmations)
    with workspace.catalog() as catalog:
        state = ChainState(catalog.connection, TICKETING.name, chain.chain_id)
        stored = state.stored_range()
    start = min(contract.start_block for contract in chain.contracts)
    return max(0, final.number - (stored[1] if stored is not None else start - 1))


def take_from_platform(workspace: Workspace, progress: Callable[[str], None] = lambda message: None) -> Increment | None:
    """Land what changed in the platform's database; None where none is set.

    Raises:
        BadInputError: the address, the grants or the form of the tables do not serve; nothing was taken.
        UnavailableError: the database does not answer, or broke off; nothing was taken.
    """
    settings = workspace.settings
    if settings.platform_database_url is None:
        return None
    source = PlatformSource(
        settings.platform_database_url,
        schema=settings.platform_schema,
        overlap=timedelta(minutes=settings.platform_overlap_minutes),
    )
    with workspace.engine() as engine, workspace.catalog() as catalog, workspace.clients() as clients:
        return take_increment(
            engine,
            TICKETING,
            source,
            workspace.lake(TICKETING),
            catalog,
            settings.first_day,
            datetime.now(UTC),
            clients,
            progress,
        )
