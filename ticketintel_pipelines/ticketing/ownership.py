"""Who owned a token before each of its movements: a token has one owner at a time, and none before its mint."""

from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from ticketintel_pipelines.chain.events import ZERO_ADDRESS
from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.engine import fetch_rows, fetch_table, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.validate import (
    EXTRACT_STAGE,
    VALIDATE_STAGE,
    Candidates,
    Step,
    no_rows,
    rows_of_parts,
)
from ticketintel_pipelines.warehouse.lookups import look_up

TOKEN = "contract_address, token_id"
ORDER = "block_number, log_index, batch_index"


def sound_moves(moves: Sequence[tuple[str, str]], owner: str | None) -> list[bool]:
    """For each movement (from, to) of one token in order: whether its sender owned the token then.

    `owner` is who owned it before the first movement; None when nobody knows, in which case the first sender is believed
    unless the token is minted later on. A mint right after a burn is the token's return and says nothing of the time before
    it. A movement that is not sound does not change the owner.
    """
    minted_at = next((place for place in range(len(moves)) if _is_first_mint(moves, place)), None)
    sound: list[bool] = []
    for place, (sender, receiver) in enumerate(moves):
        known = owner is not None
        holds = sender == owner if known else minted_at is None or place >= minted_at
        sound.append(holds)
        if holds:
            owner = receiver
    return sound


def _is_first_mint(moves: Sequence[tuple[str, str]], place: int) -> bool:
    return moves[place][0] == ZERO_ADDRESS and (place == 0 or moves[place - 1][1] != ZERO_ADDRESS)


def owned_transfers(step: Step, table: Table, days: DayRange) -> Candidates:
    """The decoded transfers of some days as candidates, with `sender_owned_token` (true outside ERC-721)."""
    lake = step.workspace.lake(step.domain)
    parts = lake.parts(EXTRACT_STAGE, table.name, days.days)
    if not parts:
        return no_rows(table, more=", true AS sender_owned_token")
    engine = step.engine
    engine.execute(f"CREATE OR REPLACE TEMP TABLE moves AS SELECT *, file_index AS landing_order FROM {parquet(parts)}")
    # Of two logs with one key the earlier one is looked at, which is also the one that is kept.
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE chain AS SELECT * FROM moves WHERE standard = 'erc721' QUALIFY row_number() OVER ("
        "PARTITION BY transaction_hash, log_index, batch_index "
        "ORDER BY block_timestamp, landing_order, source_file, source_row) = 1"
    )
    _owners_before(step, table, days)
    # Chained moves are sound: only tokens with a break in the chain are looked at one movement after the other.
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE suspects AS SELECT DISTINCT {TOKEN} FROM ("
        f"SELECT {TOKEN}, from_address, coalesce(lag(to_address) OVER token, o.owner) AS owner, "
        f"row_number() OVER token AS place, from_address = '{ZERO_ADDRESS}' AS is_mint "
        f"FROM chain LEFT JOIN owners o USING ({TOKEN}) WINDOW token AS (PARTITION BY {TOKEN} ORDER BY {ORDER})) "
        "WHERE owner <> from_address OR (is_mint AND place > 1)"
    )
    broken = _broken_moves(engine)
    engine.register("broken_moves", broken)
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE owned AS SELECT m.*, b.log_index IS NULL AS sender_owned_token FROM moves m "
        "LEFT JOIN broken_moves b ON b.transaction_hash = m.transaction_hash AND b.log_index = m.log_index"
    )
    engine.unregister("broken_moves")
    return Candidates("owned", rows_of_parts(lake.table(EXTRACT_STAGE, table.name), days.days))


def _owners_before(step: Step, table: Table, days: DayRange) -> None:
    """Make the table `owners`: who owned the moved tokens before these days, as far as it is known."""
    lake, engine = step.workspace.lake(step.domain), step.engine
    earlier_days = [day for day in step.run_days.days if day < days.first]
    earlier = lake.parts(VALIDATE_STAGE, table.name, earlier_days)
    wanted = f"(SELECT DISTINCT {TOKEN} FROM chain)"
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE history (contract_address VARCHAR, token_id VARCHAR, block_timestamp TIMESTAMPTZ, "
        "block_number BIGINT, log_index BIGINT, batch_index BIGINT, to_address VARCHAR)"
    )
    picked = f"{TOKEN}, block_timestamp, {ORDER}, to_address"
    if earlier:
        engine.execute(f"INSERT INTO history SELECT {picked} FROM {parquet(earlier)} SEMI JOIN {wanted} USING ({TOKEN})")
    if step.catalog.has_rows(step.domain.name, table.name, outside=step.run_days):
        tokens = fetch_table(engine, f"SELECT * FROM {wanted}")
        carried = ("block_timestamp", "block_number", "log_index", "batch_index", "to_address")
        published = look_up(
            step.catalog.connection,
            step.domain,
            table.name,
            ("contract_address", "token_id"),
            tokens,
            carried,
            outside=step.run_days,
        )
        engine.register("published_moves", published)
        engine.execute(f"INSERT INTO history SELECT {picked} FROM published_moves")
        engine.unregister("published_moves")
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE owners AS SELECT {TOKEN}, arg_max(to_address, (block_number, log_index, batch_index)) "
        f"AS owner FROM history WHERE block_timestamp < TIMESTAMPTZ '{days.first} 00:00:00+00' GROUP BY {TOKEN}"
    )


def _broken_moves(engine: duckdb.DuckDBPyConnection) -> pa.Table:
    """Movements of suspect tokens whose sender did not own the token, by transaction and log index."""
    rows = fetch_rows(
        engine,
        f"SELECT m.contract_address, m.token_id, any_value(o.owner), "
        f"list(struct_pack(transaction_hash, log_index, from_address, to_address) ORDER BY {ORDER}) "
        f"FROM chain m SEMI JOIN suspects USING ({TOKEN}) LEFT JOIN owners o USING ({TOKEN}) "
        "GROUP BY m.contract_address, m.token_id",
    )
    broken = list(_broken(rows))
    return pa.table(
        {
            "transaction_hash": pa.array([row[0] for row in broken], pa.string()),
            "log_index": pa.array([row[1] for row in broken], pa.int64()),
        }
    )


def _broken(rows: Iterable[tuple[str, str, str | None, list[dict[str, object]]]]) -> Iterable[tuple[object, object]]:
    for _, _, owner, moves in rows:
        steps = [(str(move["from_address"]), str(move["to_address"])) for move in moves]
        for move, sound in zip(moves, sound_moves(steps, owner), strict=True):
            if not sound:
                yield move["transaction_hash"], move["log_index"]
