"""The ledger, made for lists, what follows the changes to keep it, and filters that people save."""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    text,
)
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "ledger"
down_revision = "deadlines"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
FILTERS = (
    "village",
    "place",
    "nature",
    "category",
    "service_category",
    "state",
    "urgency",
    "level",
    "source",
    "leader",
    "unit",
)


def upgrade() -> None:
    _followers()
    _ledger()
    _references()
    _views()


def downgrade() -> None:
    for table in ("ledger_views", "ledger_references", "ledger", "followers"):
        op.drop_table(table)


def _followers() -> None:
    township_table(
        "followers",
        _township(),
        Column("name", String(20), nullable=False),
        Column("reached", BigInteger, nullable=False),
        Column("edition", Integer, nullable=False),
        Column("renewed", String(36)),
        _key("followers", "name"),
    )


def _ledger() -> None:
    township_table(
        "ledger",
        _township(),
        Column("record_id", ID, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("number", _by_bytes(40), nullable=False),
        Column("village", String(12)),
        Column("place", String(15), nullable=False),
        Column("nature", String(40)),
        Column("category", String(40)),
        Column("service_category", String(40)),
        Column("state", String(41), nullable=False),
        Column("urgency", String(40)),
        Column("level", String(40)),
        Column("source", String(40)),
        Column("restricted", Boolean, nullable=False),
        Column("title", String(200), nullable=False),
        Column("leader", ID),
        Column("unit", String(100)),
        Column("reported_ms", BigInteger, nullable=False),
        Column("closed_ms", BigInteger),
        Column("due_ms", BigInteger),
        Column("longitude", Float),
        Column("latitude", Float),
        _key("ledger", "record_id"),
        _of_a_record("ledger"),
        Index("uq_ledger_number", "township_id", "number", unique=True),
        Index("ix_ledger_reported", "township_id", "reported_ms", "record_id", "title", "restricted"),
        _partial("due", "due_ms", "due_ms IS NOT NULL"),
        _partial("open", "reported_ms", "closed_ms IS NULL"),
        *(Index(f"ix_ledger_{name}", "township_id", name, "reported_ms", "record_id") for name in FILTERS),
    )


def _references() -> None:
    township_table(
        "ledger_references",
        _township(),
        Column("number", _by_bytes(100), nullable=False),
        Column("record_id", ID, nullable=False),
        _key("ledger_references", "number", "record_id"),
        _of_a_record("ledger_references"),
        Index("ix_ledger_references_record", "township_id", "record_id"),
    )


def _views() -> None:
    township_table(
        "ledger_views",
        _township(),
        Column("staff_id", ID, nullable=False),
        Column("name", String(60), nullable=False),
        Column("filter", LargeBinary, nullable=False),
        Column("saved_ms", BigInteger, nullable=False),
        _key("ledger_views", "staff_id", "name"),
        ForeignKeyConstraint(
            ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_ledger_views_staff"
        ),
    )


def _by_bytes(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _of_a_record(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["township_id", "record_id"],
        ["records.township_id", "records.record_id"],
        name=f"fk_{table}_records",
    )


def _partial(name: str, column: str, where: str) -> Index:
    return Index(
        f"ix_ledger_{name}",
        "township_id",
        column,
        "record_id",
        postgresql_where=text(where),
        sqlite_where=text(where),
    )


def _township() -> Column[Any]:
    return Column("township_id", String(9), nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")
