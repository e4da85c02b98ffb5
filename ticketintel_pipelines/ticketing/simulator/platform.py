"""The platform's tables of people, events and money, as Arrow tables in the raw contract's columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, select
from ticketintel_pipelines.ticketing.simulator.clock import DAY, SECOND, Day, Purpose
from ticketintel_pipelines.ticketing.simulator.market import ANSWER_FAILED, CAPTURED, Answers
from ticketintel_pipelines.ticketing.simulator.people import FIRST_DISHONEST, Role
from ticketintel_pipelines.ticketing.simulator.places import (
    ACTS,
    CATEGORIES,
    CITIES,
    COUNTRIES,
    COUNTRY_OF_CITY,
    MAIL_DOMAINS,
    SHOWS,
    SYLLABLES,
    TIERS,
    VENUE_KINDS,
    VENUE_WORDS,
)
from ticketintel_pipelines.ticketing.simulator.texts import (
    Ids,
    characters,
    choose,
    digits,
    money,
    text_column,
    timestamps,
    tokens_of,
    where,
)
from ticketintel_pipelines.ticketing.simulator.world import Chargebacks, Label, Market, Orders, Place, World

CURRENCY = "USD"
ORGANISER_PREFIX = "org-"
METHODS = ("card", "wallet", "paypal", "apple_pay", "bank_transfer")
METHOD_SHARES = (0.62, 0.08, 0.14, 0.13, 0.03)
OUTCOMES = ("captured", "failed", "refunded")
STATUSES = ("paid", "cancelled", "failed")
REASONS = ("fraud", "not_received", "duplicate", "other")
HONEST_REASON_SHARES = (0.10, 0.40, 0.30, 0.20)
SEATS_PER_ROW = 30
ROWS_PER_SECTION = 40
GATES = ("A", "B", "C", "D", "E", "North", "South", "VIP")
_COUNTRY = np.array(COUNTRY_OF_CITY)


def country_column(cities: np.ndarray) -> pa.StringArray:
    return choose(COUNTRIES, _COUNTRY[cities])


def user_ids(world: World, ids: Ids, actors: np.ndarray) -> pa.StringArray:
    """The accounts' ids; null for NO_TOKEN and for wallets without an account."""
    known = (actors >= 0) & world.actors.account[actors]
    safe = np.where(known, actors, 0)
    column = ids.column("u", world.actors.day[safe], np.maximum(world.actors.serial[safe], 0))
    return where(known, column)


def event_ids(world: World, ids: Ids, events: np.ndarray) -> pa.StringArray:
    return ids.column("e", world.events.day[events], world.events.serial[events])


def users_table(world: World, day: Day, ids: Ids, index: np.ndarray) -> pa.Table:
    """The accounts at positions `index`, which must be all those of the day in order."""
    actors = select(world.actors, index)
    rows = len(index)
    # Names follow from the wallet's random bytes, so that they need no randomness of their own.
    part = [choose(SYLLABLES, actors.wallet[:, column] % len(SYLLABLES)) for column in range(5)]
    first = pc.utf8_capitalize(pc.binary_join_element_wise(part[0], part[1], ""))
    last = pc.utf8_capitalize(pc.binary_join_element_wise(part[2], part[3], part[4], ""))
    number = text_column(digits(np.full(rows, day.index), 3), digits(actors.serial, 6))
    mailbox = pc.binary_join_element_wise(pc.utf8_lower(first), pc.utf8_lower(last), number, ".")
    domain = choose(MAIL_DOMAINS, actors.wallet[:, 5] % len(MAIL_DOMAINS))
    return pa.table(
        {
            "user_id": ids.column("u", day.index, actors.serial),
            "created_at": timestamps(actors.created_us),
            "wallet_address": where(actors.role != Role.VISITOR, bytes_to_hex(actors.wallet)),
            "email": pc.binary_join_element_wise(mailbox, domain, "@"),
            "full_name": pc.binary_join_element_wise(first, last, " "),
            "country_code": country_column(actors.city),
            "is_verified": pa.array(actors.wallet[:, 6] < world.parameters.crowd.verified_share * 256),
        }
    )


