"""Measurements of performance claims: `python -m ticketintel_pipelines_tests.benchmarks.NAME`.

Each prints a table for people and, as its last line, one JSON object. A figure is a ratio of two things measured in the same
run, in turn, by median; machines are noisy, so an absolute time is never compared with yesterday's.
"""
