"""People sign in, tokens expire, matters are restricted and assigned: docs/access.md.

The restricted matters that there are already are found here once, by what their values say.
"""

import json
from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    text,
)
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "people"
down_revision = "audit_log"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
SMALL = JSON().with_variant(postgresql.JSONB(), "postgresql")
_SAYS_SO = b'"restricted":true'
_READ = (
    "SELECT township_id, record_id, body, place, deleted, closed, digest_high, digest_low FROM records WHERE "
)
_MARK = text("UPDATE records SET restricted = true WHERE township_id = :township AND record_id = :record")
_UNCOUNT = text(
    "UPDATE holdings SET held = held - 1, digest_high = digest_high - :high, digest_low = digest_low - :low "
    "WHERE township_id = :township AND grid = :grid"
)


def upgrade() -> None:
    op.add_column("staff", Column("village", String(12)))
    op.add_column("staff", Column("unit", String(100)))
    op.add_column("staff", Column("sees_restricted", Boolean))
    op.add_column("applications", Column("expires_ms", BigInteger))
    op.add_column("records", Column("restricted", Boolean))
    _mark_restricted()
    _sign_in()
    _links_and_attempts()
    _assignments()


def downgrade() -> None:
    for table in ("assignments", "attempts", "links", "sessions", "credentials"):
        op.drop_table(table)
    for table, column in (
        ("records", "restricted"),
        ("applications", "expires_ms"),
        ("staff", "sees_restricted"),
        ("staff", "unit"),
        ("staff", "village"),
    ):
        op.drop_column(table, column)


def _mark_restricted() -> None:
    connection = op.get_bind()
    on_sqlite = connection.dialect.name == "sqlite"
    says_so = "instr(body, :words) > 0" if on_sqlite else "position(:words IN body) > 0"
    found = connection.execute(text(_READ + says_so), {"words": _SAYS_SO})
    for row in found.all():
        if json.loads(bytes(row.body)).get("restricted") is True:
            connection.execute(_MARK, {"township": row.township_id, "record": row.record_id})
            if not (row.deleted or row.closed):
                # Devices notice by the digest of their grid, read it again, and the matter is gone.
                halves = {"high": row.digest_high, "low": row.digest_low}
                connection.execute(_UNCOUNT, {"township": row.township_id, "grid": row.place, **halves})


def _sign_in() -> None:
    township_table(
        "credentials",
        _township(),
        Column("staff_id", ID, nullable=False),
        Column("password_hash", String(200), nullable=False),
        Column("totp_secret", String(64)),
        Column("totp_step", BigInteger, nullable=False),
        Column("recovery", SMALL, nullable=False),
        Column("changed_ms", BigInteger, nullable=False),
        _key("credentials", "staff_id"),
        _of_staff("credentials"),
    )
    township_table(
        "sessions",
        _township(),
        Column("session_hash", String(64), nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("started_ms", BigInteger, nullable=False),
        Column("seen_ms", BigInteger, nullable=False),
        _key("sessions", "session_hash"),
        _of_staff("sessions"),
        Index("ix_sessions_staff", "township_id", "staff_id"),
    )


def _links_and_attempts() -> None:
    township_table(
        "links",
        _township(),
        Column("link_hash", String(64), nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("totp_secret", String(64), nullable=False),
        Column("expires_ms", BigInteger, nullable=False),
        _key("links", "link_hash"),
        _of_staff("links"),
    )
    township_table(
        "attempts",
        _township(),
        Column("account_hash", String(64), nullable=False),
        Column("failures", Integer, nullable=False),
        Column("last_ms", BigInteger, nullable=False),
        _key("attempts", "account_hash"),
    )


def _assignments() -> None:
    township_table(
        "assignments",
        _township(),
        Column("unit", String(100), nullable=False),
        Column("record_id", ID, nullable=False),
        Column("assigned_ms", BigInteger, nullable=False),
        _key("assignments", "unit", "record_id"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_assignments_records",
        ),
        Index("ix_assignments_record", "township_id", "record_id"),
    )


def _township() -> Column[Any]:
    return Column("township_id", String(9), nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")


def _of_staff(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name=f"fk_{table}_staff"
    )
