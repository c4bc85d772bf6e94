"""Makes tokens, checks them, revokes them."""

import hmac
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.applications.tokens import TOWNSHIPS_MAX, new_token, read, token_hash
from server.audit.acts import OPERATOR, Act, Actor
from server.audit.log import append
from server.directory.working import required
from server.refused import RefusedError
from server.rights import Application, rights
from server.storage import applications
from server.storage.applications import ApplicationRow
from server.storage.engine import snapshot, transact
from sync_protocol.ids import RANDOM_BYTES, is_id, uuid7

Random = Callable[[int], bytes]
SCOPES: Final = rights().scopes
NAME_CHARS_MAX: Final = 50
DAYS_DEFAULT: Final = 365
DAYS_MAX: Final = 3_650
_DAY_MS: Final = 86_400_000


class Listed(msgspec.Struct, frozen=True):
    """An application as lists show it."""

    id: str
    name: str
    townships: tuple[str, ...]
    scopes: tuple[str, ...]
    added_ms: int
    revoked_ms: int | None
    expires_ms: int | None
    """None for a token from before tokens expired."""


class NewApplication(msgspec.Struct, frozen=True):
    """A new application with its token, which is shown once and kept nowhere."""

    application: Listed
    token: str


async def add(
    engine: AsyncEngine,
    name: str,
    scopes: Sequence[str],
    townships: Sequence[str],
    *,
    now_ms: int,
    random: Random,
    days: int = DAYS_DEFAULT,
    by: Actor = OPERATOR,
) -> NewApplication:
    """Makes an application and its token; raises RefusedError for unknown scopes and townships.

    The token opens nothing any more after `days`.

    Its rows are written township by township. The token is genuine only when all are there, so a failure
    between them leaves rows that open nothing.
    """
    name, wanted, where = _checked(name, scopes, townships)
    if not 1 <= days <= DAYS_MAX:
        message = f"A token is valid for 1 to {DAYS_MAX:,} days, not for {days:,}: say so with --days."
        raise RefusedError(message)
    expires_ms = now_ms + days * _DAY_MS
    application = uuid7(now_ms, random(RANDOM_BYTES))
    token = new_token(application, where, random)

    for township in where:
        await snapshot(engine, partial(required, township=township))
    for township in where:
        row = ApplicationRow(township, application, name, token_hash(token), wanted, now_ms, None, expires_ms)
        await transact(engine, partial(_add, row=row, by=by))
    return NewApplication(Listed(application, name, where, wanted, now_ms, None, expires_ms), token)


async def authenticate(engine: AsyncEngine, token: str, now_ms: int) -> Application | None:
    """The application of a genuine token that is valid now; None for any other text, whatever is wrong with it."""
    named = read(token)
    if named is None:
        return None
    hashed = token_hash(token)
    rows: list[ApplicationRow] = []
    for township in named.townships:
        work = partial(applications.read, township=township, application=named.application)
        row = await snapshot(engine, work)
        if row is None or not hmac.compare_digest(row.token_hash, hashed) or _over(row, now_ms):
            return None
        rows.append(row)
    return Application(named.application, rows[0].name, named.townships, frozenset(rows[0].scopes))


async def listed(engine: AsyncEngine) -> list[Listed]:
    """Every application, the oldest first."""
    rows = await snapshot(engine, applications.listed)
    return [_listed(list(group)) for _, group in groupby(rows, lambda row: row.application_id)]


async def revoke(engine: AsyncEngine, application: str, *, now_ms: int, by: Actor = OPERATOR) -> Listed:
    """Revokes an application's token, for ever, in all its townships. May be repeated."""

    async def find(connection: AsyncConnection) -> list[ApplicationRow]:
        return await applications.listed(connection, application) if is_id(application) else []

    rows = await snapshot(engine, find)
    if not rows:
        message = f"There is no application {application[:60]!r}: see `roundbook application list`."
        raise RefusedError(message)
    for row in rows:
        await transact(engine, partial(_revoke, row=row, now_ms=now_ms, by=by))
    found = _listed(rows)
    return msgspec.structs.replace(found, revoked_ms=found.revoked_ms or now_ms)


async def _add(connection: AsyncConnection, row: ApplicationRow, by: Actor) -> None:
    await applications.add(connection, row)
    told = {"application": row.application_id, "scopes": row.scopes}
    await append(connection, Act(row.township, "application_added", by, row.added_ms, told))


async def _revoke(connection: AsyncConnection, row: ApplicationRow, now_ms: int, by: Actor) -> None:
    if await applications.set_revoked(connection, row.township, row.application_id, now_ms):
        told = {"application": row.application_id}
        await append(connection, Act(row.township, "application_revoked", by, now_ms, told))


def _over(row: ApplicationRow, now_ms: int) -> bool:
    return row.revoked_ms is not None or (row.expires_ms is not None and now_ms >= row.expires_ms)


def _checked(
    name: str, scopes: Sequence[str], townships: Sequence[str]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Name, scopes and townships, each once and in order; raises RefusedError."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
        message = f"An application has a name of 1 to {NAME_CHARS_MAX} characters."
        raise RefusedError(message)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        came = f"There is no scope {unknown[0][:40]!r}" if unknown else "No scope was named"
        message = f"{came}: write --scope for each of {', '.join(SCOPES)} that it needs."
        raise RefusedError(message)
    if not 1 <= len(set(townships)) <= TOWNSHIPS_MAX:
        message = f"A token names 1 to {TOWNSHIPS_MAX} townships, not {len(set(townships))}."
        raise RefusedError(message)
    return name, tuple(s for s in SCOPES if s in scopes), tuple(sorted(set(townships)))


def _listed(rows: list[ApplicationRow]) -> Listed:
    revoked = [row.revoked_ms for row in rows if row.revoked_ms is not None]
    return Listed(
        rows[0].application_id,
        rows[0].name,
        tuple(row.township for row in rows),
        rows[0].scopes,
        rows[0].added_ms,
        min(revoked) if revoked else None,
        rows[0].expires_ms,
    )
