"""Deadlines (docs/deadlines.md)."""

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Table, text

from server.storage.tables.base import Id, Millis, Number, key, metadata, township

deadline_rules = Table(  # what a township lays over the rules that ship; the newest revision counts
    "deadline_rules",
    metadata,
    township(),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("actor", String(60), nullable=False),
    Column("installed_ms", Millis, nullable=False),
    key("deadline_rules", "revision"),
)

deadline_passes = (
    Table(  # how far the township's deadlines are reckoned; its row is the lock of whoever writes them
        "deadline_passes",
        metadata,
        township(),
        Column("reached", Number, nullable=False),  # the newest change that was looked at
        Column("edition", Integer, nullable=False),  # of the shipped rules
        Column("revision", Integer, nullable=False),  # of the township's own
        Column("since_ms", Millis, nullable=False),  # when these came into force
        Column("renewed", String(36)),  # the last record that they were applied to; none: to all
        Column("told", Number, nullable=False),  # the last number given to an event
        key("deadline_passes"),
    )
)

deadlines = Table(
    "deadlines",
    metadata,
    township(),
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
    key("deadlines", "record_id", "rule", "started_n"),
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
    township(),
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
    key("deadline_events", "n"),
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
        township(),
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
        key("deadline_entries", "entry_id"),
        ForeignKeyConstraint(
            ["township_id", "record_id"],
            ["records.township_id", "records.record_id"],
            name="fk_deadline_entries_records",
        ),
        Index("ix_deadline_entries_record", "township_id", "record_id"),
        Index(
            "ix_deadline_entries_undecided",
            "township_id",
            "written_ms",
            postgresql_where=text("sort = 'extension' AND approved IS NULL"),
            sqlite_where=text("sort = 'extension' AND approved IS NULL"),
        ),
    )
)
