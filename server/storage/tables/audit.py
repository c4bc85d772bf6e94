"""The audit (docs/audit.md). What concerns no township has a chain of its own, so none refers to `townships`."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from server.storage.tables.base import Millis, key, metadata, township

audit_entries = Table(
    "audit_entries",
    metadata,
    township(),
    Column("n", BigInteger, nullable=False),  # of the chain: from 1, without gaps
    Column("at_ms", Millis, nullable=False),
    Column("act", String(40), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("detail", LargeBinary),  # both are absent once they were erased
    Column("salt", LargeBinary),
    Column("commitment", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    key("audit_entries", "n"),
)

audit_heads = Table(  # where each chain ends; its row is the lock of whoever appends
    "audit_heads",
    metadata,
    township(),
    Column("n", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    key("audit_heads"),
)
