"""The ledger: matters as lists show, filter and sort them (docs/decisions/a-ledger-made-for-lists.md)."""

from sqlalchemy import Boolean, Column, Float, ForeignKeyConstraint, Index, LargeBinary, String, Table, text

from server.storage.tables.base import Id, Millis, Number, key, metadata, township

Ascii = String(40).with_variant(String(40, collation="C"), "postgresql")
"""Codes and numbers that are compared by their bytes, so that a prefix is a range on every database."""


def _index(name: str, *columns: str) -> Index:
    """One for each filter, in the order in which the newest come first."""
    return Index(f"ix_ledger_{name}", "township_id", *columns, "reported_ms", "record_id")


ledger = Table(
    "ledger",
    metadata,
    township(),
    Column("record_id", Id, nullable=False),
    Column("version", Number, nullable=False),  # of the record, as it was made from
    Column("number", Ascii, nullable=False),
    Column("village", String(12)),  # none: without a place
    Column("place", String(15), nullable=False),
    Column("nature", String(40)),
    Column("category", String(40)),
    Column("service_category", String(40)),
    Column("state", String(41), nullable=False),
    Column("urgency", String(40)),
    Column("level", String(40)),
    Column("source", String(40)),
    Column("restricted", Boolean, nullable=False),
    Column("title", String(200), nullable=False),
    Column("leader", Id),  # who took it on first
    Column("unit", String(100)),  # which leads, else to which it was assigned first
    Column("reported_ms", Millis, nullable=False),  # when its report was received
    Column("closed_ms", Millis),  # when it was closed, if it still is
    Column("due_ms", Millis),  # of the deadline that ends next, of those that run
    Column("longitude", Float),  # WGS-84
    Column("latitude", Float),
    key("ledger", "record_id"),
    ForeignKeyConstraint(
        ["township_id", "record_id"], ["records.township_id", "records.record_id"], name="fk_ledger_records"
    ),
    Index("uq_ledger_number", "township_id", "number", unique=True),
    # With the title in it: words are looked for in the index alone.
    Index("ix_ledger_reported", "township_id", "reported_ms", "record_id", "title", "restricted"),
    Index(
        "ix_ledger_due",
        "township_id",
        "due_ms",
        "record_id",
        postgresql_where=text("due_ms IS NOT NULL"),
        sqlite_where=text("due_ms IS NOT NULL"),
    ),
    Index(
        "ix_ledger_open",
        "township_id",
        "reported_ms",
        "record_id",
        postgresql_where=text("closed_ms IS NULL"),
        sqlite_where=text("closed_ms IS NULL"),
    ),
    _index("village", "village"),
    _index("place", "place"),
    _index("nature", "nature"),
    _index("category", "category"),
    _index("service_category", "service_category"),
    _index("state", "state"),
    _index("urgency", "urgency"),
    _index("level", "level"),
    _index("source", "source"),
    _index("leader", "leader"),
    _index("unit", "unit"),
)

ledger_references = Table(  # the numbers that other systems, or the old ledger, gave to a matter
    "ledger_references",
    metadata,
    township(),
    Column("number", String(100).with_variant(String(100, collation="C"), "postgresql"), nullable=False),
    Column("record_id", Id, nullable=False),
    key("ledger_references", "number", "record_id"),
    ForeignKeyConstraint(
        ["township_id", "record_id"],
        ["records.township_id", "records.record_id"],
        name="fk_ledger_references_records",
    ),
    Index("ix_ledger_references_record", "township_id", "record_id"),
)

ledger_views = Table(  # filters that somebody keeps under a name
    "ledger_views",
    metadata,
    township(),  # of the person; a county's has its own code
    Column("staff_id", Id, nullable=False),
    Column("name", String(60), nullable=False),
    Column("filter", LargeBinary, nullable=False),
    Column("saved_ms", Millis, nullable=False),
    key("ledger_views", "staff_id", "name"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_ledger_views_staff"
    ),
)
