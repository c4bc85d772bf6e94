"""The audit: one hash-chained row for each act that somebody may be asked about, and where each chain ends."""

from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, String

from migrations.tables import township_table

revision = "audit_log"
down_revision = "0001"


def upgrade() -> None:
    township_table(
        "audit_entries",
        Column("township_id", String(9), nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("act", String(40), nullable=False),
        Column("actor", String(60), nullable=False),
        Column("detail", LargeBinary),
        Column("salt", LargeBinary),
        Column("commitment", String(64), nullable=False),
        Column("previous", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
        PrimaryKeyConstraint("township_id", "n", name="pk_audit_entries"),
    )
    township_table(
        "audit_heads",
        Column("township_id", String(9), nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("hash", String(64), nullable=False),
        PrimaryKeyConstraint("township_id", name="pk_audit_heads"),
    )
