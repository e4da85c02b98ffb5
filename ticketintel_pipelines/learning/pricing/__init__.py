"""Prices: what something that is sold again and again should cost, and between which bounds, from what was paid before.

Here belong the regressions and how they are judged; which sales there are, and what is known of them, belongs to a domain.
"""
