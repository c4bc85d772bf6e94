"""Records and what happened to them."""

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
    text,
)

from server.storage.tables.base import Id, Millis, Number, key, metadata, township

records = Table(
    "records",
    metadata,
    township(),
    Column("record_id", Id, nullable=False),
    Column("version", Number, nullable=False),
    Column("placed", Number, nullable=False),
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
    Column("received_ms", Millis, nullable=False),  # the create's receipt
    Column("restricted", Boolean),  # for named people only; none from before it was kept is looked up once
    Column("erased", Boolean),  # a tombstone whose values are gone for good; none is not erased
    Column("joined_into", Id),  # the record that it was joined into
    Column("parent_id", Id),  # what its field `parent` says, for lists of members
    key("records", "record_id"),
    Index(
        "ix_records_reports",
        "township_id",
        "received_ms",
        postgresql_where=text("kind = 'round_report'"),
        sqlite_where=text("kind = 'round_report'"),
    ),
    Index("ix_records_place", "township_id", "place", "version"),
    Index(
        "uq_records_number",
        "township_id",
        "number",
        unique=True,
        postgresql_where=text("number IS NOT NULL"),
        sqlite_where=text("number IS NOT NULL"),
    ),
    Index(
        "ix_records_parent",
        "township_id",
        "parent_id",
        postgresql_where=text("parent_id IS NOT NULL"),
        sqlite_where=text("parent_id IS NOT NULL"),
    ),
    Index(
        "ix_records_joined",
        "township_id",
        "joined_into",
        postgresql_where=text("joined_into IS NOT NULL"),
        sqlite_where=text("joined_into IS NOT NULL"),
    ),
)

assignments = Table(  # to which units a matter was given
    "assignments",
    metadata,
    township(),
    Column("unit", String(100), nullable=False),
    Column("record_id", Id, nullable=False),
    Column("assigned_ms", Millis, nullable=False),
    key("assignments", "unit", "record_id"),
    ForeignKeyConstraint(
        ["township_id", "record_id"],
        ["records.township_id", "records.record_id"],
        name="fk_assignments_records",
    ),
    Index("ix_assignments_record", "township_id", "record_id"),
)

telephones = Table(  # in which records a telephone number stands, by a keyed hash of it
    "telephones",
    metadata,
    township(),
    Column("telephone_hash", String(64), nullable=False),
    Column("record_id", Id, nullable=False),
    key("telephones", "telephone_hash", "record_id"),
    Index("ix_telephones_record", "township_id", "record_id"),
)

taken_on = Table(  # which leaders have taken a matter on
    "taken_on",
    metadata,
    township(),
    Column("staff_id", Id, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("since_ms", Millis, nullable=False),
    key("taken_on", "staff_id", "record_id"),
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

holdings = Table(  # what devices hold of each grid: the count and the sums of the digests of its records
    "holdings",
    metadata,
    township(),
    Column("grid", String(15), nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("digest_high", BigInteger, nullable=False),
    Column("digest_low", BigInteger, nullable=False),
    key("holdings", "grid"),
)

changes = Table(
    "changes",
    metadata,
    township(),
    Column("change_id", Id, nullable=False),
    Column("n", Number, nullable=False),
    Column("record_id", Id),
    Column("author", Id, nullable=False),  # a device, a person of the office, or an application
    Column("role", String(20), nullable=False),
    Column("epoch", Id),
    Column("counter", BigInteger, nullable=False),
    Column("at_ms", Millis, nullable=False),  # the device's clock
    Column("offset_ms", BigInteger, nullable=False),  # the estimate of how far it was behind
    Column("uncertainty_ms", BigInteger, nullable=False),
    Column("stamp_ms", Millis, nullable=False),
    Column("received_ms", Millis, nullable=False),
    Column("result", String(11), nullable=False),
    Column("code", String(32)),
    Column("origin", Id),  # the quarantined change that this one replays or discards
    Column("fingerprint", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # empty once it was erased
    Column("effects", LargeBinary, nullable=False),
    Column("verdict", LargeBinary, nullable=False),  # empty where the row says it all
    key("changes", "change_id"),
    Index("uq_changes_n", "township_id", "n", unique=True),
    Index("ix_changes_record", "township_id", "record_id", "n"),
    Index(
        "ix_changes_quarantined",
        "township_id",
        "n",
        postgresql_where=text("result = 'quarantined'"),
        sqlite_where=text("result = 'quarantined'"),
    ),
    Index(
        "ix_changes_origin",
        "township_id",
        "origin",
        postgresql_where=text("origin IS NOT NULL"),
        sqlite_where=text("origin IS NOT NULL"),
    ),
)

conflicts = Table(
    "conflicts",
    metadata,
    township(),
    Column("conflict_id", Id, nullable=False),
    Column("n", Number, nullable=False),  # of the change that opened it
    Column("record_id", Id, nullable=False),
    Column("path", String(200), nullable=False),
    Column("rule", String(10), nullable=False),
    Column("status", String(8), nullable=False),  # open, by_rule, decided, erased
    Column("sides", LargeBinary, nullable=False),  # base and every value, with authors and times
    Column("opened_ms", Millis, nullable=False),
    Column("decided_ms", Millis),
    Column("decision", Id),  # the change that decided it
    key("conflicts", "conflict_id"),
    Index(
        "uq_conflicts_undecided",
        "township_id",
        "record_id",
        "path",
        unique=True,
        postgresql_where=text("status IN ('open', 'by_rule')"),
        sqlite_where=text("status IN ('open', 'by_rule')"),
    ),
    Index("ix_conflicts_record", "township_id", "record_id"),
    Index("ix_conflicts_status", "township_id", "status", "n"),
)

exits = Table(
    "exits",
    metadata,
    township(),
    Column("grid", String(15), nullable=False),
    Column("n", Number, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("why", String(10), nullable=False),
    Column("state", String(41)),
    Column("number", String(40)),
    key("exits", "grid", "n"),
)

receipts = Table(
    "receipts",
    metadata,
    township(),
    Column("device_id", Id, nullable=False),
    Column("n", Number, nullable=False),
    Column("body", LargeBinary, nullable=False),
    key("receipts", "device_id", "n"),
)

registers = Table(
    "registers",
    metadata,
    township(),
    Column("year", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    key("registers", "year"),
)

gaps = Table(
    "gaps",
    metadata,
    township(),
    Column("device_id", Id, nullable=False),
    Column("epoch", Id, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("released_ms", Millis, nullable=False),
    key("gaps", "device_id", "epoch", "first"),
)
