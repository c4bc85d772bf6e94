"""One-time links with which somebody sets a password and a second factor: for the first administrator too."""

from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.declined import Declined
from server.services import Services
from server.sessions import noted, passwords, second_factor
from server.sessions.service import refuse
from server.sessions.tokens import LINK, kept, new_secret, township_in
from server.staff.roles import TITLES
from server.storage import sign_in, staff, townships
from server.storage.engine import snapshot
from server.storage.sign_in import Credential, LinkRow
from server.storage.staff import StaffRow

PATH: Final = "/welcome#"
"""What stands before the secret in a link. What follows a # stays in the browser: no server logs it."""
_HOUR_MS: Final = 3_600_000


class Offer(msgspec.Struct, frozen=True):
    """What a link is for: whose it is, and the second factor that comes with it."""

    name: str
    township: str
    role: str
    title: str
    """The role in Chinese."""
    mandatory: bool
    """Whether this role does not sign in without the second factor."""
    secret: str
    """For authenticators that take no picture."""
    uri: str
    """What an authenticator scans."""
    qr: str
    """The same as a picture, as a data: URI."""


class LinkUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a link is used for: a password, and a code of the second factor, if it is to be used."""

    link: str
    password: str
    code: str | None = None


class Recovery(msgspec.Struct, frozen=True):
    """Recovery codes, shown once; none without a second factor."""

    recovery: list[str]


async def make(services: Services, person: StaffRow, by: Actor = OPERATOR) -> str:
    """A new link's secret for a person; their earlier links are void. The caller shows it and forgets it."""
    secret, now_ms = new_secret(LINK, person.township, services.random), services.clock()
    expires_ms = now_ms + services.sign_in.link_hours * _HOUR_MS
    told: dict[str, Value] = {"staff": person.staff_id, "expires_ms": expires_ms}
    row = LinkRow(kept(secret), person.staff_id, second_factor.new_secret(services.random), expires_ms)

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, person.township)
        await sign_in.replace_links(connection, person.township, person.staff_id, row)
        await append(connection, Act(person.township, "link_made", by, now_ms, told))

    await services.write(person.township, work)
    return secret


async def read(services: Services, secret: str) -> Offer:
    """What a link is for; declines one that is wrong, used or expired."""
    person, row = await snapshot(services.engine, partial(_valid, services=services, secret=secret))
    uri = second_factor.uri(row.totp_secret, person.name, person.township)
    return Offer(
        person.name,
        person.township,
        person.role,
        TITLES.get(person.role, person.role),
        person.role in second_factor.MANDATORY,
        row.totp_secret,
        uri,
        second_factor.picture(uri),
    )


async def use(services: Services, given: LinkUse) -> Recovery:
    """Sets the password, and the second factor when a code of it came; the link is used up. Raises Declined."""
    person, row = await snapshot(services.engine, partial(_valid, services=services, secret=given.link))
    refuse(given.password, services, person.name, person.township)
    now_ms = services.clock()
    step = second_factor.step_of(given.code, row.totp_secret, 0, now_ms) if given.code else None
    if step is None and given.code:
        raise Declined("sign_in_failed", "the code is not that of the telephone", field="code")
    if step is None and person.role in second_factor.MANDATORY:
        raise Declined("second_factor_required")
    recovery = second_factor.new_recovery(services.random) if step is not None else []
    credential = Credential(
        person.staff_id,
        await passwords.hashed(given.password),
        row.totp_secret if step is not None else None,
        step or 0,
        tuple(second_factor.recovery_hash(code) for code in recovery),
        now_ms,
    )

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, person.township)
        await _valid(connection, services, given.link)
        before = await sign_in.credential(connection, person.township, person.staff_id)
        await sign_in.replace_links(connection, person.township, person.staff_id, None)
        await sign_in.put_credential(connection, person.township, credential)
        await sign_in.end_sessions_of(connection, person.township, person.staff_id)
        await noted.note(connection, person.township, person.staff_id, "link_used", now_ms)
        await noted.note_factor(connection, person.township, before, credential)

    await services.write(person.township, work)
    return Recovery(recovery)


async def _valid(connection: AsyncConnection, services: Services, secret: str) -> tuple[StaffRow, LinkRow]:
    township = township_in(LINK, secret)
    row = await sign_in.link(connection, township, kept(secret)) if township else None
    if township is None or row is None or services.clock() >= row.expires_ms:
        raise Declined("link_invalid")
    found = await staff.find(connection, row.staff_id, township)
    if not found or found[0].disabled_ms is not None:
        raise Declined("link_invalid")
    return found[0], row
