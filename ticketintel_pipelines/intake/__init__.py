"""Intake of raw files: found, read whatever their format, checked against the contract, landed in the lake by day.

`files.py` finds them, `reading.py` opens each format, `casting.py` turns their cells into the declared types and finds the
first that is not, `importer.py` lands them, and `sentences.py` says what is wrong with one. What a row means, and whether it
is right, is judged later by `quality/`.
"""
