"""Credentials, sessions, one-time links and failed attempts of a township's people."""

from typing import Any, Final

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import attempts, credentials, links, sessions
from server.vault.keeping import keys_of, opening

UNKNOWN: Final = "unknown"
"""The row of attempts that counts names which nobody has. No account's hash looks like this."""


class Credential(msgspec.Struct, frozen=True):
    """What somebody signs in with. The password's hash, and the hashes of unused recovery codes."""

    staff_id: str
    password_hash: str
    totp_secret: str | None
    totp_step: int
    recovery: tuple[str, ...]
    changed_ms: int


class SessionRow(msgspec.Struct, frozen=True):
    """One session, by the hash of its secret."""

    session_hash: str
    staff_id: str
    started_ms: int
    seen_ms: int


class LinkRow(msgspec.Struct, frozen=True):
    """A one-time link, by the hash of its secret, with the second factor that it offers."""

    link_hash: str
    staff_id: str
    totp_secret: str
    expires_ms: int


class Attempts(msgspec.Struct, frozen=True):
    """How often in a row somebody failed to sign in to an account, and when last."""

    failures: int
    last_ms: int


_FACTOR: Final = "second factor "
"""Before the person's id: what their secret is sealed for."""
_CREDENTIAL: Final = select(
    credentials.c.staff_id,
    credentials.c.password_hash,
    credentials.c.totp_secret,
    credentials.c.totp_step,
    credentials.c.recovery,
    credentials.c.changed_ms,
)
_SESSION: Final = select(
    sessions.c.session_hash, sessions.c.staff_id, sessions.c.started_ms, sessions.c.seen_ms
)
_LINK: Final = select(links.c.link_hash, links.c.staff_id, links.c.totp_secret, links.c.expires_ms)


async def credential(connection: AsyncConnection, township: str, staff_id: str) -> Credential | None:
    """What a person signs in with; None before they have set a password."""
    found = _CREDENTIAL.where(credentials.c.township_id == township, credentials.c.staff_id == staff_id)
    row = (await connection.execute(found)).one_or_none()
    if row is None:
        return None
    secret = await _opened(connection, township, staff_id, row.totp_secret)
    plain = (row.staff_id, row.password_hash, secret, row.totp_step)
    return Credential(*plain, tuple(row.recovery), row.changed_ms)


async def put_credential(connection: AsyncConnection, township: str, given: Credential) -> None:
    """Keeps it instead of the one that was there; the caller holds the township's lock."""
    await connection.execute(
        delete(credentials).where(
            credentials.c.township_id == township, credentials.c.staff_id == given.staff_id
        )
    )
    secret = await _sealed(connection, township, given.staff_id, given.totp_secret)
    values: dict[str, Any] = {**msgspec.structs.asdict(given), "recovery": list(given.recovery)}
    values["totp_secret"] = secret
    await connection.execute(insert(credentials).values({**values, "township_id": township}))


async def with_password(connection: AsyncConnection, township: str) -> set[str]:
    """The people of a township who have set a password."""
    rows = await connection.execute(
        select(credentials.c.staff_id).where(credentials.c.township_id == township)
    )
    return {row.staff_id for row in rows}


async def session(connection: AsyncConnection, township: str, hashed: str) -> SessionRow | None:
    """A session, over or not; None for one that is not there."""
    found = _SESSION.where(sessions.c.township_id == township, sessions.c.session_hash == hashed)
    row = (await connection.execute(found)).one_or_none()
    return None if row is None else SessionRow(*row)


async def add_session(connection: AsyncConnection, township: str, row: SessionRow) -> None:
    """Begins a session."""
    await connection.execute(
        insert(sessions).values({**msgspec.structs.asdict(row), "township_id": township})
    )


async def touch(connection: AsyncConnection, township: str, hashed: str, now_ms: int) -> None:
    """Notes that a session was used."""
    mine = update(sessions).where(sessions.c.township_id == township, sessions.c.session_hash == hashed)
    await connection.execute(mine.values(seen_ms=now_ms))


async def end_session(connection: AsyncConnection, township: str, hashed: str) -> None:
    """Ends one session."""
    await connection.execute(
        delete(sessions).where(sessions.c.township_id == township, sessions.c.session_hash == hashed)
    )


