"""Definitions of wash trading: what fires, what proves it, and where each one ends; all against a plain slow reading."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.learning.examples import DAY
from ticketintel_pipelines.learning.rings.flags import Definition, Found
from ticketintel_pipelines.learning.rings.funding import (
    USUAL_HUB,
    Money,
    common_exits,
    common_funders,
    first_funders,
    funded_wallets,
    hub_size,
)
from ticketintel_pipelines.learning.rings.paths import CUSTODY, NOBODY, Transfers, custodians
from ticketintel_pipelines.learning.rings.search import Funding, find_rings, search
from ticketintel_pipelines.learning.rings.settings import Settings, as_json, from_json
from ticketintel_pipelines_tests.ring_world import named, ring_world
from ticketintel_pipelines_tests.shared_data import shared_data

WINDOW = 30 * DAY
A, B, C, D, E, F, G = range(7)
Row = tuple[int, int, int, int, float]


def transfers(*rows: Row) -> Transfers:
    """Rows of token, giver, taker, microseconds and price."""
    token, giver, taker, at, price = zip(*rows, strict=True) if rows else ((),) * 5
    whole = [np.array(column, dtype=np.int64) for column in (token, giver, taker, at)]
    return Transfers(*whole, np.array(price, dtype=np.float64))


def way(*wallets: int, step: int = DAY, price: float = 1.0, token: int = 0) -> Transfers:
    """A token that goes from wallet to wallet, once in each `step`."""
    hops = pairwise(wallets)
    return transfers(*((token, giver, taker, hop * step, price) for hop, (giver, taker) in enumerate(hops)))


def proofs(found: Found, definition: Definition) -> list[list[int]]:
    return [found.proves(place).tolist() for place in np.flatnonzero(found.definition == definition)]


def fired(moved: Transfers, definition: Definition) -> list[list[int]]:
    return proofs(search(moved, Settings()), definition)


def verdict(moved: Transfers, funding: Funding | None = None) -> list[list[int]]:
    """The transfers of each case of wash trades."""
    return proofs(find_rings(moved, Settings(), funding).flags, Definition.COMBINED)


def test_a_wallet_that_sells_to_itself_is_proved_by_that_sale() -> None:
    moved = transfers((0, A, B, 0, 1.0), (0, B, B, 5, 1.0))
    assert fired(moved, Definition.SELF_TRADE) == [[1]]
    assert verdict(moved) == [[1]]
    assert fired(transfers((0, A, A, 0, 0.0)), Definition.SELF_TRADE) == [], "moving without a price is no trade"


@pytest.mark.parametrize(("apart", "fires"), [(WINDOW, True), (WINDOW + 1, False)])
def test_a_return_trip_takes_thirty_days_at_most(apart: int, fires: bool) -> None:
    moved = transfers((0, A, B, 100, 1.0), (0, B, A, 100 + apart, 1.1))
    assert fired(moved, Definition.RETURN_TRIP) == ([[0, 1]] if fires else [])
    assert bool(fired(moved, Definition.ZERO_RISK)) == fires


@pytest.mark.parametrize(("wallets", "fires"), [((A, B, C, D, E, F), True), ((A, B, C, D, E, F, G), False)])
def test_a_cycle_of_six_hops_closes_and_one_of_seven_does_not(wallets: tuple[int, ...], fires: bool) -> None:
    moved = way(*wallets, A)
    assert fired(moved, Definition.CLOSED_CYCLE) == ([list(range(len(wallets)))] if fires else [])
    # Whatever its length, the token can go round.
    assert fired(moved, Definition.STRONG_COMPONENT) == [list(range(len(wallets)))]


def test_transfers_of_one_block_count_in_their_order() -> None:
    moved = transfers((0, A, B, 7, 1.0), (0, B, C, 7, 1.0), (0, C, A, 7, 1.0))
    assert fired(moved, Definition.CLOSED_CYCLE) == [[0, 1, 2]]
    backwards = transfers((0, C, A, 7, 1.0), (0, B, C, 7, 1.0), (0, A, B, 7, 1.0))
    assert fired(backwards, Definition.CLOSED_CYCLE) == [], "what C gave away it had not got from A"


def test_the_shortest_way_back_is_the_trip() -> None:
    assert fired(way(A, B, C, B, A), Definition.RETURN_TRIP) == [[1, 2]]
    assert fired(way(A, B, C, B, A), Definition.CLOSED_CYCLE) == [[0, 1, 2, 3]]


def test_three_buys_and_three_sells_within_thirty_days() -> None:
    moved = way(A, B, A, B, A, B, step=6 * DAY)
    assert fired(moved, Definition.THREE_BUYS) == [[0, 2, 4]]
    assert fired(moved, Definition.THREE_SELLS) == [[0, 2, 4]]
    assert fired(way(A, B, A, B, A, B, step=8 * DAY), Definition.THREE_BUYS) == []
    assert fired(way(A, B, A, B, A, B, price=0.0), Definition.THREE_BUYS) == [], "gifts are no purchases"


def test_the_same_way_again_needs_the_token_to_have_come_back_soon() -> None:
    assert fired(way(A, B, A, B), Definition.REPEATED_ROUTE) == [[0, 2]]
    copies = transfers((0, A, B, 0, 1.0), (0, A, B, 5, 1.0))
    assert fired(copies, Definition.REPEATED_ROUTE) == [], "two copies of a ticket sold to one buyer"
    assert fired(way(A, B, C, D, E, F, G, A, B), Definition.REPEATED_ROUTE) == [], "it came back through seven hands"


def test_nobody_is_a_trader() -> None:
    minted = transfers((0, NOBODY, A, 0, 1.0), (0, A, NOBODY, 5, 1.0), (0, NOBODY, A, 6, 1.0), (0, A, NOBODY, 7, 1.0))
    assert len(search(minted, Settings())) == 0
    refunded_by_issuer = transfers((0, NOBODY, A, 0, 1.0), (0, A, NOBODY, DAY, 1.0), (0, NOBODY, B, 2 * DAY, 1.0))
    assert len(search(refunded_by_issuer, Settings())) == 0


def test_an_escrow_keeps_a_token_for_its_owner() -> None:
    withdrawn = transfers((0, A, CUSTODY, 0, 0.0), (0, CUSTODY, A, DAY, 0.0))
    assert len(find_rings(withdrawn, Settings()).flags) == 0
    sold = transfers(
        (0, A, CUSTODY, 0, 0.0), (0, CUSTODY, B, DAY, 1.0), (0, B, CUSTODY, 2 * DAY, 0.0), (0, CUSTODY, A, 3 * DAY, 1.0)
    )
    assert proofs(find_rings(sold, Settings()).flags, Definition.RETURN_TRIP) == [[1, 3]]
    to_oneself = transfers((0, A, CUSTODY, 0, 0.0), (0, CUSTODY, A, DAY, 1.0))
    assert proofs(find_rings(to_oneself, Settings()).flags, Definition.SELF_TRADE) == [[1]]
    forgotten = transfers((0, A, CUSTODY, 0, 0.0), (0, CUSTODY, A, WINDOW + 1, 1.0))
    assert len(find_rings(forgotten, Settings()).flags) == 0


def test_who_takes_tokens_of_many_unpaid_and_hands_them_on_is_a_custodian() -> None:
    keeper, shop = 100, 101
    left = [(one, one, keeper, one, 0.0) for one in range(5)] + [(one, keeper, 50 + one, 10 + one, 1.0) for one in range(5)]
    bought = [(10 + one, one, shop, 20 + one, 1.0) for one in range(5)] + [
        (10 + one, shop, 50 + one, 30 + one, 1.0) for one in range(5)
    ]
    assert custodians(transfers(*left, *bought), 4).tolist() == [keeper]
    assert custodians(transfers(*left, *bought), 5).tolist() == []


@pytest.mark.parametrize(
    "honest",
    [
        pytest.param(way(A, B, A), id="sold back once at the price paid, as a refund"),
        pytest.param(transfers((0, A, B, 0, 1.0), (0, B, A, DAY, 0.0)), id="refunded on another way"),
        pytest.param(way(A, B, A, B, A, step=31 * DAY), id="sold back after more than the window, again and again"),
        pytest.param(way(A, B, A, C, A, B, A, price=0.0), id="lent in a family"),
        pytest.param(
            transfers((0, A, D, 0, 1.0), (0, D, B, DAY, 1.3), (0, B, D, 3 * DAY, 1.0), (0, D, C, 5 * DAY, 1.4)),
            id="a dealer who buys back",
        ),
    ],
)
def test_honest_trade_is_no_wash_trade(honest: Transfers) -> None:
    assert verdict(honest) == []


def test_a_return_at_the_price_paid_speaks_no_louder_than_another() -> None:
    scores = [find_rings(transfers((0, A, B, 0, 1.0), (0, B, A, DAY, price)), Settings()).score for price in (1.0, 2.0)]
    assert scores[0].max() == scores[1].max() == 0.35


def test_a_ring_that_goes_round_again_is_one_case_with_all_its_transfers() -> None:
    cases = verdict(way(A, B, C, A, B, C))
    assert cases[-1] == [0, 1, 2, 3, 4]
    assert verdict(way(A, B, C, A)) == [], "once round at one price is not enough by itself"


def money(*rows: tuple[int, int, int]) -> Money:
    """Rows of payer, payee and microseconds."""
    return Money(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def funding(paid: Money, *hubs: int) -> Funding:
    marks = np.zeros(100, dtype=np.bool_)
    marks[list(hubs)] = True
    return Funding(paid, marks)


def test_a_way_among_wallets_of_one_funder_is_a_wash_trade_and_among_those_of_an_exchange_is_none() -> None:
    moved = way(A, B, C, A)
    paid = money((50, A, -3), (50, B, -2), (50, C, -1))
    assert verdict(moved, funding(paid)) == [[0, 1, 2]]
    assert verdict(moved, funding(paid, 50)) == []
    # Hubs are also told by what they have funded by then.
    crowd = money(*((50, wallet, -90 + wallet) for wallet in range(60) if wallet != 50))
    assert verdict(moved, funding(crowd)) == []


def test_funders_are_those_before_the_sale() -> None:
    moved, settings = way(A, B, step=DAY), Settings()
    for at, fires in ((0, True), (1, False)):
        paid = money((50, A, -1), (50, B, at))
        links = first_funders(paid, 100)
        found = common_funders(moved, paid, links, settings.hub, np.zeros(100, dtype=np.bool_))
        assert len(found) == fires
        assert not fires or found.pays(0).tolist() == [0, 1]
    direct = money((60, A, -5), (A, B, -1))
    found = common_funders(moved, direct, first_funders(direct, 100), settings.hub, np.zeros(100, dtype=np.bool_))
    assert found.pays(0).tolist() == [1], "A funded B"


def test_an_exit_is_common_when_both_have_paid_within_the_window() -> None:
    moved, none = way(A, B), np.zeros(100, dtype=np.bool_)
    found = common_exits(moved, money((A, 70, 5), (B, 70, WINDOW)), WINDOW, 25, none)
    assert (found.at.tolist(), found.pays(0).tolist()) == ([WINDOW], [0, 1])
    assert len(common_exits(moved, money((A, 70, 5), (B, 70, WINDOW + 1)), WINDOW, 25, none)) == 0
    assert len(common_exits(moved, money((A, 70, -5), (B, 70, 6)), WINDOW, 25, none)) == 0, "before the sale"
    back = common_exits(moved, money((A, B, 9)), WINDOW, 25, none)
    assert (back.at.tolist(), back.pays(0).tolist()) == ([9], [0]), "the seller pays the buyer back"
    hub = none.copy()
    hub[70] = True
    assert len(common_exits(moved, money((A, 70, 5), (B, 70, 6)), WINDOW, 25, hub)) == 0


def test_a_sale_with_common_funder_and_common_exit_is_a_wash_trade_though_nothing_came_back() -> None:
    paid = money((50, A, -2), (50, B, -1), (A, 70, 5), (B, 70, 6))
    assert verdict(way(A, B), funding(paid)) == [[0]]


def test_a_pair_that_buys_from_each_other_what_it_sells_matches_over_all_its_tokens() -> None:
    rows = [(0, A, B, 0, 1.0), (1, B, A, 1, 2.0), (2, A, B, 2, 1.0), (3, B, A, 3, 0.01)]
    assert fired(transfers(*rows), Definition.VOLUME_MATCH) == [[0, 1, 2, 3]]
    rows[3] = (3, B, A, 3, 0.05)
    assert fired(transfers(*rows), Definition.VOLUME_MATCH) == []
    assert fired(transfers(*rows[:3]), Definition.VOLUME_MATCH) == [], "three sales are too few"
    late = [(token, giver, taker, at + (token > 1) * WINDOW, 1.0) for token, giver, taker, at, _ in rows]
    assert fired(transfers(*late), Definition.VOLUME_MATCH) == [], "and so are three of four within the window"


def test_the_size_of_a_hub_is_where_the_data_show_a_gap() -> None:
    assert hub_size(np.array([1] * 800 + [2, 3, 12, 14, 90, 140])) == 14
    assert hub_size(np.array([1, 2, 3, 11, 12, 14])) == USUAL_HUB
    assert hub_size(np.zeros(0, dtype=np.int64)) == USUAL_HUB


def test_donors_of_a_public_round_share_funders_mostly_because_exchanges_fund_them() -> None:
    import pyarrow.parquet as pq

    path = shared_data("gitcoin_donor_scores_gg22") / "gg22_donors_scored.parquet"
    column = pq.read_table(path, columns=["ethereum_activity_first_funder"]).column(0).drop_null()
    funders = column.dictionary_encode().combine_chunks()
    funder = funders.indices.to_numpy().astype(np.int64) + len(column)
    paid = Money(funder, np.arange(len(column)), np.arange(len(column)))
    funded = funded_wallets(first_funders(paid, len(column) + len(funders.dictionary)))
    hub = hub_size(funded[funded > 0])
    hubs = {funders.dictionary[int(one) - len(column)].as_py() for one in np.flatnonzero(funded > hub)}
    binance = {"0x28c6c06298d514db089934071355e5743bf21d60", "0x21a31ee1afc51d94c2efccaa2092ad1028285549"}
    assert hub == 22
    assert binance <= hubs
    shares = funded[funder] > 1
    assert shares.mean() == pytest.approx(0.68, abs=0.01)
    assert (shares & (funded[funder] <= hub)).mean() == pytest.approx(0.18, abs=0.01)


def test_settings_come_back_from_json() -> None:
    changed = Settings(hub=7, threshold=0.9)
    assert from_json(as_json(changed)) == changed


@st.composite
def markets(draw: st.DrawFn) -> Transfers:
    """Few wallets and tokens, so that much comes back; some hops unpaid, some from nobody, some without a record between."""
    count = draw(st.integers(0, 40))
    rows: list[Row] = []
    owner: dict[int, int] = {}
    at = 0
    for _ in range(count):
        token = draw(st.integers(0, 2))
        broken = draw(st.integers(0, 9)) == 0
        giver = draw(st.integers(NOBODY, 5)) if broken else owner.get(token, NOBODY)
        taker = draw(st.integers(NOBODY, 5))
        at += draw(st.sampled_from([0, 1, DAY // 2, DAY, 10 * DAY, WINDOW]))
        rows.append((token, giver, taker, at, draw(st.sampled_from([0.0, 1.0, 1.05, 2.0]))))
        owner[token] = taker
    return transfers(*rows)


def slow_trips(moved: Transfers, longest: int) -> set[tuple[int, ...]]:
    """Each transfer followed back, hop by hop."""
    rows = list(zip(moved.token.tolist(), moved.giver.tolist(), moved.taker.tolist(), moved.at.tolist(), strict=True))
    found = set()
    for last, (token, _, taker, at) in enumerate(rows):
        trip = [last]
        while True:
            _, giver, _, began = rows[trip[0]]
            if giver < 0 or taker < 0 or at - began > WINDOW or len(trip) > longest:
                break
            if giver == taker:
                if any(moved.price[row] > 0 for row in trip):
                    found.add(tuple(trip))
                break
            before = [row for row in range(trip[0]) if rows[row][0] == token and rows[row][2] == giver]
            if not before:
                break
            trip.insert(0, before[-1])
    return found


def slow_components(moved: Transfers, days: int) -> set[tuple[int, ...]]:
    """For each token and day: transfers between wallets that can reach each other, by walking."""
    found = set()
    day = moved.at // DAY
    for token, today in {(int(token), int(one)) for token, one in zip(moved.token, day, strict=True)}:
        rows = np.flatnonzero((moved.token == token) & (day > today - days) & (day <= today))
        rows = [int(row) for row in rows if min(moved.giver[row], moved.taker[row]) >= 0]
        ways = defaultdict(set)
        for row in rows:
            ways[int(moved.giver[row])].add(int(moved.taker[row]))

        def reached(start: int, ways: dict[int, set[int]] = ways) -> set[int]:
            seen: set[int] = set()
            waiting = [start]
            while waiting:
                for one in ways[waiting.pop()] - seen:
                    seen.add(one)
                    waiting.append(one)
            return seen

        wallets = {one for row in rows for one in (int(moved.giver[row]), int(moved.taker[row]))}
        groups = {frozenset(other for other in reached(one) if one in reached(other)) for one in wallets}
        for group in groups:
            own = [row for row in rows if {int(moved.giver[row]), int(moved.taker[row])} <= group]
            own = [row for row in own if moved.giver[row] != moved.taker[row]]
            if any(day[row] == today for row in own) and any(moved.price[row] > 0 for row in own):
                found.add(tuple(own))
    return found


@settings(max_examples=150, deadline=None)
@given(markets())
def test_trips_and_components_are_those_of_a_plain_slow_search(moved: Transfers) -> None:
    found = search(moved, Settings())
    trips = {
        tuple(one)
        for definition in (Definition.SELF_TRADE, Definition.RETURN_TRIP, Definition.CLOSED_CYCLE)
        for one in proofs(found, definition)
    }
    assert trips == slow_trips(moved, 6)
    assert {tuple(one) for one in proofs(found, Definition.STRONG_COMPONENT)} == slow_components(moved, 30)


@settings(max_examples=60, deadline=None)
@given(markets(), st.integers(0, 60))
def test_what_is_flagged_up_to_a_day_does_not_depend_on_what_comes_after(moved: Transfers, day: int) -> None:
    until = int(np.searchsorted(moved.at, (day + 1) * DAY))
    whole, part = find_rings(moved, Settings()), find_rings(moved.take(np.arange(until)), Settings())

    def said(judged: object) -> list[object]:
        flags = judged.flags  # type: ignore[attr-defined]
        rows = zip(flags.definition.tolist(), flags.at.tolist(), judged.score.tolist(), strict=True)  # type: ignore[attr-defined]
        return [(*row, flags.proves(place).tolist()) for place, row in enumerate(rows) if row[1] < (day + 1) * DAY]

    assert said(whole) == said(part)


def test_planted_rings_are_found_among_honest_people_who_look_like_them() -> None:
    world = ring_world(60_000, 8_000, 5)
    funded = funded_wallets(first_funders(world.money, world.addresses))
    hub = hub_size(funded[funded > 0])
    judged = find_rings(world.transfers, Settings(hub=hub), Funding(world.money, funded > hub))
    truth = world.ring >= 0
    assert set(world.hubs) <= set(np.flatnonzero(funded > hub))
    called = named(world, judged, Definition.COMBINED)
    assert (called & truth).sum() / truth.sum() >= 0.99
    assert (called & truth).sum() / called.sum() >= 0.95
    # The world cannot be told by any single definition that finds most.
    for definition in (Definition.RETURN_TRIP, Definition.CLOSED_CYCLE, Definition.THREE_BUYS, Definition.STRONG_COMPONENT):
        alone = named(world, judged, definition)
        hits = (alone & truth).sum()
        assert hits / truth.sum() < 0.95 or hits / alone.sum() < 0.5, definition.name
