"""Bollinger bands on streams of values: is a value far from what its stream was lately?

Here belong the bands, the state that carries them from night to night, and how their length and width are chosen. What the
streams are, and what is done about an anomaly, belongs to a domain.
"""
