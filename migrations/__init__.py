"""The schema's history: one Alembic chain for SQLite, PostgreSQL and PostgreSQL with Citus.

    migrations.run      upgrade, current, head
    migrations.tables   how a revision makes township and reference tables on each of the three
    versions/           the revisions, named by number

A revision only expands (rule M1 of docs/architecture.md, "Storage"): new tables, new columns that are empty
or have a default, new indexes. A server accepts a schema newer than itself, so that old and new servers run
side by side while one is upgraded. To add one, copy the newest file, give it the next number, write the
statements out (never from server.storage.tables, which moves on), and run tests/server/test_migrations.py:
it compares the chain with the metadata on both databases.
"""
