"""How far what is made from the changes of a township has come (server/following.py)."""

from sqlalchemy import Column, Integer, String, Table

from server.storage.tables.base import Number, key, metadata, township

followers = Table(  # its row is the lock of whoever writes what a follower makes
    "followers",
    metadata,
    township(),
    Column("name", String(20), nullable=False),
    Column("reached", Number, nullable=False),  # the newest change that was looked at
    Column("edition", Integer, nullable=False),  # by which all records were made, or are being made
    Column("renewed", String(36)),  # the last record that this edition was applied to; none: to all
    key("followers", "name"),
)
