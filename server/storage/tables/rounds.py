"""How often places are screened, and whom they call (docs/console.md)."""

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Table

from server.storage.tables.base import Id, Millis, key, metadata, township

screenings = Table(  # a village's own row counts before that of the township
    "screenings",
    metadata,
    township(),
    Column("place", String(12), nullable=False),  # the township itself, or a village
    Column("cadence", String(10), nullable=False),  # daily, weekly, half_month, month
    Column("cut_off_hour", Integer, nullable=False),  # hours after the period's last day began, 1 to 48
    Column("duty_phone", String(40)),
    Column("set_by", Id, nullable=False),
    Column("set_ms", Millis, nullable=False),
    key("screenings", "place"),
    ForeignKeyConstraint(["township_id"], ["townships.township_id"], name="fk_screenings_townships"),
)
