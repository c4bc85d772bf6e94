"""Applications: one row in each township that a token names."""

from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import applications


class ApplicationRow(msgspec.Struct, frozen=True):
    """An application in one township; the token itself is not kept, only its SHA-256."""

    township: str
    application_id: str
    name: str
    token_hash: str
    scopes: tuple[str, ...]
    added_ms: int
    revoked_ms: int | None
    expires_ms: int | None = None


_SELECT = select(
    applications.c.township_id,
    applications.c.application_id,
    applications.c.name,
    applications.c.token_hash,
    applications.c.scopes,
    applications.c.added_ms,
    applications.c.revoked_ms,
    applications.c.expires_ms,
)


async def add(connection: AsyncConnection, row: ApplicationRow) -> None:
    """Keeps an application in its township."""
    values: dict[str, Any] = msgspec.structs.asdict(row)
    values["township_id"] = values.pop("township")
    await connection.execute(insert(applications).values({**values, "scopes": list(row.scopes)}))


async def read(connection: AsyncConnection, township: str, application: str) -> ApplicationRow | None:
    """An application of a township, revoked or not; None when there is none such."""
    found = _SELECT.where(
        applications.c.township_id == township, applications.c.application_id == application
    )
    row = (await connection.execute(found)).one_or_none()
    return None if row is None else _row(row)


async def listed(connection: AsyncConnection, application: str | None = None) -> list[ApplicationRow]:
    """The rows of one application or of all, in all townships."""
    found = _SELECT if application is None else _SELECT.where(applications.c.application_id == application)
    rows = await connection.execute(
        found.order_by(applications.c.added_ms, applications.c.application_id, applications.c.township_id)
    )
    return [_row(row) for row in rows]


async def set_revoked(connection: AsyncConnection, township: str, application: str, revoked_ms: int) -> bool:
    """Revokes an application in one township; False for one that is revoked already, which keeps its time."""
    changed = update(applications).where(
        applications.c.township_id == township,
        applications.c.application_id == application,
        applications.c.revoked_ms.is_(None),
    )
    return bool((await connection.execute(changed.values(revoked_ms=revoked_ms))).rowcount)


def _row(row: Any) -> ApplicationRow:
    values = dict(zip(ApplicationRow.__struct_fields__, row, strict=True))
    return msgspec.convert(values, ApplicationRow)
