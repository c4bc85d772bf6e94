"""The tables, under the rules for three databases (docs/architecture.md, "Storage").

A *township table* has `township_id` first in its primary key and in every unique constraint and index; a
*reference table* is small and rarely written. No sequences, no triggers: ids come from devices or from the
application, order from the township's counter under its row lock. Times are milliseconds since 1970 UTC,
bound by the application. What the merge reads and writes is opaque bytes in the form in which it
travelled; what lists filter on is a column of its own.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)
from sqlalchemy.dialects import postgresql

metadata: Final = MetaData()

Id: Final = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
"""A UUID: native where the database has the type, canonical text where it has not."""
Small: Final = JSON().with_variant(postgresql.JSONB(), "postgresql")
"""Small configuration, such as the grids of a device."""
Millis: Final = BigInteger
Number: Final = BigInteger
"""A number of the township: epoch times 2^40 plus a count."""
TOWNSHIP: Final = String(9)


def _township() -> Column[str]:
    return Column("township_id", TOWNSHIP, nullable=False)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")


# Reference tables

divisions = Table(
    "divisions",
    metadata,
    Column("code", String(12), nullable=False),
    Column("level", String(8), nullable=False),  # province city county town village
    Column("parent", String(12)),
    Column("name", String(200), nullable=False),
    Column("list_year", Integer, nullable=False),
    PrimaryKeyConstraint("code", name="pk_divisions"),
    Index("ix_divisions_parent", "parent"),
)

kinds = Table(
    "kinds",
    metadata,
    Column("name", String(41), nullable=False),
    Column("version", Integer, nullable=False),
    Column("declaration", LargeBinary, nullable=False),
    Column("installed_ms", Millis, nullable=False),
    PrimaryKeyConstraint("name", "version", name="pk_kinds"),
)

enrolment_routes = Table(
    "enrolment_routes",
    metadata,
    Column("code_hash", String(64), nullable=False),
    Column("township_id", TOWNSHIP, nullable=False),
    Column("expires_ms", Millis, nullable=False),
    PrimaryKeyConstraint("code_hash", name="pk_enrolment_routes"),
)

# Township tables: the directory

townships = Table(
    "townships",
    metadata,
    _township(),
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
    _key("townships"),
)

grids = Table(
    "grids",
    metadata,
    _township(),
    Column("grid", String(15), nullable=False),
    Column("village", String(12), nullable=False),
    Column("name", String(200), nullable=False),
    Column("village_name", String(200), nullable=False),
    _key("grids", "grid"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_grids_townships"),
)

staff = Table(
    "staff",
    metadata,
    _township(),
    Column("staff_id", Id, nullable=False),
    Column("name", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("added_ms", Millis, nullable=False),
    Column("disabled_ms", Millis),
    Column("village", String(12)),  # of a village officer
    Column("unit", String(100)),  # of a unit handler
    Column("sees_restricted", Boolean),  # named for restricted matters; nobody is unless it says so
    _key("staff", "staff_id"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_staff_townships"),
    Index("uq_staff_name", "township_id", "name", unique=True),
)

devices = Table(
    "devices",
    metadata,
    _township(),
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
    _key("devices", "device_id"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_devices_staff"
    ),
)

former_keys = Table(
    "former_keys",
    metadata,
    _township(),
    Column("device_id", Id, nullable=False),
    Column(
        "public_key", LargeBinary, nullable=False
    ),  # what a copy of its store from before still signs with
    Column("replaced_ms", Millis, nullable=False),
    _key("former_keys", "device_id", "public_key"),
    ForeignKeyConstraint(
        ["township_id", "device_id"],
        ["devices.township_id", "devices.device_id"],
        name="fk_former_keys_devices",
    ),
)

recovery_keys = Table(
    "recovery_keys",
    metadata,
    _township(),
    Column("public_key", LargeBinary, nullable=False),  # X25519: what devices seal their store's key to
    Column("made_ms", Millis, nullable=False),
    Column("offline_ms", Millis),  # since when the private half is not on this server
    _key("recovery_keys", "public_key"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_recovery_keys_townships"),
)

enrolments = Table(
    "enrolments",
    metadata,
    _township(),
    Column("code_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column("grids", Small, nullable=False),
    Column("expires_ms", Millis, nullable=False),
    Column("device_id", Id),  # set when used
    _key("enrolments", "code_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_enrolments_staff"
    ),
)

applications = Table(
    "applications",
    metadata,
    _township(),
    Column("application_id", Id, nullable=False),
    Column("name", String(100), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("scopes", Small, nullable=False),
    Column("added_ms", Millis, nullable=False),
    Column("revoked_ms", Millis),
    Column("expires_ms", Millis),  # none for tokens from before they expired
    _key("applications", "application_id"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_applications_townships"),
)

township_keys = Table(  # keys of a township, wrapped by the master key, which lies elsewhere (docs/keys.md)
    "township_keys",
    metadata,
    _township(),
    Column("purpose", String(20), nullable=False),
    Column("number", Integer, nullable=False),
    Column("master_id", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_ms", Millis, nullable=False),
    Column("retired_ms", Millis),  # nothing is sealed under it any more
    _key("township_keys", "purpose", "number"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_township_keys_townships"),
)

# Township tables: how people sign in (docs/access.md)

credentials = Table(
    "credentials",
    metadata,
    _township(),
    Column("staff_id", Id, nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("totp_secret", String(200)),  # sealed; none: the password alone
    Column("totp_step", BigInteger, nullable=False),  # the last step whose code was used
    Column("recovery", Small, nullable=False),  # hashes of the codes that are left
    Column("changed_ms", Millis, nullable=False),
    _key("credentials", "staff_id"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_credentials_staff"
    ),
)

sessions = Table(
    "sessions",
    metadata,
    _township(),
    Column("session_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column("started_ms", Millis, nullable=False),
    Column("seen_ms", Millis, nullable=False),
    _key("sessions", "session_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_sessions_staff"
    ),
    Index("ix_sessions_staff", "township_id", "staff_id"),
)

links = Table(  # one-time links with which people set a password
    "links",
    metadata,
    _township(),
    Column("link_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column(
        "totp_secret", String(200), nullable=False
    ),  # sealed; offered, and kept when a code of it comes back
    Column("expires_ms", Millis, nullable=False),
    _key("links", "link_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_links_staff"
    ),
)

attempts = Table(  # failed sign-ins in a row, by what was typed as the account, whether it exists or not
    "attempts",
    metadata,
    _township(),
    Column("account_hash", String(64), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_ms", Millis, nullable=False),
    _key("attempts", "account_hash"),
)

# Township tables: records and what happened to them

records = Table(
    "records",
    metadata,
    _township(),
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
    _key("records", "record_id"),
    Index("ix_records_place", "township_id", "place", "version"),
    Index(
        "uq_records_number",
        "township_id",
        "number",
        unique=True,
        postgresql_where=text("number IS NOT NULL"),
        sqlite_where=text("number IS NOT NULL"),
    ),
)

assignments = Table(  # to which units a matter was given
    "assignments",
    metadata,
    _township(),
    Column("unit", String(100), nullable=False),
    Column("record_id", Id, nullable=False),
    Column("assigned_ms", Millis, nullable=False),
    _key("assignments", "unit", "record_id"),
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
    _township(),
    Column("telephone_hash", String(64), nullable=False),
    Column("record_id", Id, nullable=False),
    _key("telephones", "telephone_hash", "record_id"),
    ForeignKeyConstraint(
        ["township_id", "record_id"],
        ["records.township_id", "records.record_id"],
        name="fk_telephones_records",
    ),
    Index("ix_telephones_record", "township_id", "record_id"),
)

taken_on = Table(  # which leaders have taken a matter on
    "taken_on",
    metadata,
    _township(),
    Column("staff_id", Id, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("since_ms", Millis, nullable=False),
    _key("taken_on", "staff_id", "record_id"),
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
    _township(),
    Column("grid", String(15), nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("digest_high", BigInteger, nullable=False),
    Column("digest_low", BigInteger, nullable=False),
    _key("holdings", "grid"),
)

changes = Table(
    "changes",
    metadata,
    _township(),
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
    _key("changes", "change_id"),
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
    _township(),
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
    _key("conflicts", "conflict_id"),
    Index(
        "uq_conflicts_path",
        "township_id",
        "record_id",
        "path",
        unique=True,
        postgresql_where=text("status <> 'decided'"),
        sqlite_where=text("status <> 'decided'"),
    ),
    Index("ix_conflicts_status", "township_id", "status", "n"),
)

exits = Table(
    "exits",
    metadata,
    _township(),
    Column("grid", String(15), nullable=False),
    Column("n", Number, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("why", String(10), nullable=False),
    Column("state", String(41)),
    Column("number", String(40)),
    _key("exits", "grid", "n"),
)

receipts = Table(
    "receipts",
    metadata,
    _township(),
    Column("device_id", Id, nullable=False),
    Column("n", Number, nullable=False),
    Column("body", LargeBinary, nullable=False),
    _key("receipts", "device_id", "n"),
)

registers = Table(
    "registers",
    metadata,
    _township(),
    Column("year", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    _key("registers", "year"),
)

gaps = Table(
    "gaps",
    metadata,
    _township(),
    Column("device_id", Id, nullable=False),
    Column("epoch", Id, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("released_ms", Millis, nullable=False),
    _key("gaps", "device_id", "epoch", "first"),
)

# Township tables: what is kept for how long (docs/privacy.md)

erasures = Table(  # whose values are gone; the list outside the database has a line for each
    "erasures",
    metadata,
    _township(),
    Column("record_id", Id, nullable=False),
    Column("kind", String(41), nullable=False),
    Column("number", String(40)),
    Column("cause", String(10), nullable=False),  # asked: somebody asked for it; retention: its time was over
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("erased_ms", Millis, nullable=False),
    Column("listed", Boolean, nullable=False),  # whether its line is in the list
    _key("erasures", "record_id"),
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
    _township(),
    Column("hold_id", Id, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("set_ms", Millis, nullable=False),
    Column("lifted_ms", Millis),
    Column("lifted_by", String(60)),
    Column("lifted_reason", String(500)),
    _key("holds", "hold_id"),
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
    _township(),
    Column("kind", String(41), nullable=False),
    Column("days", Integer),  # none: until somebody erases it
    Column("reason", String(500), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("set_ms", Millis, nullable=False),
    _key("retention_rules", "kind"),
)

# Township tables: deadlines (docs/deadlines.md)

deadline_rules = Table(  # what a township lays over the rules that ship; the newest revision counts
    "deadline_rules",
    metadata,
    _township(),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("actor", String(60), nullable=False),
    Column("installed_ms", Millis, nullable=False),
    _key("deadline_rules", "revision"),
)

deadline_passes = (
    Table(  # how far the township's deadlines are reckoned; its row is the lock of whoever writes them
        "deadline_passes",
        metadata,
        _township(),
        Column("reached", Number, nullable=False),  # the newest change that was looked at
        Column("edition", Integer, nullable=False),  # of the shipped rules
        Column("revision", Integer, nullable=False),  # of the township's own
        Column("since_ms", Millis, nullable=False),  # when these came into force
        Column("renewed", String(36)),  # the last record that they were applied to; none: to all
        Column("told", Number, nullable=False),  # the last number given to an event
        _key("deadline_passes"),
    )
)

deadlines = Table(
    "deadlines",
    metadata,
    _township(),
    Column("record_id", Id, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("started_n", Number, nullable=False),  # the change that set the clock going
    Column("started_ms", Millis, nullable=False),
    Column("due_ms", Millis, nullable=False),
    Column("status", String(8), nullable=False),  # running, met, dropped
    Column("ended_ms", Millis),
    Column("uncertain", Boolean, nullable=False),  # a year on the way has no notice of its working days
    Column("warning_ms", Millis),  # each: when it is still to be told
    Column("explanation_ms", Millis),
    Column("escalation_ms", Millis),
    Column("next_ms", Millis),  # the earliest of them
    _key("deadlines", "record_id", "rule", "started_n"),
    ForeignKeyConstraint(
        ["township_id", "record_id"],
        ["records.township_id", "records.record_id"],
        name="fk_deadlines_records",
    ),
    Index(
        "ix_deadlines_running",
        "township_id",
        "due_ms",
        postgresql_where=text("status = 'running'"),
        sqlite_where=text("status = 'running'"),
    ),
    Index(
        "ix_deadlines_next",
        "township_id",
        "next_ms",
        postgresql_where=text("next_ms IS NOT NULL"),
        sqlite_where=text("next_ms IS NOT NULL"),
    ),
)

deadline_events = Table(  # a warning, a request to explain, an escalation: written once
    "deadline_events",
    metadata,
    _township(),
    Column("n", Number, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("started_n", Number, nullable=False),
    Column("sort", String(11), nullable=False),
    Column("due_ms", Millis, nullable=False),  # the date that it is about
    Column("at_ms", Millis, nullable=False),  # when it was to be told
    Column("written_ms", Millis, nullable=False),
    Column("role", String(20)),  # of an escalation: to whom
    Column("measures", String(60)),
    _key("deadline_events", "n"),
    Index(
        "uq_deadline_events",
        "township_id",
        "record_id",
        "rule",
        "started_n",
        "sort",
        "due_ms",
        unique=True,
    ),
)

deadline_entries = (
    Table(  # what people wrote about a deadline: an explanation, or an extension that they ask for
        "deadline_entries",
        metadata,
        _township(),
        Column("entry_id", Id, nullable=False),
        Column("record_id", Id, nullable=False),
        Column("rule", String(40), nullable=False),
        Column("started_n", Number, nullable=False),
        Column("sort", String(11), nullable=False),  # explanation, extension
        Column("words", String(2000), nullable=False),
        Column("author", Id, nullable=False),
        Column("written_ms", Millis, nullable=False),
        Column("unit", String(12)),  # of an extension: by so many of these
        Column("amount", Integer),
        Column("approved", Boolean),  # none: nobody has decided
        Column("decided_by", Id),
        Column("decided_ms", Millis),
        Column("decided_words", String(2000)),
        _key("deadline_entries", "entry_id"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_deadline_entries_records",
        ),
        Index("ix_deadline_entries_record", "township_id", "record_id"),
    )
)

# Township tables: the audit. What concerns no township has a chain of its own, so none refers to `townships`.

audit_entries = Table(
    "audit_entries",
    metadata,
    _township(),
    Column("n", BigInteger, nullable=False),  # of the chain: from 1, without gaps
    Column("at_ms", Millis, nullable=False),
    Column("act", String(40), nullable=False),
    Column("actor", String(60), nullable=False),
    Column("detail", LargeBinary),  # both are absent once they were erased
    Column("salt", LargeBinary),
    Column("commitment", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    _key("audit_entries", "n"),
)

audit_heads = Table(  # where each chain ends; its row is the lock of whoever appends
    "audit_heads",
    metadata,
    _township(),
    Column("n", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    _key("audit_heads"),
)
