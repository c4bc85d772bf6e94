"""Makes the two sorts of tables on SQLite, PostgreSQL and PostgreSQL with Citus, inside a revision.

    township_table("grids", Column(...), PrimaryKeyConstraint("township_id", ...), ForeignKeyConstraint(...))
    reference_table("divisions", Column(...), ...)

With Citus, a township table is distributed by township, beside `townships`, and a reference table is copied
to every node. On a PostgreSQL whose township tables are partitioned, a new one is partitioned alike.
Elsewhere both are plain tables.
"""

from typing import Any, Final

from alembic import context, op
from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, PrimaryKeyConstraint, text

Item = Column[Any] | PrimaryKeyConstraint | ForeignKeyConstraint | Index

_ANCHOR: Final = "townships"
"""The first township table: all others lie beside its rows."""


def township_table(name: str, *items: Item) -> None:
    """Creates a table that belongs to townships: `township_id` comes first in its primary key."""
    connection = op.get_bind()
    if _has_citus(connection):
        # A local table must not point to a distributed one, so foreign keys come after distribution.
        keys = [item for item in items if isinstance(item, ForeignKeyConstraint)]
        op.create_table(name, *(item for item in items if not isinstance(item, ForeignKeyConstraint)))
        distribute(name)
        for key in keys:
            _add_foreign_key(name, key)
        return
    parts = _partitions(connection, name)
    if not parts:
        op.create_table(name, *items)
        return
    op.create_table(name, *items, postgresql_partition_by="HASH (township_id)")
    for part in range(parts):
        bounds = f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {part})"
        op.execute(f"CREATE TABLE {name}_p{part} PARTITION OF {name} {bounds}")


def reference_table(name: str, *items: Item) -> None:
    """Creates a small table that every township reads."""
    op.create_table(name, *items)
    if _has_citus(op.get_bind()):
        op.execute(f"SELECT create_reference_table('{name}')")


def distribute(name: str) -> None:
    """Distributes an empty township table by `township_id` where Citus is; does nothing elsewhere."""
    if _has_citus(op.get_bind()):
        beside = "none" if name == _ANCHOR else _ANCHOR
        op.execute(f"SELECT create_distributed_table('{name}', 'township_id', colocate_with => '{beside}')")


def _add_foreign_key(name: str, key: ForeignKeyConstraint) -> None:
    referred = [element.target_fullname.rpartition(".") for element in key.elements]
    op.create_foreign_key(
        str(key.name),
        name,
        referred[0][0],
        [str(column) for column in key.column_keys],
        [column for _, _, column in referred],
    )


def _has_citus(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    found = connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")).scalar()
    return found is not None


def _partitions(connection: Connection, name: str) -> int:
    """Into how many parts township tables are split here; 0 when they are whole."""
    if connection.dialect.name != "postgresql":
        return 0
    if name == _ANCHOR:
        return int(context.config.attributes.get("partitions", 0))
    counted = text("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(:anchor)")
    return int(connection.execute(counted, {"anchor": _ANCHOR}).scalar_one())
