"""Who owned a token before each of its movements."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.chain.events import ZERO_ADDRESS as ZERO
from ticketintel_pipelines.ticketing.ownership import sound_moves

A, B, C, D = ("0x" + letter * 40 for letter in "abcd")


@pytest.mark.parametrize(
    ("moves", "owner", "sound"),
    [
        pytest.param([], None, [], id="no movement"),
        pytest.param([(ZERO, A), (A, B), (B, ZERO)], None, [True, True, True], id="mint, sale and burn"),
        pytest.param([(A, B), (B, C)], A, [True, True], id="the known owner gives"),
        pytest.param([(B, C)], A, [False], id="somebody else gives"),
        pytest.param([(B, C), (A, D)], A, [False, True], id="an unsound movement does not change the owner"),
        pytest.param([(A, B), (B, C)], None, [True, True], id="an unknown first sender is believed"),
        pytest.param([(A, B), (A, C)], None, [True, False], id="but may give once only"),
        pytest.param([(A, B), (ZERO, A), (A, C)], None, [False, True, True], id="nobody owns a token before its mint"),
        pytest.param([(A, B), (C, D), (ZERO, A)], None, [False, False, True], id="however many claim to"),
        pytest.param([(ZERO, A), (ZERO, B)], None, [True, False], id="a token is minted once"),
        pytest.param([(ZERO, A)], B, [False], id="a token that is owned is not minted"),
        pytest.param([(ZERO, A), (A, ZERO), (A, B)], None, [True, True, False], id="nobody gives a burnt token"),
        pytest.param([(ZERO, A), (A, ZERO), (ZERO, B)], None, [True, True, True], id="a burnt token may return"),
        pytest.param([(A, B), (B, ZERO), (ZERO, C)], None, [True, True, True], id="a return is no first mint"),
        pytest.param([(ZERO, A)], ZERO, [True], id="nor is that of a token burnt on an earlier day"),
        pytest.param([(A, A), (A, B)], A, [True, True], id="giving to oneself keeps the token"),
    ],
)
def test_a_movement_is_sound_if_its_sender_owned_the_token(moves, owner, sound) -> None:
    assert sound_moves(moves, owner) == sound


wallets = st.sampled_from([ZERO, A, B, C])
chains = st.lists(st.tuples(wallets, wallets), max_size=12)


@given(moves=chains, owner=st.none() | wallets)
def test_sound_movements_form_one_chain_of_owners(moves, owner) -> None:
    kept = [move for move, sound in zip(moves, sound_moves(moves, owner), strict=True) if sound]
    if owner is not None and kept:
        assert kept[0][0] == owner
    assert all(receiver == sender for (_, receiver), (sender, _) in itertools.pairwise(kept))


@given(moves=chains, owner=st.none() | wallets)
def test_what_is_sound_stays_sound_without_the_rest(moves, owner) -> None:
    kept = [move for move, sound in zip(moves, sound_moves(moves, owner), strict=True) if sound]
    assert sound_moves(kept, owner) == [True] * len(kept)


@given(moves=chains, cut=st.integers(0, 12), owner=wallets)
def test_days_worked_out_one_by_one_give_the_same_as_all_at_once(moves, cut, owner) -> None:
    first = sound_moves(moves[:cut], owner)
    kept = [move for move, sound in zip(moves[:cut], first, strict=True) if sound]
    between = kept[-1][1] if kept else owner
    assert sound_moves(moves, owner) == first + sound_moves(moves[cut:], between)


@given(receivers=st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=8))
def test_an_unbroken_chain_from_the_mint_is_sound(receivers) -> None:
    owners = [ZERO, *receivers]
    moves = list(itertools.pairwise(owners))
    assert all(sound_moves(moves, None))