def events_table(world: World, ids: Ids, index: np.ndarray) -> pa.Table:
    """The events at positions `index`."""
    events = select(world.events, index)
    act, show = np.divmod(events.name, len(SHOWS))
    word, kind = np.divmod(events.venue, len(VENUE_KINDS))
    city_names = [city.name for city in CITIES]
    return pa.table(
        {
            "event_id": event_ids(world, ids, index),
            "created_at": timestamps(events.created_us),
            "name": pc.binary_join_element_wise(choose(ACTS, act), choose(SHOWS, show), " "),
            "category": choose(CATEGORIES, events.category),
            "venue": pc.binary_join_element_wise(choose(VENUE_WORDS, word), choose(VENUE_KINDS, kind), " "),
            "city": choose(city_names, events.city),
            "country_code": country_column(events.city),
            "latitude": pa.array(events.latitude),
            "longitude": pa.array(events.longitude),
            "organiser_id": text_column(characters(ORGANISER_PREFIX, len(index)), digits(events.organiser, 3)),
            "contract_address": bytes_to_hex(world.organisers.contract[events.organiser]),
            "capacity": pa.array(events.capacity),
            "face_value_usd": money(events.face_cents),
            "on_sale_at": timestamps(events.on_sale_us),
            "starts_at": timestamps(events.starts_us),
        }
    )


def token_numbers(world: World, tokens: np.ndarray) -> list[int]:
    """Token ids as exact integers: (event number << 128) + serial, or event number · 10**6 + serial."""
    event = world.tokens.event[tokens]
    wide = world.organisers.wide_tokens[world.events.organiser[event]]
    pairs = zip((event + 1).tolist(), world.tokens.serial[tokens].tolist(), wide.tolist(), strict=True)
    return [(number << 128) + serial if big else number * 1_000_000 + serial for number, serial, big in pairs]


def tickets_table(world: World, ids: Ids, tokens: np.ndarray) -> pa.Table:
    """The tickets of the tokens at positions `tokens`."""
    chosen = select(world.tokens, tokens)
    rows = len(tokens)
    row, seat = np.divmod(chosen.serial - 1, SEATS_PER_ROW)
    section, row = np.divmod(row, ROWS_PER_SECTION)
    seats = text_column(
        characters("S", rows),
        digits(section + 1, 3),
        characters("-R", rows),
        digits(row + 1, 2),
        characters("-", rows),
        digits(seat + 1, 2),
    )
    return pa.table(
        {
            "ticket_id": ids.column("t", chosen.day, chosen.ticket_serial),
            "issued_at": timestamps(chosen.minted_us),
            "event_id": event_ids(world, ids, chosen.event),
            "contract_address": bytes_to_hex(world.organisers.contract[world.events.organiser[chosen.event]]),
            "token_id": pa.array([str(number) for number in token_numbers(world, tokens)], pa.string()),
            "tier": choose(TIERS, chosen.tier),
            "seat": where(~world.events.standing[chosen.event], seats),
            "face_value_usd": money(chosen.face_cents),
        }
    )


def orders_table(
    world: World, day: Day, ids: Ids, orders: Orders, serials: np.ndarray, sessions: np.ndarray, hashes: pa.Array
) -> pa.Table:
    """`serials` and `sessions` are the numbers of the orders and of their sessions; `hashes` the transactions."""
    return pa.table(
        {
            "order_id": ids.column("o", day.index, serials),
            "created_at": timestamps(orders.placed_us),
            "user_id": user_ids(world, ids, orders.user),
            "event_id": event_ids(world, ids, orders.event),
            "session_id": ids.column("s", day.index, sessions),
            "market": choose(("primary", "resale"), orders.market == Market.RESALE),
            "quantity": pa.array(orders.quantity.astype(np.int64)),
            "amount": money(orders.unit_cents * orders.quantity),
            "currency": pa.repeat(CURRENCY, len(serials)),
            "status": choose(STATUSES, orders.status),
            "transaction_hash": hashes,
        }
    )


@dataclass
class Paid:
    """The day's payments, numbered: `serial` of each answer."""

    table: pa.Table
    serial: np.ndarray


def payments_table(world: World, day: Day, ids: Ids, orders: Orders, order_serials: np.ndarray, answers: Answers) -> Paid:
    rng = day.generator(Purpose.INSTRUMENTS)
    order = answers.order
    rows = len(order)
    user = orders.user[order]
    serial = np.empty(rows, dtype=np.int64)
    serial[np.argsort(answers.at_us, kind="stable")] = np.arange(rows)
    # One account mostly pays in one way; a thief tries another card each time.
    habit = world.actors.instrument[user] % 1_000 / 1_000
    method = np.searchsorted(np.cumsum(METHOD_SHARES), habit, side="right")
    thief = orders.label[order] == Label.STOLEN_CARD
    tried = world.actors.role[user] == Role.CARD_THIEF
    instrument = np.where(tried, rng.integers(0, 1 << 48, rows), world.actors.instrument[user])
    method[tried | thief] = 0
    city = world.actors.card_city[user].astype(np.int64)
    city = np.where(tried, (city + rng.integers(0, 4, rows) * (answers.outcome == ANSWER_FAILED)) % len(CITIES), city)
    table = pa.table(
        {
            "payment_id": ids.column("p", day.index, serial),
            "paid_at": timestamps(answers.at_us),
            "order_id": ids.column("o", day.index, order_serials[order]),
            "user_id": user_ids(world, ids, user),
            "method": choose(METHODS, np.minimum(method, len(METHODS) - 1)),
            "instrument_id": where(method != 4, tokens_of("pi_", instrument)),
            "instrument_country": country_column(city),
            "amount": money(orders.unit_cents[order] * orders.quantity[order]),
            "currency": pa.repeat(CURRENCY, rows),
            "status": choose(OUTCOMES, answers.outcome),
        }
    )
    return Paid(table, serial)


