"""Keys of devices: those that they signed with before, and the recovery key that a township's stores are sealed to."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
)
from sqlalchemy.dialects import postgresql

from migrations.tables import township_table

revision = "device_keys"
down_revision = "sealed_contact"

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.add_column("devices", Column("key_ms", BigInteger))
    township_table(
        "former_keys",
        Column("township_id", String(9), nullable=False),
        Column("device_id", ID, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("replaced_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("township_id", "device_id", "public_key", name="pk_former_keys"),
        ForeignKeyConstraint(
            ["township_id", "device_id"],
            ["devices.township_id", "devices.device_id"],
            name="fk_former_keys_devices",
        ),
    )
    township_table(
        "recovery_keys",
        Column("township_id", String(9), nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("made_ms", BigInteger, nullable=False),
        Column("offline_ms", BigInteger),
        PrimaryKeyConstraint("township_id", "public_key", name="pk_recovery_keys"),
        ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_recovery_keys_townships"),
    )


def downgrade() -> None:
    op.drop_table("recovery_keys")
    op.drop_table("former_keys")
    with op.batch_alter_table("devices") as devices:
        devices.drop_column("key_ms")
