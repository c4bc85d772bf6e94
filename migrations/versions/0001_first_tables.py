"""The first tables: directory, people and devices, records and what happened to them.

Every revision stays as it was released, so it writes its tables out and imports none from the server.
"""

from typing import Any

from sqlalchemy import (
    JSON,
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

from migrations.tables import reference_table, township_table

revision = "0001"
down_revision = None

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
SMALL = JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _divisions()
    _kinds()
    _enrolment_routes()
    _townships()
    _grids()
    _staff()
    _devices()
    _enrolments()
    _applications()
    _records()
    _holdings()
    _changes()
    _conflicts()
    _exits()
    _receipts()
    _registers()
    _gaps()


def _where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


def _divisions() -> None:
    reference_table(
        "divisions",
        Column("code", String(12), nullable=False),
        Column("level", String(8), nullable=False),
        Column("parent", String(12)),
        Column("name", String(200), nullable=False),
        Column("list_year", Integer, nullable=False),
        PrimaryKeyConstraint("code", name="pk_divisions"),
        Index("ix_divisions_parent", "parent"),
    )


def _kinds() -> None:
    reference_table(
        "kinds",
        Column("name", String(41), nullable=False),
        Column("version", Integer, nullable=False),
        Column("declaration", LargeBinary, nullable=False),
        Column("installed_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("name", "version", name="pk_kinds"),
    )


def _enrolment_routes() -> None:
    reference_table(
        "enrolment_routes",
        Column("code_hash", String(64), nullable=False),
        Column("township_id", String(9), nullable=False),
        Column("expires_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("code_hash", name="pk_enrolment_routes"),
    )


def _townships() -> None:
    township_table(
        "townships",
        Column("township_id", String(9), nullable=False),
        Column("name", String(200), nullable=False),
        Column("identity", ID, nullable=False),
        Column("counter", BigInteger, nullable=False),
        Column("horizon", BigInteger, nullable=False),
        Column("cursor_key", LargeBinary, nullable=False),
        Column("tip", BigInteger),
        Column("tip_change", ID),
        Column("lost_spans", SMALL, nullable=False),
        Column("duty_phone", String(40)),
        Column("opened_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", name="pk_townships"),
    )


def _grids() -> None:
    township_table(
        "grids",
        Column("township_id", String(9), nullable=False),
        Column("grid", String(15), nullable=False),
        Column("village", String(12), nullable=False),
        Column("name", String(200), nullable=False),
        Column("village_name", String(200), nullable=False),
        PrimaryKeyConstraint("township_id", "grid", name="pk_grids"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_grids_townships"),
    )


def _staff() -> None:
    township_table(
        "staff",
        Column("township_id", String(9), nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("name", String(100), nullable=False),
        Column("role", String(20), nullable=False),
        Column("added_ms", BigInteger, nullable=False),
        Column("disabled_ms", BigInteger),
        PrimaryKeyConstraint("township_id", "staff_id", name="pk_staff"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_staff_townships"),
        Index("uq_staff_name", "township_id", "name", unique=True),
    )


def _devices() -> None:
    township_table(
        "devices",
        Column("township_id", String(9), nullable=False),
        Column("device_id", ID, nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("grids", SMALL, nullable=False),
        Column("enrolled_ms", BigInteger, nullable=False),
        Column("revoked_ms", BigInteger),
        Column("serial", BigInteger, nullable=False),
        Column("epochs", SMALL, nullable=False),
        Column("contact_ms", BigInteger),
        Column("offset_ms", BigInteger),
        Column("queued", BigInteger, nullable=False),
        Column("client", String(200), nullable=False),
        PrimaryKeyConstraint("township_id", "device_id", name="pk_devices"),
        ForeignKeyConstraint(
            ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_devices_staff"
        ),
    )


def _enrolments() -> None:
    township_table(
        "enrolments",
        Column("township_id", String(9), nullable=False),
        Column("code_hash", String(64), nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("grids", SMALL, nullable=False),
        Column("expires_ms", BigInteger, nullable=False),
        Column("device_id", ID),
        PrimaryKeyConstraint("township_id", "code_hash", name="pk_enrolments"),
        ForeignKeyConstraint(
            ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_enrolments_staff"
        ),
    )


def _applications() -> None:
    township_table(
        "applications",
        Column("township_id", String(9), nullable=False),
        Column("application_id", ID, nullable=False),
        Column("name", String(100), nullable=False),
        Column("token_hash", String(64), nullable=False),
        Column("scopes", SMALL, nullable=False),
        Column("added_ms", BigInteger, nullable=False),
        Column("revoked_ms", BigInteger),
        PrimaryKeyConstraint("township_id", "application_id", name="pk_applications"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_applications_townships"),
    )


def _records() -> None:
    township_table(
        "records",
        Column("township_id", String(9), nullable=False),
        Column("record_id", ID, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("placed", BigInteger, nullable=False),
        Column("kind", String(41), nullable=False),
        Column("place", String(15), nullable=False),
        Column("state", String(41)),
        Column("number", String(40)),
        Column("deleted", Boolean, nullable=False),
        Column("closed", Boolean, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("marks", LargeBinary, nullable=False),
        Column("digest_high", BigInteger, nullable=False),
        Column("digest_low", BigInteger, nullable=False),
        Column("received_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "record_id", name="pk_records"),
        Index("ix_records_place", "township_id", "place", "version"),
        Index("uq_records_number", "township_id", "number", unique=True, **_where("number IS NOT NULL")),
    )


def _holdings() -> None:
    township_table(
        "holdings",
        Column("township_id", String(9), nullable=False),
        Column("grid", String(15), nullable=False),
        Column("held", BigInteger, nullable=False),
        Column("digest_high", BigInteger, nullable=False),
        Column("digest_low", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "grid", name="pk_holdings"),
    )


def _changes() -> None:
    township_table(
        "changes",
        Column("township_id", String(9), nullable=False),
        Column("change_id", ID, nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("record_id", ID),
        Column("author", ID, nullable=False),
        Column("role", String(20), nullable=False),
        Column("epoch", ID),
        Column("counter", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("offset_ms", BigInteger, nullable=False),
        Column("uncertainty_ms", BigInteger, nullable=False),
        Column("stamp_ms", BigInteger, nullable=False),
        Column("received_ms", BigInteger, nullable=False),
        Column("result", String(11), nullable=False),
        Column("code", String(32)),
        Column("origin", ID),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("effects", LargeBinary, nullable=False),
        Column("verdict", LargeBinary, nullable=False),
        PrimaryKeyConstraint("township_id", "change_id", name="pk_changes"),
        Index("ix_changes_origin", "township_id", "origin", **_where("origin IS NOT NULL")),
        Index("ix_changes_quarantined", "township_id", "n", **_where("result = 'quarantined'")),
        Index("ix_changes_record", "township_id", "record_id", "n"),
        Index("uq_changes_n", "township_id", "n", unique=True),
    )


def _conflicts() -> None:
    township_table(
        "conflicts",
        Column("township_id", String(9), nullable=False),
        Column("conflict_id", ID, nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("path", String(200), nullable=False),
        Column("rule", String(10), nullable=False),
        Column("status", String(8), nullable=False),
        Column("sides", LargeBinary, nullable=False),
        Column("opened_ms", BigInteger, nullable=False),
        Column("decided_ms", BigInteger),
        Column("decision", ID),
        PrimaryKeyConstraint("township_id", "conflict_id", name="pk_conflicts"),
        Index("ix_conflicts_status", "township_id", "status", "n"),
        Index(
            "uq_conflicts_path",
            "township_id",
            "record_id",
            "path",
            unique=True,
            **_where("status <> 'decided'"),
        ),
    )


def _exits() -> None:
    township_table(
        "exits",
        Column("township_id", String(9), nullable=False),
        Column("grid", String(15), nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("why", String(10), nullable=False),
        Column("state", String(41)),
        Column("number", String(40)),
        PrimaryKeyConstraint("township_id", "grid", "n", name="pk_exits"),
    )


def _receipts() -> None:
    township_table(
        "receipts",
        Column("township_id", String(9), nullable=False),
        Column("device_id", ID, nullable=False),
        Column("n", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("township_id", "device_id", "n", name="pk_receipts"),
    )


def _registers() -> None:
    township_table(
        "registers",
        Column("township_id", String(9), nullable=False),
        Column("year", Integer, nullable=False),
        Column("last", Integer, nullable=False),
        PrimaryKeyConstraint("township_id", "year", name="pk_registers"),
    )


def _gaps() -> None:
    township_table(
        "gaps",
        Column("township_id", String(9), nullable=False),
        Column("device_id", ID, nullable=False),
        Column("epoch", ID, nullable=False),
        Column("first", BigInteger, nullable=False),
        Column("last", BigInteger, nullable=False),
        Column("released_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "device_id", "epoch", "first", name="pk_gaps"),
    )
