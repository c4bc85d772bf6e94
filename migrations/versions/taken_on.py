"""Which leaders have taken a matter on: they reach these matters, and no others.

Revision ID: taken_on
Revises: people
"""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, String
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "taken_on"
down_revision = "privacy"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    township_table(
        "taken_on",
        Column("township_id", String(9), nullable=False),
        Column("staff_id", ID, nullable=False),
        Column("record_id", ID, nullable=False),
        Column("since_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "staff_id", "record_id", name="pk_taken_on"),
        ForeignKeyConstraint(
            ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_taken_on_staff"
        ),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_taken_on_records",
        ),
        Index("ix_taken_on_record", "township_id", "record_id"),
    )


def downgrade() -> None:
    op.drop_table("taken_on")
