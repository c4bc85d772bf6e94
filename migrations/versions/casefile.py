"""The case file: slips and their templates, urgings, how a matter is handled, and defaults of a village."""

from typing import Any

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

revision = "casefile"
down_revision = "joins"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _slips()
    township_table(
        "slip_templates",
        _township(),
        Column("sort", String(20), nullable=False),
        Column("revision", Integer, nullable=False),
        Column("text", String(8000), nullable=False),
        Column("actor", String(60), nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        _key("slip_templates", "sort", "revision"),
    )
    _urgings()
    township_table(
        "case_plans",
        _township(),
        Column("record_id", ID, nullable=False),
        Column("lead", String(50), nullable=False),
        Column("team", String(500), nullable=False),
        Column("plan", String(2000), nullable=False),
        Column("set_by", ID, nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        _key("case_plans", "record_id"),
        _of_record("case_plans"),
    )
    township_table(
        "village_defaults",
        _township(),
        Column("village", String(12), nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("set_by", ID, nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        _key("village_defaults", "village"),
    )


def downgrade() -> None:
    for table in ("village_defaults", "case_plans", "urgings", "slip_templates", "slips"):
        op.drop_table(table)


def _slips() -> None:
    township_table(
        "slips",
        _township(),
        Column("slip_id", ID, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("sort", String(20), nullable=False),
        Column("year", Integer, nullable=False),
        Column("serial", Integer, nullable=False),
        Column("body", LargeBinary),
        Column("made_by", ID, nullable=False),
        Column("made_ms", BigInteger, nullable=False),
        _key("slips", "slip_id"),
        _of_record("slips"),
        Index("ix_slips_record", "township_id", "record_id"),
        Index("uq_slips_number", "township_id", "sort", "year", "serial", unique=True),
    )


def _urgings() -> None:
    township_table(
        "urgings",
        _township(),
        Column("urging_id", ID, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("sort", String(10), nullable=False),
        Column("words", String(2000), nullable=False),
        Column("made_by", ID, nullable=False),
        Column("made_ms", BigInteger, nullable=False),
        Column("answered_by", ID),
        Column("answered_ms", BigInteger),
        Column("answer", String(2000)),
        _key("urgings", "urging_id"),
        _of_record("urgings"),
        Index("ix_urgings_record", "township_id", "record_id"),
        Index("ix_urgings_answered", "township_id", "answered_ms", "made_ms"),
    )


def _township() -> Column[Any]:
    return Column("township_id", String(9), nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")


def _of_record(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["township_id", "record_id"], ["records.township_id", "records.record_id"], name=f"fk_{table}_records"
    )
