"""The index of telephone numbers names records without a foreign key.

A record is never removed, and rows here are written in the transaction that writes theirs. To look each record up
once more, and to lock it, was a fifth of the database's time for a push.
"""

from alembic import op

revision = "telephones_alone"
down_revision = "conflicts_erased"

RECORD = ["township_id", "record_id"]


def upgrade() -> None:
    with op.batch_alter_table("telephones") as batch:
        batch.drop_constraint("fk_telephones_records", type_="foreignkey")


def downgrade() -> None:
    with op.batch_alter_table("telephones") as batch:
        batch.create_foreign_key("fk_telephones_records", "records", RECORD, RECORD)
