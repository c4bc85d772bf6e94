"""How people sign in (docs/access.md)."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, String, Table

from server.storage.tables.base import Id, Millis, Small, key, metadata, township

credentials = Table(
    "credentials",
    metadata,
    township(),
    Column("staff_id", Id, nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("totp_secret", String(200)),  # sealed; none: the password alone
    Column("totp_step", BigInteger, nullable=False),  # the last step whose code was used
    Column("recovery", Small, nullable=False),  # hashes of the codes that are left
    Column("changed_ms", Millis, nullable=False),
    key("credentials", "staff_id"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_credentials_staff"
    ),
)

sessions = Table(
    "sessions",
    metadata,
    township(),
    Column("session_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column("started_ms", Millis, nullable=False),
    Column("seen_ms", Millis, nullable=False),
    key("sessions", "session_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_sessions_staff"
    ),
    Index("ix_sessions_staff", "township_id", "staff_id"),
)

links = Table(  # one-time links with which people set a password
    "links",
    metadata,
    township(),
    Column("link_hash", String(64), nullable=False),
    Column("staff_id", Id, nullable=False),
    Column(
        "totp_secret", String(200), nullable=False
    ),  # sealed; offered, and kept when a code of it comes back
    Column("expires_ms", Millis, nullable=False),
    key("links", "link_hash"),
    ForeignKeyConstraint(
        ["township_id", "staff_id"], ["staff.township_id", "staff.staff_id"], name="fk_links_staff"
    ),
)

attempts = Table(  # failed sign-ins in a row, by what was typed as the account, whether it exists or not
    "attempts",
    metadata,
    township(),
    Column("account_hash", String(64), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_ms", Millis, nullable=False),
    key("attempts", "account_hash"),
)
