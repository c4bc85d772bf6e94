"""Keys of townships, under which contact lies sealed, and keyed hashes of telephone numbers (docs/keys.md)."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
)
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "sealed_contact"
down_revision = "people"


ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    township_table(
        "township_keys",
        Column("township_id", String(9), nullable=False),
        Column("purpose", String(20), nullable=False),
        Column("number", Integer, nullable=False),
        Column("master_id", String(16), nullable=False),
        Column("wrapped", LargeBinary, nullable=False),
        Column("made_ms", BigInteger, nullable=False),
        Column("retired_ms", BigInteger),
        PrimaryKeyConstraint("township_id", "purpose", "number", name="pk_township_keys"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_township_keys_townships"),
    )

    township_table(
        "telephones",
        Column("township_id", String(9), nullable=False),
        Column("telephone_hash", String(64), nullable=False),
        Column("record_id", ID, nullable=False),
        PrimaryKeyConstraint("township_id", "telephone_hash", "record_id", name="pk_telephones"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_telephones_records",
        ),
        Index("ix_telephones_record", "township_id", "record_id"),
    )
    _widen(200)


def downgrade() -> None:
    op.drop_table("telephones")
    op.drop_table("township_keys")


def _widen(length: int) -> None:
    """Makes room for secrets of the second factor as they are sealed."""
    for table, optional in (("credentials", True), ("links", False)):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                "totp_secret", type_=String(length), existing_type=String(64), existing_nullable=optional
            )
