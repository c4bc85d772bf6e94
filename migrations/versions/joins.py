"""Joined records: which record one was joined into; pairs that may be the same matter.

Revision ID: joins
Revises: ledger
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, text
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "joins"
down_revision = "ledger"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    for name, column in (("ix_records_joined", "joined_into"), ("ix_records_parent", "parent_id")):
        op.add_column("records", Column(column, ID))
        there = text(f"{column} IS NOT NULL")
        op.create_index(name, "records", ["township_id", column], postgresql_where=there, sqlite_where=there)
    township_table(
        "duplicate_pairs",
        Column("township_id", String(9), nullable=False),
        Column("pair_id", ID, nullable=False),
        Column("one_id", ID, nullable=False),
        Column("other_id", ID, nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("score", Integer, nullable=False),
        Column("reasons", LargeBinary, nullable=False),
        Column("status", String(10), nullable=False),
        Column("found_ms", BigInteger, nullable=False),
        Column("decided_ms", BigInteger),
        Column("decided_by", ID),
        Column("reason", String(500)),
        PrimaryKeyConstraint("township_id", "pair_id", name="pk_duplicate_pairs"),
        Index("ix_duplicate_pairs_status", "township_id", "status", "n"),
        Index("ix_duplicate_pairs_one", "township_id", "one_id"),
        Index("ix_duplicate_pairs_other", "township_id", "other_id"),
    )


def downgrade() -> None:
    op.drop_table("duplicate_pairs")
    for name, column in (("ix_records_parent", "parent_id"), ("ix_records_joined", "joined_into")):
        op.drop_index(name, "records")
        op.drop_column("records", column)
