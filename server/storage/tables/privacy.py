"""What is kept for how long (docs/privacy.md)."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, text

from server.storage.tables.base import Id, Millis, key, metadata, township

erasures = Table(  # whose values are gone; the list outside the database has a line for each
    "erasures",
    metadata,
    township(),
    Column("record_id", Id, nullable=False),
    Column("kind", String(41), nullable=False),
    Column("number", String(40)),
    Column("cause", String(10), nullable=False),  # asked: somebody asked for it; retention: its time was over
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("erased_ms", Millis, nullable=False),
    Column("listed", Boolean, nullable=False),  # whether its line is in the list
    key("erasures", "record_id"),
    Index(
        "ix_erasures_unlisted",
        "township_id",
        postgresql_where=text("NOT listed"),
        sqlite_where=text("NOT listed"),
    ),
)

holds = Table(  # legal holds: while one stands, nothing of its record is erased
    "holds",
    metadata,
    township(),
    Column("hold_id", Id, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("set_ms", Millis, nullable=False),
    Column("lifted_ms", Millis),
    Column("lifted_by", String(60)),
    Column("lifted_reason", String(500)),
    key("holds", "hold_id"),
    Index(
        "uq_holds_record",
        "township_id",
        "record_id",
        unique=True,
        postgresql_where=text("lifted_ms IS NULL"),
        sqlite_where=text("lifted_ms IS NULL"),
    ),
)

retention_rules = Table(  # other lengths than the kinds declare
    "retention_rules",
    metadata,
    township(),
    Column("kind", String(41), nullable=False),
    Column("days", Integer),  # none: until somebody erases it
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("set_ms", Millis, nullable=False),
    key("retention_rules", "kind"),
)
