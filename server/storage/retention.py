"""How long what is kept, and which records have come to the end of it."""

from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import insert_rows
from server.storage.tables import retention_rules

SCANNED_AT_ONCE: Final = 200


class RuleRow(msgspec.Struct, frozen=True):
    """Another length than a kind declares, for one township; `days` None keeps until somebody erases."""

    kind: str
    days: int | None
    reason: str
    actor: str
    set_ms: int


class Due(msgspec.Struct, frozen=True):
    """A record that has come to the end of a length, and its version when that was seen."""

    record_id: str
    version: int


_RULES: Final = text(
    "SELECT kind, days, reason, actor, set_ms FROM retention_rules WHERE township_id = :t ORDER BY kind"
)
_DROP_RULE: Final = text("DELETE FROM retention_rules WHERE township_id = :t AND kind = :kind")
_CLAIM: Final = text(
    "UPDATE townships SET swept_ms = :now WHERE township_id = :t "
    "AND (swept_ms IS NULL OR swept_ms <= :before OR swept_ms > :now)"
)
_QUIET: Final = (
    "records.township_id = :t AND records.kind = :kind AND records.received_ms < :before "
    "AND records.record_id > :after AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.township_id = :t "
    "AND c.record_id = records.record_id AND c.received_ms >= :before)"
)
_SELECT: Final = "SELECT CAST(record_id AS text) AS record_id, version FROM records WHERE"
_ORDER: Final = f"ORDER BY record_id LIMIT {SCANNED_AT_ONCE}"
_OVER: Final = text(
    f"{_SELECT} {_QUIET} AND (erased IS NULL OR NOT erased) AND (:no_workflow OR closed OR deleted) "
    "AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.township_id = :t AND h.record_id = records.record_id "
    f"AND h.lifted_ms IS NULL) {_ORDER}"
)
_IN_A_GRID: Final = (
    "length(place) = 15 AND NOT closed AND NOT deleted AND (restricted IS NULL OR NOT restricted)"
)
_LEAVING: Final = text(f"{_SELECT} {_QUIET} AND {_IN_A_GRID} {_ORDER}")
FIRST: Final = "00000000-0000-0000-0000-000000000000"
"""Below every id."""


async def rules(connection: AsyncConnection, township: str) -> list[RuleRow]:
    """The lengths that were set for a township."""
    return [RuleRow(*row) for row in await connection.execute(_RULES, {"t": township})]


async def put_rule(connection: AsyncConnection, township: str, row: RuleRow) -> None:
    """Sets a length, or another one."""
    columns = RuleRow.__struct_fields__
    values = [msgspec.structs.astuple(row)]
    await insert_rows(connection, retention_rules, township, columns, values, replace=columns[1:])


async def drop_rule(connection: AsyncConnection, township: str, kind: str) -> bool:
    """What the kind declares counts again; whether something else did."""
    return bool((await connection.execute(_DROP_RULE, {"t": township, "kind": kind})).rowcount)


async def claim(connection: AsyncConnection, township: str, now_ms: int, every_ms: int) -> bool:
    """Whether the township is this process's to look at: nobody has done so for `every_ms`.

    Of several that ask at once, one is told yes. A clock that was set back hinders nobody.
    """
    parameters = {"t": township, "now": now_ms, "before": now_ms - every_ms}
    return bool((await connection.execute(_CLAIM, parameters)).rowcount)


async def over(
    connection: AsyncConnection, township: str, kind: str, before_ms: int, after: str, *, no_workflow: bool
) -> list[Due]:
    """Records of a kind that are over, that nobody has written since `before_ms` and that no hold stands on.

    At most SCANNED_AT_ONCE, in the order of their ids, above `after`. Quarantined changes count as writing.
    """
    parameters = {
        "t": township,
        "kind": kind,
        "before": before_ms,
        "after": after,
        "no_workflow": no_workflow,
    }
    return [Due(*row) for row in await connection.execute(_OVER, parameters)]


async def leaving(
    connection: AsyncConnection, township: str, kind: str, before_ms: int, after: str
) -> list[Due]:
    """Records of a kind without workflow that devices hold and that nobody has written since `before_ms`."""
    parameters = {"t": township, "kind": kind, "before": before_ms, "after": after}
    return [Due(*row) for row in await connection.execute(_LEAVING, parameters)]
