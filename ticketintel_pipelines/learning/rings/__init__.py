"""Trades without a change of owner: tokens that come back, groups that deal among themselves, money of one source.

`paths` says how a token came to whoever gives it on; `cycles`, `groups`, `repeats` and `volume` are the definitions on what
tokens do, `funding` those on what money does; `verdict` combines them. `search` runs them all. Wallets and tokens are numbers
here; who they are is the caller's business.
"""
