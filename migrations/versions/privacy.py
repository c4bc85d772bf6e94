"""What is kept for how long: erasures, legal holds, and other lengths than the kinds declare (docs/privacy.md)."""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    text,
)
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "privacy"
down_revision = "device_keys"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.add_column("records", Column("erased", Boolean))
    op.add_column("townships", Column("swept_ms", BigInteger))
    _erasures()
    _holds()
    township_table(
        "retention_rules",
        _township(),
        Column("kind", String(41), nullable=False),
        Column("days", Integer),
        Column("reason", String(500), nullable=False),
        Column("actor", String(60), nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        _key("retention_rules", "kind"),
    )


def downgrade() -> None:
    for table in ("retention_rules", "holds", "erasures"):
        op.drop_table(table)
    op.drop_column("townships", "swept_ms")
    op.drop_column("records", "erased")


def _erasures() -> None:
    township_table(
        "erasures",
        _township(),
        Column("record_id", ID, nullable=False),
        Column("kind", String(41), nullable=False),
        Column("number", String(40)),
        Column("cause", String(10), nullable=False),
        Column("reason", String(500), nullable=False),
        Column("actor", String(60), nullable=False),
        Column("erased_ms", BigInteger, nullable=False),
        Column("listed", Boolean, nullable=False),
        _key("erasures", "record_id"),
        Index(
            "ix_erasures_unlisted",
            "township_id",
            postgresql_where=text("NOT listed"),
            sqlite_where=text("NOT listed"),
        ),
    )


def _holds() -> None:
    township_table(
        "holds",
        _township(),
        Column("hold_id", ID, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("reason", String(500), nullable=False),
        Column("actor", String(60), nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        Column("lifted_ms", BigInteger),
        Column("lifted_by", String(60)),
        Column("lifted_reason", String(500)),
        _key("holds", "hold_id"),
        Index(
            "uq_holds_record",
            "township_id",
            "record_id",
            unique=True,
            postgresql_where=text("lifted_ms IS NULL"),
            sqlite_where=text("lifted_ms IS NULL"),
        ),
    )


def _township() -> Column[Any]:
    return Column("township_id", String(9), nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")
