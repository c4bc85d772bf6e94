"""Reference tables: small, rarely written, shared by all townships."""

from sqlalchemy import Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, Table

from server.storage.tables.base import TOWNSHIP, Millis, metadata

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
