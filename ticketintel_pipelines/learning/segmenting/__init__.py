"""Segments: groups of alike rows that keep their meaning from one training to the next.

Here belong the scaling, the clusters and how many, their ids, their words, and what lies outside all of them. What a row is,
and which features describe it, belongs to a domain.
"""