def foresee_chargebacks(world: World, day: Day, orders: Orders, answers: Answers, serial: np.ndarray) -> Chargebacks:
    """The chargebacks that today's captured payments will see, weeks ahead; they join the world's pending ones."""
    rng = day.generator(Purpose.CHARGEBACKS)
    trade, campaigns = world.parameters.trade, world.parameters.campaigns
    rows = len(answers.order)
    label = orders.label[answers.order]
    place = orders.place[answers.order]
    stolen = (label == Label.STOLEN_CARD) | (place == Place.ATTACKER)
    chance = np.where(stolen, campaigns.fraud_chargeback, trade.honest_chargebacks)
    chance[answers.outcome != CAPTURED] = 0.0
    hit = rng.random(rows) < chance
    low, high = trade.chargeback_days
    days = low + (high - low) * rng.beta(1.3, 3.0, rows)
    reason = np.where(stolen, 0, rng.choice(len(REASONS), rows, p=HONEST_REASON_SHARES))
    index = np.flatnonzero(hit)
    order = answers.order[index]
    coming = Chargebacks(
        received_us=answers.at_us[index] + (days[index] * DAY).astype(np.int64) // SECOND * SECOND,
        paid_day=np.full(len(index), day.index, dtype=np.int64),
        paid_serial=serial[index],
        cents=orders.unit_cents[order] * orders.quantity[order],
        reason=reason[index],
        label=label[index],
    )
    world.chargebacks = concatenate([world.chargebacks, coming])
    return coming


def chargebacks_table(world: World, day: Day, ids: Ids) -> pa.Table:
    """The chargebacks received today, which are then no longer pending."""
    pending = world.chargebacks
    today = pending.received_us < day.end_us
    received = select(pending, today)
    world.chargebacks = select(pending, ~today)
    received = select(received, np.argsort(received.received_us, kind="stable"))
    rows = len(received.cents)
    return pa.table(
        {
            "chargeback_id": ids.column("c", day.index, np.arange(rows)),
            "received_at": timestamps(received.received_us),
            "payment_id": ids.column("p", received.paid_day, received.paid_serial),
            "amount": money(received.cents),
            "currency": pa.repeat(CURRENCY, rows),
            "reason": choose(REASONS, received.reason),
        }
    )


def check_ins_table(world: World, day: Day, ids: Ids) -> pa.Table:
    """Admissions to the events that start today, by whoever holds the tickets."""
    rng = day.generator(Purpose.CHECK_INS)
    trade, tokens, events = world.parameters.trade, world.tokens, world.events
    starts = events.starts_us[tokens.event]
    tonight = np.flatnonzero((starts >= day.start_us) & (starts < day.end_us))
    rows = len(tonight)
    speculator = world.actors.role[tokens.owner[tonight]] >= FIRST_DISHONEST
    comes = rng.random(rows) < np.where(speculator, trade.speculator_attendance, trade.attendance)
    late = np.minimum(rng.exponential(trade.admission_mean_s, rows), trade.admission_most_s * (1 - rng.random(rows) / 9))
    at = starts[tonight] + (late * SECOND).astype(np.int64)
    gate = rng.integers(0, len(GATES) - 1, rows)
    gate[tokens.tier[tonight] == 2] = len(GATES) - 1
    tonight, at, gate = tonight[comes], at[comes], gate[comes]
    order = np.argsort(at, kind="stable")
    tonight, at, gate = tonight[order], at[order], gate[order]
    return pa.table(
        {
            "check_in_id": ids.column("k", day.index, np.arange(len(tonight))),
            "checked_in_at": timestamps(at),
            "ticket_id": ids.column("t", tokens.day[tonight], tokens.ticket_serial[tonight]),
            "event_id": event_ids(world, ids, tokens.event[tonight]),
            "gate": choose(GATES, gate),
        }
    )
