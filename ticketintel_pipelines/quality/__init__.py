"""Rules carried out: rows split into published and quarantined, and the same rules as Great Expectations suites.

`predicates.py` turns a declared rule into SQL, `validation.py` judges the rows of some days with it, `expectations.py` asks
Great Expectations the same questions, `verdict.py` holds what came out. The rules themselves are declared with their tables.
"""
