"""Signs people in and out, and knows who a session is.

Every way in which a sign-in fails looks alike and takes as long: one password is verified whether the name
is known or not. A failure is counted before the password is looked at, so that many guesses at once are many
failures; success takes them back.
"""

import hashlib
import unicodedata
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Actor
from server.declined import Declined
from server.offices import is_county, is_office
from server.rights import Person
from server.services import Services
from server.sessions import noted, passwords, second_factor
from server.sessions.tokens import SESSION, kept, new_secret, township_in
from server.storage import devices, directory, sign_in, staff, townships
from server.storage.engine import snapshot
from server.storage.sign_in import Attempts, Credential, SessionRow
from server.storage.staff import StaffRow

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_FORGIVEN_MS: Final = 24 * _HOUR_MS
_DOUBLINGS_MAX: Final = 30


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody types: a name (or id) that is unique in the township or county, a password, and a code."""

    township: str
    name: str
    password: str
    code: str | None = None
    """Six digits of an authenticator, or a recovery code."""


class Session(msgspec.Struct, frozen=True):
    """A session that has begun: its secret, which goes into a cookie, and whose it is."""

    secret: str
    person: Person


async def begin(services: Services, given: SignIn, before: str | None) -> Session:
    """A new session; the one that the browser brought along (`before`) is over. Raises Declined."""
    township = given.township if is_office(given.township) else ""
    person, credential = await _known(services, township, given.name)
    account = await count_attempt(services, township, person, given.name)
    right = await passwords.fits(given.password, credential.password_hash if credential else None)
    if not right or person is None or credential is None:
        raise Declined("sign_in_failed")
    if credential.totp_secret is None and person.role in second_factor.MANDATORY:
        raise Declined("forbidden", "this role signs in with a second factor: ask for a new link")
    if credential.totp_secret is not None and not given.code:
        raise Declined("second_factor_required")
    secret = new_secret(SESSION, township, services.random)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> Person:
        await townships.lock(connection, township)
        fresh = await sign_in.credential(connection, township, person.staff_id)
        if fresh is None or fresh.password_hash != credential.password_hash:
            raise Declined("sign_in_failed")
        left = await _use_factor(connection, township, fresh, given.code or "", now_ms)
        await sign_in.put_attempts(connection, township, account, None)
        if before is not None and township_in(SESSION, before) == township:
            await sign_in.end_session(connection, township, kept(before))
        await sign_in.add_session(
            connection, township, SessionRow(kept(secret), person.staff_id, now_ms, now_ms)
        )
        known = await _person(connection, person)
        await _forget(connection, services, township, now_ms)
        if left is not None:
            await noted.note(connection, township, person.staff_id, "recovery_code_used", now_ms, left=left)
        await noted.note(connection, township, person.staff_id, "signed_in", now_ms)
        return known

    return Session(secret, await services.write(township, work))


async def who(services: Services, secret: str, *, at_work: bool = True) -> Person | None:
    """Whose session this is; None for one that is over or never was. Notes once a minute that it is used.

    A page that asks by itself is nobody at work: it keeps no session open.
    """
    township = township_in(SESSION, secret)
    if township is None:
        return None
    hashed, now_ms = kept(secret), services.clock()

    async def read(connection: AsyncConnection) -> tuple[SessionRow, Person] | None:
        row = await sign_in.session(connection, township, hashed)
        if row is None or _over(services, row, now_ms):
            return None
        found = await staff.find(connection, row.staff_id, township)
        return (row, await _person(connection, found[0])) if found and found[0].disabled_ms is None else None

    found = await snapshot(services.engine, read)
    if found is None:
        return None
    row, person = found
    if at_work and now_ms - row.seen_ms >= _MINUTE_MS:
        await services.write(township, lambda c: sign_in.touch(c, township, hashed, now_ms))
    return person


async def end(services: Services, secret: str) -> None:
    """Signs out."""
    township = township_in(SESSION, secret) or ""

    async def work(connection: AsyncConnection) -> None:
        row = await sign_in.session(connection, township, kept(secret))
        if row is not None:
            await sign_in.end_session(connection, township, kept(secret))
            await noted.note(connection, township, row.staff_id, "signed_out", services.clock())

    await services.write(township, work)


async def end_all(services: Services, township: str, staff_id: str, by: Actor) -> None:
    """Ends every session of a person of a township; declines somebody who is not there."""

    async def work(connection: AsyncConnection) -> None:
        if not [row for row in await staff.find(connection, staff_id, township) if row.staff_id == staff_id]:
            raise Declined("not_found")
        await noted.end_sessions(connection, township, staff_id, by, services.clock())

    await services.write(township, work)


async def change_password(services: Services, person: Person, old: str, new: str) -> None:
    """Sets another password and ends every session of the person. Raises Declined."""
    township = person.township
    found, credential = await _known(services, township, person.staff_id)
    account = await count_attempt(services, township, found, person.staff_id)
    right = await passwords.fits(old, credential.password_hash if credential else None)
    if not right or credential is None or found is None:
        raise Declined("sign_in_failed")
    refuse(new, services, person.name, township)
    fresh = msgspec.structs.replace(
        credential, password_hash=await passwords.hashed(new), changed_ms=services.clock()
    )

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        await sign_in.put_credential(connection, township, fresh)
        await sign_in.put_attempts(connection, township, account, None)
        await sign_in.end_sessions_of(connection, township, person.staff_id)
        await noted.note(connection, township, person.staff_id, "password_changed", fresh.changed_ms)

    await services.write(township, work)


def refuse(password: str, services: Services, *names: str) -> None:
    """Declines a password that is not taken, with the reason."""
    reason = passwords.refusal(password, services.sign_in.password_chars_min, *names)
    if reason is not None:
        raise Declined("password_refused", reason, field="password")


async def count_attempt(services: Services, township: str, person: StaffRow | None, typed: str) -> str:
    """Counts a failure in advance, and gives what it is counted under; declines while that has to wait."""
    limits, now_ms = services.sign_in, services.clock()
    account = account_of(township, person.staff_id if person is not None else typed)

    async def work(connection: AsyncConnection) -> None:
        if not township or await townships.lock(connection, township) is None:
            return
        known = await sign_in.attempts_of(connection, township, account)
        over = known.failures - limits.sign_in_failures
        wait_s = min(2 ** min(over, _DOUBLINGS_MAX), limits.sign_in_wait_s_max) if over >= 0 else 0
        left_ms = known.last_ms + 1_000 * wait_s - now_ms
        if 0 < left_ms <= 1_000 * wait_s:  # a clock that was set back locks nobody out for long
            left_s = -(-left_ms // 1_000)
            raise Declined("too_many_requests", "too many failed sign-ins; wait", retry_after_s=left_s)
        await sign_in.put_attempts(connection, township, account, Attempts(known.failures + 1, now_ms))
        if person is None:
            await noted.count_unknown(connection, township, now_ms)
        elif noted.is_told(known.failures, limits.sign_in_failures):
            await noted.note_failures(connection, township, person.staff_id, known.failures, now_ms)

    await services.write(township, work)
    return account


def account_of(township: str, who: str) -> str:
    """Under what the failures of an account are kept: its id, or what was typed where there is none."""
    plain = unicodedata.normalize("NFKC", " ".join(who.split())).lower()
    return hashlib.sha256(f"{township}\0{plain}".encode(errors="replace")).hexdigest()


async def _known(services: Services, township: str, name: str) -> tuple[StaffRow | None, Credential | None]:
    """The person of a name or id who may sign in, and what with."""
    plain = unicodedata.normalize("NFC", " ".join(name.split()))

    async def read(connection: AsyncConnection) -> tuple[StaffRow | None, Credential | None]:
        if not township or not plain.isprintable():
            return None, None
        found = [row for row in await staff.find(connection, plain, township) if row.disabled_ms is None]
        person = found[0] if len(found) == 1 else None
        wanted = person.staff_id if person is not None else None
        return person, await sign_in.credential(connection, township, wanted) if wanted else None

    return await snapshot(services.engine, read)


async def _use_factor(
    connection: AsyncConnection, township: str, credential: Credential, code: str, now_ms: int
) -> int | None:
    """Uses a code up, where there is a second factor; how many recovery codes are left when it was one of them."""
    if credential.totp_secret is None:
        return None
    used = _used(credential, code, now_ms)
    await sign_in.put_credential(connection, township, used)
    return len(used.recovery) if used.recovery != credential.recovery else None


def _used(credential: Credential, code: str, now_ms: int) -> Credential:
    """The credential after its second factor was used; raises Declined for a code that is not right."""
    step = second_factor.step_of(code, credential.totp_secret or "", credential.totp_step, now_ms)
    if step is not None:
        return msgspec.structs.replace(credential, totp_step=step)
    left = second_factor.without(code, credential.recovery)
    if left is None:
        raise Declined("sign_in_failed")
    return msgspec.structs.replace(credential, recovery=tuple(left))


def _over(services: Services, row: SessionRow, now_ms: int) -> bool:
    limits = services.sign_in
    idle, age = now_ms - row.seen_ms, now_ms - row.started_ms
    return idle >= limits.session_idle_minutes * _MINUTE_MS or age >= limits.session_hours * _HOUR_MS


async def _forget(connection: AsyncConnection, services: Services, township: str, now_ms: int) -> None:
    limits = services.sign_in
    started, seen = limits.session_hours * _HOUR_MS, limits.session_idle_minutes * _MINUTE_MS
    await sign_in.forget_sessions(connection, township, now_ms - started, now_ms - seen)
    await sign_in.forget_attempts(connection, township, now_ms - _FORGIVEN_MS)
    await noted.tell_rest(connection, township, now_ms)


async def _person(connection: AsyncConnection, row: StaffRow) -> Person:
    own = await devices.grids_of(connection, row.township, row.staff_id) if row.role == "grid_worker" else ()
    named = bool(row.sees_restricted)
    towns = await directory.towns_of(connection, row.township) if is_county(row.township) else (row.township,)
    return Person(row.township, row.staff_id, row.name, row.role, row.village, row.unit, own, named, towns)
