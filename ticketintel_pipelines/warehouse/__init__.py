"""Postgres, which serves: the embedded server, sessions, migrations, publishing, views and roles.

`server.py` gives a server and sessions on it, `migrations.py` and `schema_check.py` keep the tables as declared, `prepare.py`
does both at the start. `catalog.py` remembers what was landed and published, `publish.py` makes validated rows visible with
`loading.py`, `lookups.py` finds published rows by key, `views.py` refreshes what analysts read, `roles.py` says who may read
what. No module here knows a domain; they take its declaration.
"""
