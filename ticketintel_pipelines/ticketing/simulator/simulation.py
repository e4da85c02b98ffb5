"""The simulation itself: a world, and one day after another written to files."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, row_count, select
from ticketintel_pipelines.ticketing.simulator.behaviour import (
    first_budget,
    plan,
    primary_campaigns,
    remember_groups,
)
from ticketintel_pipelines.ticketing.simulator.chain import record_day
from ticketintel_pipelines.ticketing.simulator.clock import Day, Purpose, Rhythm, generator
from ticketintel_pipelines.ticketing.simulator.collusion import ring_trades, takeover_orders, takeover_trades
from ticketintel_pipelines.ticketing.simulator.defects import TRUTH_SCHEMA, plant
from ticketintel_pipelines.ticketing.simulator.funding import value_transfers_table
from ticketintel_pipelines.ticketing.simulator.market import (
    Answers,
    mint,
    payment_answers,
    primary_orders,
    settlement_blocks,
)
from ticketintel_pipelines.ticketing.simulator.parameters import PARAMETERS, Parameters
from ticketintel_pipelines.ticketing.simulator.people import NOBODY, Actors, Role, sign_up
from ticketintel_pipelines.ticketing.simulator.platform import (
    REASONS,
    chargebacks_table,
    check_ins_table,
    events_table,
    foresee_chargebacks,
    orders_table,
    payments_table,
    tickets_table,
    user_ids,
    users_table,
)
from ticketintel_pipelines.ticketing.simulator.resale import (
    Floor,
    direct_moves,
    due_trades,
    honest_trades,
    resale_moves,
    resale_orders,
)
from ticketintel_pipelines.ticketing.simulator.reviews import foresee_reviews, reviews_table, reviews_truth
from ticketintel_pipelines.ticketing.simulator.season import Events, announce, found_organisers
from ticketintel_pipelines.ticketing.simulator.texts import (
    Ids,
    characters,
    choose,
    digits,
    money,
    text_column,
    timestamps,
    where,
)
from ticketintel_pipelines.ticketing.simulator.traces import hidden_moves
from ticketintel_pipelines.ticketing.simulator.visits import (
    build_sessions,
    requests_table,
    security_table,
    sessions_table,
)
from ticketintel_pipelines.ticketing.simulator.watch_lists import watch_list_table
from ticketintel_pipelines.ticketing.simulator.world import (
    Chargebacks,
    Crowd,
    Intrusions,
    Label,
    Market,
    Moves,
    Orders,
    Reviews,
    Status,
    Tokens,
    Trades,
    World,
    no_rows,
    settle,
)
from ticketintel_pipelines.ticketing.simulator.write import TruthFiles, write_day

CENTS = 100
UNCOUNTED = ("blocks", "value_transfers")
"""Not among the raw records of a day: the clock of the chain, and the wallets' own dealings."""


