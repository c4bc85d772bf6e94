"""Deadlines: a township's rules, what is reckoned from them, what was told, what people wrote (docs/deadlines.md)."""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

revision = "deadlines"
down_revision = "taken_on"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _rules()
    _passes()
    _deadlines()
    _events()
    _entries()


def downgrade() -> None:
    for table in ("deadline_entries", "deadline_events", "deadlines", "deadline_passes", "deadline_rules"):
        op.drop_table(table)


def _rules() -> None:
    township_table(
        "deadline_rules",
        _township(),
        Column("revision", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("actor", String(60), nullable=False),
        Column("installed_ms", BigInteger, nullable=False),
        _key("deadline_rules", "revision"),
    )


def _passes() -> None:
    township_table(
        "deadline_passes",
        _township(),
        Column("reached", BigInteger, nullable=False),
        Column("edition", Integer, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("since_ms", BigInteger, nullable=False),
        Column("renewed", String(36)),
        Column("told", BigInteger, nullable=False),
        _key("deadline_passes"),
    )


def _deadlines() -> None:
    township_table(
        "deadlines",
        _township(),
        Column("record_id", ID, nullable=False),
        Column("rule", String(40), nullable=False),
        Column("started_n", BigInteger, nullable=False),
        Column("started_ms", BigInteger, nullable=False),
        Column("due_ms", BigInteger, nullable=False),
        Column("status", String(8), nullable=False),
        Column("ended_ms", BigInteger),
        Column("uncertain", Boolean, nullable=False),
        Column("warning_ms", BigInteger),
        Column("explanation_ms", BigInteger),
        Column("escalation_ms", BigInteger),
        Column("next_ms", BigInteger),
        _key("deadlines", "record_id", "rule", "started_n"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_deadlines_records",
        ),
        Index(
            "ix_deadlines_running",
            "township_id",
            "due_ms",
            postgresql_where=text("status = 'running'"),
            sqlite_where=text("status = 'running'"),
        ),
        Index(
            "ix_deadlines_next",
            "township_id",
            "next_ms",
            postgresql_where=text("next_ms IS NOT NULL"),
            sqlite_where=text("next_ms IS NOT NULL"),
        ),
    )


def _events() -> None:
    township_table(
        "deadline_events",
        _township(),
        Column("n", BigInteger, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("rule", String(40), nullable=False),
        Column("started_n", BigInteger, nullable=False),
        Column("sort", String(11), nullable=False),
        Column("due_ms", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("written_ms", BigInteger, nullable=False),
        Column("role", String(20)),
        Column("measures", String(60)),
        _key("deadline_events", "n"),
        Index(
            "uq_deadline_events",
            "township_id",
            "record_id",
            "rule",
            "started_n",
            "sort",
            "due_ms",
            unique=True,
        ),
    )


def _entries() -> None:
    township_table(
        "deadline_entries",
        _township(),
        Column("entry_id", ID, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("rule", String(40), nullable=False),
        Column("started_n", BigInteger, nullable=False),
        Column("sort", String(11), nullable=False),
        Column("words", String(2000), nullable=False),
        Column("author", ID, nullable=False),
        Column("written_ms", BigInteger, nullable=False),
        Column("unit", String(12)),
        Column("amount", Integer),
        Column("approved", Boolean),
        Column("decided_by", ID),
        Column("decided_ms", BigInteger),
        Column("decided_words", String(2000)),
        _key("deadline_entries", "entry_id"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_deadline_entries_records",
        ),
        Index("ix_deadline_entries_record", "township_id", "record_id"),
    )


def _township() -> Column[Any]:
    return Column("township_id", String(9), nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")
