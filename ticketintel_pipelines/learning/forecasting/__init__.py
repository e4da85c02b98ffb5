"""Forecasts of daily counts, many series at once: the calendar, the models and how they are judged.

Here belongs what is true of any counts by day; what is counted, and what limits it, belongs to a domain.
"""