def quiet(message: str) -> None:
    """Reports nothing."""


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: rows per table, raw records per day (without the tables of `UNCOUNTED`), truth rows, and how long it
    took.
    """

    rows: dict[str, int]
    per_day: dict[datetime.date, int]
    truth_rows: dict[str, int]
    seconds: float


def simulate(
    out: Path,
    *,
    days: int,
    daily_events: int,
    seed: int,
    start: datetime.date = datetime.date(2026, 1, 1),
    defects: bool = True,
    progress: Callable[[str], None] = quiet,
) -> SimulationSummary:
    """Writes `days` days of a ticketing platform in the raw contract to `out`, and the truth to `out/truth`.

    `daily_events` is the number of raw records a day over all tables except blocks and value transfers. Equal arguments give
    equal bytes, and a longer simulation begins with the files of a shorter one. Files of the same names are replaced, others
    stay.
    """
    parameters = PARAMETERS
    if days < 1:
        raise ValueError(f"a simulation needs at least one day, not {days}")
    if not parameters.least_daily_events <= daily_events <= parameters.most_daily_events:
        raise ValueError(
            f"daily_events must lie between {parameters.least_daily_events:,} and {parameters.most_daily_events:,}, "
            f"not {daily_events:,}"
        )
    began = time.perf_counter()
    world = found_world(seed, daily_events, parameters)
    ids = Ids(start)
    rows: dict[str, int] = {}
    per_day: dict[datetime.date, int] = {}
    truth_rows: dict[str, int] = {}
    with TruthFiles(out) as truth:
        for index in range(days):
            day = Day(index, start + datetime.timedelta(days=index), seed)
            tables, known = simulate_day(world, day, ids, defects)
            write_day(out, day.date, tables)
            for name, table in known.items():
                truth.append(name, table)
                truth_rows[name] = truth_rows.get(name, 0) + table.num_rows
            for name, table in tables.items():
                rows[name] = rows.get(name, 0) + table.num_rows
            per_day[day.date] = sum(table.num_rows for name, table in tables.items() if name not in UNCOUNTED)
            progress(f"{day.date}: {per_day[day.date]:,} records")
    return SimulationSummary(rows, per_day, truth_rows, time.perf_counter() - began)


def found_world(seed: int, daily_events: int, parameters: Parameters = PARAMETERS) -> World:
    """The world before its first day: organisers, but nobody and nothing else."""
    campaigns = parameters.campaigns
    transactions = parameters.volume.ticket_transactions * daily_events
    return World(
        seed=seed,
        daily_events=daily_events,
        parameters=parameters,
        rhythm=Rhythm(parameters.volume.hour),
        organisers=found_organisers(seed, parameters, daily_events),
        actors=no_rows(Actors),
        events=no_rows(Events),
        tokens=no_rows(Tokens),
        chargebacks=no_rows(Chargebacks),
        reviews=no_rows(Reviews),
        cents_per_ether=parameters.trade.eth_usd * CENTS,
        last_block_hash=generator(seed, 0, Purpose.RATE).integers(0, 256, 32, dtype=np.uint8),
        carry=first_budget(transactions, campaigns.least, campaigns.full_start_transactions),
    )


@dataclass
class Trading:
    """Everything that was bought, sold and given on one day."""

    orders: Orders
    answers: Answers
    moves: Moves
    transactions: int
    intrusions: Intrusions
    answered_us: np.ndarray


def simulate_day(world: World, day: Day, ids: Ids, defects: bool) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """The day's tables and the truth about it; `world` moves on to the next day."""
    parameters = world.parameters
    first_actor = row_count(world.actors)
    first_event = row_count(world.events)
    first_token = row_count(world.tokens)
    size = world.daily_events * parameters.volume.weekday[day.date.weekday()]
    trading = trade_day(world, day, size)
    chain = record_day(world, day, trading.moves, trading.transactions)
    orders = trading.orders
    order_serials = np.empty(row_count(orders), dtype=np.int64)
    order_serials[np.argsort(orders.placed_us, kind="stable")] = np.arange(row_count(orders))
    sessions, session_of_order = build_sessions(
        world,
        day,
        orders,
        trading.answered_us,
        trading.intrusions,
        round(size * parameters.volume.sessions),
    )
    hashes = where(orders.status == Status.PAID, bytes_to_hex(chain.hashes[: row_count(orders)]))
    paid = payments_table(world, day, ids, orders, order_serials, trading.answers)
    foreseen = foresee_chargebacks(world, day, orders, trading.answers, paid.serial)
    order_table = orders_table(world, day, ids, orders, order_serials, session_of_order, hashes)
    accounts = first_actor + np.flatnonzero(world.actors.account[first_actor:])
    tables = {
        "blocks": chain.blocks,
        "logs": chain.logs,
        "users": users_table(world, day, ids, accounts),
        "events": events_table(world, ids, np.arange(first_event, row_count(world.events))),
        "tickets": tickets_table(world, ids, np.arange(first_token, row_count(world.tokens))),
        "sessions": sessions_table(world, day, ids, sessions),
        "orders": order_table.take(pa.array(np.argsort(order_serials))),
        "payments": paid.table.take(pa.array(np.argsort(paid.serial))),
        "check_ins": check_ins_table(world, day, ids),
        "chargebacks": chargebacks_table(world, day, ids),
        "security_events": security_table(
            world, day, ids, sessions, trading.intrusions, round(size * parameters.volume.security_events)
        ),
    }
    others = sum(table.num_rows for name, table in tables.items() if name != "blocks")
    requests = max(round(size * parameters.volume.least_api_requests), round(size) - others)
    tables["api_requests"] = requests_table(world, day, ids, sessions, tables["sessions"], requests)
    hidden = hidden_moves(world, day, orders, trading.intrusions, chain.moves)
    reviewed = foresee_reviews(world, day, orders, chain)
    # Not among the records that requests fill up: they are few, and the other tables do not depend on them.
    tables["fraud_reviews"] = reviews_table(world, day, ids)
    tables["watch_list"] = watch_list_table(world, day, first_actor)
    tables["value_transfers"] = value_transfers_table(world, day, first_actor, chain.moves)
    known = {
        "wallets": _wallets(world, ids, np.arange(first_actor, row_count(world.actors))),
        "transactions": chain.truth.append_column("is_hidden", pa.array(hidden)),
        "chargebacks": _foreseen(ids, foreseen),
        "fraud_reviews": reviews_truth(reviewed),
        "defects": TRUTH_SCHEMA.empty_table(),
    }
    if defects:
        planted = plant(day, parameters.dirt, world.daily_events, ids, tables, chain)
        tables = planted.tables
        known["defects"] = pa.Table.from_pylist(planted.rows, TRUTH_SCHEMA)
    return tables, known


