"""Postgres, which serves: the embedded server, connections, migrations, publishing, views and roles.

`server.py` gives a server, `connection.py` sessions on it, `migrations.py` and `schema_check.py` keep the tables as declared,
`catalog.py` remembers what was landed and published, `publish.py` makes validated rows visible, `views.py` refreshes what
analysts read, `roles.py` says who may read what. No module here knows a domain; they take its declaration.
"""
