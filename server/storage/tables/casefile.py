"""What the office keeps beside a matter: slips, urgings, who handles it how (docs/casefile.md)."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Table

from server.storage.tables.base import Id, Millis, key, metadata, township


def _of_record(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["township_id", "record_id"], ["records.township_id", "records.record_id"], name=f"fk_{table}_records"
    )


slips = Table(  # what was handed out on paper; a row stays when its body goes, so no number is missing
    "slips",
    metadata,
    township(),
    Column("slip_id", Id, nullable=False),
    Column("record_id", Id, nullable=False),
    Column("sort", String(20), nullable=False),
    Column("year", Integer, nullable=False),
    Column("serial", Integer, nullable=False),
    Column("body", LargeBinary),  # template and values, sealed; none: erased
    Column("made_by", Id, nullable=False),
    Column("made_ms", Millis, nullable=False),
    key("slips", "slip_id"),
    _of_record("slips"),
    Index("ix_slips_record", "township_id", "record_id"),
    Index("uq_slips_number", "township_id", "sort", "year", "serial", unique=True),
)

slip_templates = Table(  # a township's own words for a sort of slip; the newest revision counts
    "slip_templates",
    metadata,
    township(),
    Column("sort", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("text", String(8000), nullable=False),  # empty: the shipped one counts again
    Column("actor", String(60), nullable=False),
    Column("set_ms", Millis, nullable=False),
    key("slip_templates", "sort", "revision"),
)

urgings = (
    Table(  # somebody was urged, or is supervised, by a person; what deadlines tell by themselves is theirs
        "urgings",
        metadata,
        township(),
        Column("urging_id", Id, nullable=False),
        Column("record_id", Id, nullable=False),
        Column("sort", String(10), nullable=False),  # urge, supervise
        Column("words", String(2000), nullable=False),
        Column("made_by", Id, nullable=False),
        Column("made_ms", Millis, nullable=False),
        Column("answered_by", Id),
        Column("answered_ms", Millis),
        Column("answer", String(2000)),
        key("urgings", "urging_id"),
        _of_record("urgings"),
        Index("ix_urgings_record", "township_id", "record_id"),
        Index("ix_urgings_answered", "township_id", "answered_ms", "made_ms"),
    )
)

case_plans = Table(  # of the units that a matter is assigned to, the one that leads; the team and the plan
    "case_plans",
    metadata,
    township(),
    Column("record_id", Id, nullable=False),
    Column("lead", String(50), nullable=False),
    Column("team", String(500), nullable=False),
    Column("plan", String(2000), nullable=False),
    Column("set_by", Id, nullable=False),
    Column("set_ms", Millis, nullable=False),
    key("case_plans", "record_id"),
    _of_record("case_plans"),
)

village_defaults = Table(  # to whom the matters of a village are given, unless somebody says otherwise
    "village_defaults",
    metadata,
    township(),
    Column("village", String(12), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("set_by", Id, nullable=False),
    Column("set_ms", Millis, nullable=False),
    key("village_defaults", "village"),
)
