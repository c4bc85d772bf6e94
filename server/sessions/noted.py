"""What of signing in the audit is told, and how often: whoever guesses must not fill the chain.

Every success is an entry. A failure by itself is none. Of an account that exists, failures in a row are told
when they first make it wait, and whenever they have doubled since: 96 guesses a day, which is all that the
waits let through, are five entries. Names that nobody has are counted together, and told once an hour at most.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor, Name, Value
from server.audit.log import append
from server.storage import sign_in
from server.storage.sign_in import UNKNOWN, Attempts, Credential

STRANGER: Final = Actor("unknown")
EVERY_MS: Final = 3_600_000


async def note(
    connection: AsyncConnection, township: str, staff_id: str, act: Name, now_ms: int, **told: Value
) -> None:
    """Something that a person did about their own way in."""
    await append(connection, Act(township, act, Actor("person", staff_id), now_ms, told))


async def note_factor(
    connection: AsyncConnection, township: str, before: Credential | None, now: Credential
) -> None:
    """That a second factor was set, exchanged or taken away; nothing when there is none as before."""
    had, has = before is not None and before.totp_secret is not None, now.totp_secret is not None
    if has:
        await note(connection, township, now.staff_id, "second_factor_set", now.changed_ms, replaced=had)
    elif had:
        await note(connection, township, now.staff_id, "second_factor_removed", now.changed_ms)


async def end_sessions(
    connection: AsyncConnection, township: str, staff_id: str, by: Actor, now_ms: int
) -> None:
    """Ends every session of a person, and says so where there were any."""
    ended = await sign_in.end_sessions_of(connection, township, staff_id)
    if ended:
        told: dict[str, Value] = {"staff": staff_id, "sessions": ended}
        await append(connection, Act(township, "sessions_ended", by, now_ms, told))


def is_told(failures: int, allowed: int) -> bool:
    """Whether so many failures in a row are an entry: `allowed` of them, twice as many, four times, ..."""
    times, rest = divmod(failures, allowed)
    return rest == 0 and times.bit_count() == 1


async def note_failures(
    connection: AsyncConnection, township: str, staff_id: str, failures: int, now_ms: int
) -> None:
    """That somebody failed so often in a row to sign in as this person."""
    told: dict[str, Value] = {"staff": staff_id, "failures": failures}
    await append(connection, Act(township, "sign_ins_failed", STRANGER, now_ms, told))


async def count_unknown(connection: AsyncConnection, township: str, now_ms: int) -> None:
    """Counts a failure of a name that nobody has, and tells how many there were since it was told last."""
    known = await sign_in.attempts_of(connection, township, UNKNOWN)
    failures, due = known.failures + 1, _due(known, now_ms)
    left = Attempts(0, now_ms) if due else Attempts(failures, known.last_ms)
    await sign_in.put_attempts(connection, township, UNKNOWN, left)
    if due:
        await _note_unknown(connection, township, failures, now_ms)


async def tell_rest(connection: AsyncConnection, township: str, now_ms: int) -> None:
    """Tells what was counted of such names and not told yet, when the hour has passed."""
    known = await sign_in.attempts_of(connection, township, UNKNOWN)
    if known.failures and _due(known, now_ms):
        await sign_in.put_attempts(connection, township, UNKNOWN, None)
        await _note_unknown(connection, township, known.failures, now_ms)


def _due(known: Attempts, now_ms: int) -> bool:
    """Whether an hour has passed; a clock that was set back does not silence it for long."""
    return not 0 <= now_ms - known.last_ms < EVERY_MS


async def _note_unknown(connection: AsyncConnection, township: str, failures: int, now_ms: int) -> None:
    told: dict[str, Value] = {"staff": None, "failures": failures}
    await append(connection, Act(township, "sign_ins_failed", STRANGER, now_ms, told))
