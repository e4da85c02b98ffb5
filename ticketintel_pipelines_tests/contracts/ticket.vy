# pragma version ~=0.4.3
"""
@notice A ticket as a token: the part of ERC-721 that leaves logs. The market mints and moves what it sells, a holder gives away.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    token_id: indexed(uint256)

market: public(immutable(address))
ownerOf: public(HashMap[uint256, address])


@deploy
def __init__(market_: address):
    market = market_


@external
def mint(receiver: address, token_id: uint256):
    assert msg.sender == market, "only the market mints"
    assert receiver != empty(address), "a ticket needs a holder"
    assert self.ownerOf[token_id] == empty(address), "this ticket was minted before"
    self.ownerOf[token_id] = receiver
    log Transfer(sender=empty(address), receiver=receiver, token_id=token_id)


@external
def transferFrom(sender: address, receiver: address, token_id: uint256):
    assert msg.sender == sender or msg.sender == market, "only the holder and the market move a ticket"
    assert self.ownerOf[token_id] == sender, "the sender does not hold this ticket"
    assert receiver != empty(address), "a ticket needs a holder"
    self.ownerOf[token_id] = receiver
    log Transfer(sender=sender, receiver=receiver, token_id=token_id)
