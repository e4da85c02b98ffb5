"""The fraud desk: which of the day's ticket transactions its reviewers will look at, and what they will say of them.

An order is reviewed as a whole: all tickets that one chain transaction moves get the same verdict at the same time. Which
honest transactions are reviewed depends only on what could be seen of them.
"""

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, row_count, select
from ticketintel_pipelines.ticketing.simulator.chain import ChainDay, transaction_ids
from ticketintel_pipelines.ticketing.simulator.clock import DAY, SECOND, Day, Purpose
from ticketintel_pipelines.ticketing.simulator.texts import Ids, characters, choose, digits, text_column, timestamps, where
from ticketintel_pipelines.ticketing.simulator.world import Label, Market, Orders, Reviews, World

VERDICTS = ("honest", "fraud")
LABELS = tuple(label.name.lower() for label in Label)
REVIEWER_PREFIX = "desk-"


def foresee_reviews(world: World, day: Day, orders: Orders, chain: ChainDay) -> Reviews:
    """The verdicts on today's ticket transactions, days ahead; they join the world's pending ones."""
    rng = day.generator(Purpose.REVIEWS)
    desk = world.parameters.desk
    moves = chain.moves
    count = len(chain.hashes)
    label = np.zeros(count, dtype=np.int64)
    label[moves.transaction] = moves.label
    found = np.array(desk.found)
    chance = found[label] + _chance_of_honest(world, orders, chain, label)
    reviewed = rng.random(count) < chance
    wrong = rng.random(count) < desk.wrong
    is_fraud = (label != Label.HONEST) != wrong
    accused = rng.integers(1, len(Label), count)
    kind = np.where(label != Label.HONEST, label, accused)
    unnamed = rng.random(count) < desk.kind_unnamed
    delay = _delays(world, rng, count)
    reviewer = rng.integers(0, desk.reviewers, count)
    again = reviewed & (rng.random(count) < np.where(wrong, desk.overturned_wrong, desk.overturned_right))
    second_delay = delay + _delays(world, rng, count)
    colleague = (reviewer + rng.integers(1, desk.reviewers, count)) % desk.reviewers

    at = day.block_time(moves.block)
    parts = []
    for mask, waited, fraud, who in ((reviewed, delay, is_fraud, reviewer), (again, second_delay, ~is_fraud, colleague)):
        index = np.flatnonzero(mask[moves.transaction])
        number = moves.transaction[index]
        named = fraud[number] & ~unnamed[number]
        parts.append(
            Reviews(
                decided_us=at[index] + waited[number],
                hash=chain.hashes[number],
                log_index=chain.ledger_log[index],
                is_fraud=fraud[number],
                kind=np.where(named, kind[number], int(Label.HONEST)),
                reviewer=who[number],
                label=label[number],
            )
        )
    coming = concatenate(parts)
    world.reviews = concatenate([world.reviews, coming])
    return coming


def reviews_table(world: World, day: Day, ids: Ids) -> pa.Table:
    """The verdicts of today, which are then no longer pending."""
    pending = world.reviews
    today = pending.decided_us < day.end_us
    decided = select(pending, today)
    world.reviews = select(pending, ~today)
    decided = select(decided, np.argsort(decided.decided_us, kind="stable"))
    rows = row_count(decided)
    return pa.table(
        {
            "review_id": ids.column("v", day.index, np.arange(rows)),
            "decided_at": timestamps(decided.decided_us),
            **_verdicts(decided),
            "reviewer_id": text_column(characters(REVIEWER_PREFIX, rows), digits(decided.reviewer + 1, 2)),
        }
    )


def reviews_truth(coming: Reviews) -> pa.Table:
    """The verdicts that today's transactions will get, whether or not the simulated period reaches them, and the truth."""
    return pa.table({"decided_at": timestamps(coming.decided_us), **_verdicts(coming), "label": choose(LABELS, coming.label)})


def _verdicts(reviews: Reviews) -> dict[str, pa.Array]:
    hashes = reviews.hash.astype(np.uint8).reshape(-1, 32)
    return {
        "transaction_id": transaction_ids(hashes, reviews.log_index),
        "verdict": choose(VERDICTS, reviews.is_fraud),
        "fraud_kind": where(reviews.kind != Label.HONEST, choose(LABELS, reviews.kind)),
    }


def _delays(world: World, rng: np.random.Generator, count: int) -> np.ndarray:
    """Log-normal delays in microseconds, whole seconds, shape (count,)."""
    desk = world.parameters.desk
    days = np.minimum(desk.delay_days * np.exp(desk.delay_spread * rng.standard_normal(count)), desk.delay_most_days)
    return (days * DAY).astype(np.int64) // SECOND * SECOND


def _chance_of_honest(world: World, orders: Orders, chain: ChainDay, label: np.ndarray) -> np.ndarray:
    """With which chance each chain transaction is reviewed though it is honest, 0 where it is not; shape (n,).

    Among all moves there are then as many as the dishonest ones that are found on an average day, times `honest_per_fraud`.
    """
    desk, moves = world.parameters.desk, chain.moves
    count = len(label)
    weight = np.ones(count)
    ordered = np.arange(row_count(orders))
    weight[ordered] += desk.suspicion_retried * (orders.failed_attempts > 0)
    weight[ordered] += desk.suspicion_bulk * (orders.quantity >= desk.bulk_quantity)
    primary = orders.market == Market.PRIMARY
    rushed = orders.placed_us - world.events.on_sale_us[orders.event] < desk.rush_s * SECOND
    weight[ordered] += desk.suspicion_rush * (primary & rushed)
    resold = (moves.market == Market.RESALE) | (moves.market == Market.SEAPORT)
    dear = resold & (moves.cents >= desk.marked_up * world.tokens.face_cents[moves.token])
    weight[moves.transaction[dear]] += desk.suspicion_mark_up
    weight[label != Label.HONEST] = 0.0
    moved = np.bincount(moves.transaction, minlength=count)
    wanted = desk.honest_per_fraud * float(np.dot(world.parameters.campaigns.share, desk.found)) * len(moves.transaction)
    total = float(np.dot(weight, moved))
    return np.minimum(weight * (wanted / total if total else 0.0), 1.0)