async def end_sessions_of(connection: AsyncConnection, township: str, staff_id: str) -> int:
    """Ends every session of a person; how many there were."""
    mine = delete(sessions).where(sessions.c.township_id == township, sessions.c.staff_id == staff_id)
    return (await connection.execute(mine)).rowcount


async def forget_sessions(
    connection: AsyncConnection, township: str, started_before_ms: int, seen_before_ms: int
) -> None:
    """Drops a township's sessions that are over."""
    over = (sessions.c.started_ms < started_before_ms) | (sessions.c.seen_ms < seen_before_ms)
    await connection.execute(delete(sessions).where(sessions.c.township_id == township, over))


async def link(connection: AsyncConnection, township: str, hashed: str) -> LinkRow | None:
    """A link that was not used yet, expired or not."""
    found = _LINK.where(links.c.township_id == township, links.c.link_hash == hashed)
    row = (await connection.execute(found)).one_or_none()
    if row is None:
        return None
    secret = await _opened(connection, township, row.staff_id, row.totp_secret)
    return LinkRow(row.link_hash, row.staff_id, secret or "", row.expires_ms)


async def replace_links(
    connection: AsyncConnection, township: str, staff_id: str, row: LinkRow | None
) -> None:
    """Drops the links of a person, and keeps the one that is given instead."""
    await connection.execute(
        delete(links).where(links.c.township_id == township, links.c.staff_id == staff_id)
    )
    if row is not None:
        secret = await _sealed(connection, township, staff_id, row.totp_secret)
        values = {**msgspec.structs.asdict(row), "totp_secret": secret, "township_id": township}
        await connection.execute(insert(links).values(values))


async def _sealed(
    connection: AsyncConnection, township: str, staff_id: str, secret: str | None
) -> str | None:
    """The secret of a second factor as it is stored: whoever reads the database cannot make codes of it."""
    if secret is None:
        return None
    return (await keys_of(connection, township)).seal(secret.encode(), _FACTOR + staff_id).decode()


async def _opened(
    connection: AsyncConnection, township: str, staff_id: str, stored: str | None
) -> str | None:
    """The same to be used; one from before secrets were sealed has no colon and is used as it is."""
    if stored is None or ":" not in stored:
        return stored
    sealed = stored.encode()
    plain = await opening(connection, township, lambda keys: keys.open(sealed, _FACTOR + staff_id))
    return plain.decode()


async def reseal(connection: AsyncConnection, township: str) -> None:
    """Seals the secrets of all people and links anew; the caller holds the township's lock."""
    for table, key in ((credentials, credentials.c.staff_id), (links, links.c.link_hash)):
        found = select(key.label("key"), table.c.staff_id, table.c.totp_secret)
        rows = await connection.execute(found.where(table.c.township_id == township))
        for row in rows.all():
            secret = await _opened(connection, township, row.staff_id, row.totp_secret)
            sealed = await _sealed(connection, township, row.staff_id, secret)
            mine = update(table).where(table.c.township_id == township, key == row.key)
            await connection.execute(mine.values(totp_secret=sealed))


async def attempts_of(connection: AsyncConnection, township: str, account: str) -> Attempts:
    """The failures in a row of an account; the caller holds the township's lock."""
    found = select(attempts.c.failures, attempts.c.last_ms).where(
        attempts.c.township_id == township, attempts.c.account_hash == account
    )
    row = (await connection.execute(found)).one_or_none()
    return Attempts(0, 0) if row is None else Attempts(*row)


async def put_attempts(
    connection: AsyncConnection, township: str, account: str, given: Attempts | None
) -> None:
    """Keeps the failures of an account; with None there are none any more."""
    mine = (attempts.c.township_id == township) & (attempts.c.account_hash == account)
    await connection.execute(delete(attempts).where(mine))
    if given is not None:
        values = {"township_id": township, "account_hash": account, **msgspec.structs.asdict(given)}
        await connection.execute(insert(attempts).values(values))


async def forget_attempts(connection: AsyncConnection, township: str, before_ms: int) -> None:
    """Drops failures that are older than a time; what was counted of unknown names stays until it is told."""
    old = (attempts.c.last_ms < before_ms) & (attempts.c.account_hash != UNKNOWN)
    await connection.execute(delete(attempts).where(attempts.c.township_id == township, old))
