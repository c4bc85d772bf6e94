"""The directory of a township: itself, its grids, people, devices, applications and keys."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from server.storage.tables.base import Id, Millis, Number, Small, key, metadata, township

townships = Table(
    "townships",
    metadata,
    township(),
    Column("name", String(200), nullable=False),
    Column("identity", Id, nullable=False),  # which server this is, echoed in every answer
    Column("counter", Number, nullable=False),  # the last number given
    Column("horizon", Number, nullable=False),  # exits at or below it may be gone
    Column("cursor_key", LargeBinary, nullable=False),
    Column("tip", Number),  # the newest change: by it a reader of another timeline is recognised
    Column("tip_change", Id),
    Column("lost_spans", Small, nullable=False),  # [first, last] of numbers that a restore took back
    Column("duty_phone", String(40)),
    Column("opened_ms", Millis, nullable=False),
    Column("swept_ms", Millis),  # when retention was last carried out here
    key("townships"),
)

grids = Table(
    "grids",
    metadata,
    township(),
    Column("grid", String(15), nullable=False),
    Column("village", String(12), nullable=False),
    Column("name", String(200), nullable=False),
    Column("village_name", String(200), nullable=False),
    key("grids", "grid"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_grids_townships"),
)

staff = Table(
    "staff",
    metadata,
    township(),
    Column("staff_id", Id, nullable=False),
    Column("name", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("added_ms", Millis, nullable=False),
    Column("disabled_ms", Millis),
    Column("village", String(12)),  # of a village officer
    Column("unit", String(100)),  # of a unit handler
    Column("sees_restricted", Boolean),  # named for restricted matters; nobody is unless it says so
    key("staff", "staff_id"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_staff_townships"),
    Index("uq_staff_name", "township_id", "name", unique=True),
)

devices = Table(
    "devices",
    metadata,
    township(),
    Column("device_id", Id, nullable=False),
    Column("staff_id", Id, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("grids", Small, nullable=False),
    Column("enrolled_ms", Millis, nullable=False),
    Column("revoked_ms", Millis),
    Column("serial", BigInteger, nullable=False),  # the highest seen
    Column("epochs", Small, nullable=False),  # [epoch, last counter], the one used last at the end
    Column("contact_ms", Millis),
    Column("offset_ms", BigInteger),
    Column("queued", BigInteger, nullable=False),  # as last reported
    Column("client", String(200), nullable=False),
    Column("key_ms", Millis),  # since when it signs with public_key; none: since it was enrolled
    key("devices", "device_id"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_devices_staff"
    ),
)

former_keys = Table(
    "former_keys",
    metadata,
    township(),
    Column("device_id", Id, nullable=False),
    Column(
        "public_key", LargeBinary, nullable=False
    ),  # what a copy of its store from before still signs with
    Column("replaced_ms", Millis, nullable=False),
    key("former_keys", "device_id", "public_key"),
    ForeignKeyConstraint(
        ["township_id", "device_id"],
        ["devices.township_id", "devices.device_id"],
        name="fk_former_keys_devices",
    ),
)

recovery_keys = Table(
    "recovery_keys",
    metadata,
    township(),
    Column("public_key", LargeBinary, nullable=False),  # X25519: what devices seal their store's key to
    Column("made_ms", Millis, nullable=False),
    Column("offline_ms", Millis),  # since when the private half is not on this server
    key("recovery_keys", "public_key"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_recovery_keys_townships"),
)

enrolments = Table(
    "enrolments",
    metadata,
    township(),
    Column("code_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column("grids", Small, nullable=False),
    Column("expires_ms", Millis, nullable=False),
    Column("device_id", Id),  # set when used
    key("enrolments", "code_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_enrolments_staff"
    ),
)

applications = Table(
    "applications",
    metadata,
    township(),
    Column("application_id", Id, nullable=False),
    Column("name", String(100), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("scopes", Small, nullable=False),
    Column("added_ms", Millis, nullable=False),
    Column("revoked_ms", Millis),
    Column("expires_ms", Millis),  # none for tokens from before they expired
    key("applications", "application_id"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_applications_townships"),
)

township_keys = Table(  # keys of a township, wrapped by the master key, which lies elsewhere (docs/keys.md)
    "township_keys",
    metadata,
    township(),
    Column("purpose", String(20), nullable=False),
    Column("number", Integer, nullable=False),
    Column("master_id", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_ms", Millis, nullable=False),
    Column("retired_ms", Millis),  # nothing is sealed under it any more
    key("township_keys", "purpose", "number"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_township_keys_townships"),
)
