"""Watch lists: which wallets others warn of, and when.

A list finds some of the dishonest wallets, days after they appeared, and names a few honest ones by mistake. Most of what it
names is never seen on the platform. Nothing else of the world depends on what is drawn here.
"""

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, row_count, select
from ticketintel_pipelines.ticketing.simulator.clock import DAY, SECOND, Day, Purpose
from ticketintel_pipelines.ticketing.simulator.people import FIRST_DISHONEST
from ticketintel_pipelines.ticketing.simulator.texts import characters, choose, digits, text_column, timestamps
from ticketintel_pipelines.ticketing.simulator.world import Listings, World, make_rows

ADDRESS_BYTES = 20
LABEL_PREFIX = "Fake_Phishing"
LABEL_DIGITS = 6


def watch_list_table(world: World, day: Day, first_actor: int) -> pa.Table:
    """The listings of today; `first_actor` is the position of the day's first new wallet, and those to come are remembered."""
    pending = concatenate([world.listings, *_coming(world, day, first_actor)])
    today = pending.listed_us < day.end_us
    world.listings = select(pending, ~today)
    listed = select(pending, today)
    listed = select(listed, np.lexsort((listed.list, listed.listed_us)))
    wallets = listed.wallet.astype(np.uint8).reshape(-1, ADDRESS_BYTES)
    return pa.table(
        {
            "list_name": choose(world.parameters.watch_lists.names, listed.list),
            "address": bytes_to_hex(wallets),
            "listed_at": timestamps(listed.listed_us),
            "label": text_column(characters(LABEL_PREFIX, row_count(listed)), digits(listed.number, LABEL_DIGITS)),
        }
    )


def _coming(world: World, day: Day, first_actor: int) -> list[Listings]:
    """What each list will name of today's new wallets, and what it names today of wallets that are never seen here."""
    rng, lists = day.generator(Purpose.WATCH_LISTS), world.parameters.watch_lists
    wallets, created = world.actors.wallet[first_actor:], world.actors.created_us[first_actor:]
    dishonest = world.actors.role[first_actor:] >= FIRST_DISHONEST
    coming = []
    for place in range(len(lists.names)):
        named = rng.random(len(wallets)) < np.where(dishonest, lists.found[place], lists.mistaken[place])
        delay = lists.delay_days * np.exp(lists.delay_spread * rng.standard_normal(len(wallets)))
        listed = created + (np.minimum(delay, lists.delay_most_days) * DAY).astype(np.int64) // SECOND * SECOND
        strangers = int(rng.poisson(lists.strangers * world.daily_events))
        listed = np.concatenate([listed[named], day.start_us + rng.integers(0, DAY // SECOND, strangers) * SECOND])
        address = np.concatenate([wallets[named], rng.integers(0, 256, (strangers, ADDRESS_BYTES), dtype=np.uint8)])
        number = rng.integers(0, 10**LABEL_DIGITS, len(listed))
        coming.append(make_rows(Listings, len(listed), listed_us=listed, wallet=address, list=place, number=number))
    return coming
