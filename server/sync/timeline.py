"""A server that came back from a backup: the timeline that it opens, and what it knows of the lost one.

What is lost is on the devices alone. What the server can be sure of stands in a cursor, sealed with the
township's own key: the newest change of its time, and the last registration number that had been given. So
no number of a change, and none that a citizen may hold, is given to anything else.
"""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import OPERATOR, Act, Actor
from server.audit.log import append
from server.storage import stream, townships
from server.storage.townships import Township


class Proof(msgspec.Struct, frozen=True):
    """What a reader's cursor proves of the timeline that it was given in."""

    tip: int = 0
    """The newest change; 0 when there was none."""
    tip_change: str = ""
    head: int = 0
    """As far as it has read: numbers up to here had been given."""
    register: tuple[int, int] = (0, 0)
    """A year, and the last registration number of it."""
    since_ms: int = 0
    """The reader's last contact that this server remembers: the backup is not older."""


async def locked_to_write(
    connection: AsyncConnection, township: str, heads: dict[str, int], now_ms: int
) -> Township | None:
    """The township with its lock, on a new timeline where the database went back while this process ran.

    So it does when a standby that lagged takes its primary's place. Without the memory of `heads`, numbers of changes
    would be given again until a device came that knows of the lost ones. Only what was read, and so was committed, is
    in it.
    """
    found, head = await townships.lock(connection, township), heads.get(township, 0)
    if found is None or found.counter >= head:
        saw(heads, found)
        return found
    since_ms = await townships.newest_ms(connection, township)
    found = await townships.open_epoch(connection, found, above=head, since_ms=since_ms, now_ms=now_ms)
    await append(connection, Act(township, "restored", OPERATOR, now_ms, {"since_ms": since_ms}))
    return found


def saw(heads: dict[str, int], township: Township | None) -> None:
    """Remembers how far a township has come."""
    if township is not None:
        heads[township.id] = max(township.counter, heads.get(township.id, 0))


async def restored(
    connection: AsyncConnection, township: Township, device: str, proof: Proof, now_ms: int
) -> Township:
    """The township on its own timeline, which is a new one where nobody has noticed the restore yet."""
    if all(township.survived(number) == number for number in (proof.tip, proof.head)):
        told = {"since_ms": proof.since_ms, "lost_above": township.counter}
        township = await townships.open_epoch(
            connection, township, above=max(proof.tip, proof.head), since_ms=proof.since_ms, now_ms=now_ms
        )
        await append(connection, Act(township.id, "restored", Actor("device", device), now_ms, told))
    return await pass_register(connection, township, *proof.register)


async def pass_register(connection: AsyncConnection, township: Township, year: int, last: int) -> Township:
    """Moves a register beyond a number that the lost timeline had given, and notes which ones that were."""
    before = await stream.registered(connection, township.id, year)
    if last <= before:
        return township
    await stream.register(connection, township.id, year, last)
    return await townships.note_numbers(connection, township, year, before + 1, last)