def trade_day(world: World, day: Day, size: float) -> Trading:
    """Lets the day's people come, the day's events be announced, and tickets be sold, resold and given away."""
    parameters = world.parameters
    trade = parameters.trade
    rng = day.generator(Purpose.CAMPAIGNS)
    planned = plan(world, day, rng)
    wanted_groups = [campaign.wanted for campaign in planned if campaign.wanted is not None]
    newcomers, members = sign_up(day, parameters, world.rhythm, world.daily_events, wanted_groups, row_count(world.actors))
    world.actors = concatenate([world.actors, newcomers])
    for campaign, group in zip((c for c in planned if c.wanted is not None), members, strict=True):
        campaign.members = group
    announced = announce(
        day,
        parameters,
        world.organisers,
        world.events,
        world.primary_per_day,
        world.daily_events,
    )
    world.events = concatenate([world.events, announced])
    crowd = Crowd(world.actors)
    transactions = size * parameters.volume.ticket_transactions
    ramp = min(1.0, (day.index + 1) / trade.secondary_ramp_days)
    shares = np.array([trade.platform_resale_share, trade.seaport_share, trade.gift_share]) * ramp

    attacks, broken_in = takeover_orders(world, day, day.generator(Purpose.TAKE_OVERS), crowd, planned)
    dishonest = concatenate([primary_campaigns(world, day, rng, planned), attacks])
    primary = primary_orders(world, day, crowd, transactions * (1 - shares.sum()), dishonest)
    payments = day.generator(Purpose.PAYMENTS)
    primary_answers, paid_us = payment_answers(payments, trade, primary)
    mints = mint(world, day, primary, paid_us)
    remember_groups(world, planned)

    secondary = day.generator(Purpose.SECONDARY)
    floor = Floor(world, day)
    due = due_trades(secondary, world, day, crowd, floor)
    cycled = ring_trades(world, day, secondary, planned, floor)
    stolen, intruded = takeover_trades(world, day, secondary, crowd, planned, floor)
    forced = concatenate([due, cycled, stolen])
    counts = [
        max(0, round(transactions * share) - int((forced.market == market).sum()))
        for share, market in zip(shares, (Market.RESALE, Market.SEAPORT, Market.GIFT), strict=True)
    ]
    honest = honest_trades(secondary, world, day, crowd, floor, (counts[0], counts[1], counts[2]))
    trades: Trades = concatenate([forced, honest])
    on_platform = trades.market == Market.RESALE
    resales = resale_orders(secondary, world, day, select(trades, on_platform))
    resale_answers, resold_us = payment_answers(payments, trade, resales)
    first = row_count(primary)
    resale_answers.order = resale_answers.order + first
    orders = concatenate([primary, resales])
    answers = concatenate([primary_answers, resale_answers])
    blocks = settlement_blocks(secondary, trade, day, resold_us)
    direct = direct_moves(day, select(trades, ~on_platform), row_count(orders))
    passed_on = concatenate([resale_moves(resales, blocks, first), direct])
    settle(world, day, passed_on)
    answered = orders.placed_us.copy()
    np.maximum.at(answered, answers.order, answers.at_us)
    return Trading(
        orders=orders,
        answers=answers,
        moves=concatenate([mints, passed_on]),
        transactions=row_count(orders) + row_count(direct),
        intrusions=concatenate([broken_in, intruded]),
        answered_us=answered,
    )


def _wallets(world: World, ids: Ids, index: np.ndarray) -> pa.Table:
    """Who is behind each wallet that is new today."""
    ring = world.actors.ring[index]
    return pa.table(
        {
            "wallet_address": bytes_to_hex(world.actors.wallet[index]),
            "user_id": user_ids(world, ids, index),
            "role": choose([role.name.lower() for role in Role], world.actors.role[index]),
            "ring_id": where(ring != NOBODY, _ring_ids(ring)),
        }
    )


def _ring_ids(ring: np.ndarray) -> pa.StringArray:
    """Ids of groups under one hand: `g000017`."""
    return text_column(characters("g", len(ring)), digits(np.maximum(ring, 0), 6))


def _foreseen(ids: Ids, coming: Chargebacks) -> pa.Table:
    """The chargebacks that today's payments will see, whether or not the simulated period reaches them."""
    return pa.table(
        {
            "payment_id": ids.column("p", coming.paid_day, coming.paid_serial),
            "received_at": timestamps(coming.received_us),
            "amount": money(coming.cents),
            "reason": choose(REASONS, coming.reason),
            "label": choose([label.name.lower() for label in Label], coming.label),
        }
    )
