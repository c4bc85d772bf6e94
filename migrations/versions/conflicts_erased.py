"""A path of a record may have any number of conflicts that are erased, as it may of those that were decided.

The new index stands before the old one goes: at no time may two be undecided. All of a record's are looked for when
it is shown and when it is erased; servers of the release before find the undecided ones by that index too.
"""

from alembic import op
from sqlalchemy import text

revision = "conflicts_erased"
down_revision = "rounds"

UNDECIDED = text("status IN ('open', 'by_rule')")
NOT_DECIDED = text("status <> 'decided'")
PATH = ["township_id", "record_id", "path"]


def upgrade() -> None:
    op.create_index("ix_conflicts_record", "conflicts", ["township_id", "record_id"])
    op.create_index(
        "uq_conflicts_undecided",
        "conflicts",
        PATH,
        unique=True,
        postgresql_where=UNDECIDED,
        sqlite_where=UNDECIDED,
    )
    op.drop_index("uq_conflicts_path", "conflicts")


def downgrade() -> None:
    """Goes only where no path has two that are erased."""
    op.create_index(
        "uq_conflicts_path",
        "conflicts",
        PATH,
        unique=True,
        postgresql_where=NOT_DECIDED,
        sqlite_where=NOT_DECIDED,
    )
    op.drop_index("uq_conflicts_undecided", "conflicts")
    op.drop_index("ix_conflicts_record", "conflicts")
