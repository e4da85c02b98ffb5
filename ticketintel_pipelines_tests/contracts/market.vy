# pragma version ~=0.4.3
"""
@notice The platform's market: the platform settles in it what was paid elsewhere. A first sale mints, a resale moves.
"""

interface Ticket:
    def mint(receiver: address, token_id: uint256): nonpayable
    def transferFrom(sender: address, receiver: address, token_id: uint256): nonpayable

event TicketSold:
    ticket: indexed(address)
    token_id: indexed(uint256)
    buyer: indexed(address)
    seller: address
    price_wei: uint256

MOST_TICKETS: constant(uint256) = 64

platform: public(immutable(address))


@deploy
def __init__():
    platform = msg.sender


@external
def issue(ticket: address, token_ids: DynArray[uint256, MOST_TICKETS], receiver: address):
    """
    @notice Tickets that nobody pays for.
    """
    assert msg.sender == platform, "only the platform issues"
    for token_id: uint256 in token_ids:
        extcall Ticket(ticket).mint(receiver, token_id)


@external
def sell(ticket: address, token_ids: DynArray[uint256, MOST_TICKETS], buyer: address, price_wei: uint256):
    """
    @param price_wei The price of each.
    """
    assert msg.sender == platform, "only the platform sells"
    for token_id: uint256 in token_ids:
        extcall Ticket(ticket).mint(buyer, token_id)
        log TicketSold(ticket=ticket, token_id=token_id, buyer=buyer, seller=empty(address), price_wei=price_wei)


@external
def resell(ticket: address, token_id: uint256, seller: address, buyer: address, price_wei: uint256):
    assert msg.sender == platform, "only the platform settles a resale"
    extcall Ticket(ticket).transferFrom(seller, buyer, token_id)
    log TicketSold(ticket=ticket, token_id=token_id, buyer=buyer, seller=seller, price_wei=price_wei)
