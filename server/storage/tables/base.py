"""What every table is made of: the metadata, types that all databases have, the township's column."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    MetaData,
    PrimaryKeyConstraint,
    String,
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


def township() -> Column[str]:
    """The column that leads every township table."""
    return Column("township_id", TOWNSHIP, nullable=False)


def key(table: str, *columns: str) -> PrimaryKeyConstraint:
    """The primary key of a township table: the township, then these columns."""
    return PrimaryKeyConstraint("township_id", *columns, name=f"pk_{table}")
