"""How often the places of a township are screened, and whom they call; indexes for what waits in an inbox."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, String, text
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "rounds"
down_revision = "casefile"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
UNDECIDED = text("sort = 'extension' AND approved IS NULL")
REPORTS = text("kind = 'round_report'")


def upgrade() -> None:
    township_table(
        "screenings",
        Column("township_id", String(9), nullable=False),
        Column("place", String(12), nullable=False),
        Column("cadence", String(10), nullable=False),
        Column("cut_off_hour", Integer, nullable=False),
        Column("duty_phone", String(40)),
        Column("set_by", ID, nullable=False),
        Column("set_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "place", name="pk_screenings"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_screenings_townships"),
    )
    op.create_index(
        "ix_deadline_entries_undecided",
        "deadline_entries",
        ["township_id", "written_ms"],
        postgresql_where=UNDECIDED,
        sqlite_where=UNDECIDED,
    )
    op.create_index(
        "ix_records_reports",
        "records",
        ["township_id", "received_ms"],
        postgresql_where=REPORTS,
        sqlite_where=REPORTS,
    )


def downgrade() -> None:
    op.drop_index("ix_records_reports", "records")
    op.drop_index("ix_deadline_entries_undecided", "deadline_entries")
    op.drop_table("screenings")
