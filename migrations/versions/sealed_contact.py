"""Keys of townships, wrapped by the master key: what is of contact class lies sealed under them (docs/keys.md)."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
)

from migrations.tables import township_table

revision = "sealed_contact"
down_revision = "people"


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


def downgrade() -> None:
    op.drop_table("township_keys")
