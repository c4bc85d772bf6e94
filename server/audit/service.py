"""Lists what was done, and verifies the chains."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.chain import Checker, Verified
from server.refused import RefusedError
from server.storage import audit
from server.storage.audit import Entry, Head
from server.storage.engine import snapshot

_HEX_DIGITS = 64
_STEP = 1_000


async def listed(
    engine: AsyncEngine, township: str | None = None, since_ms: int | None = None
) -> list[Entry]:
    """The entries of one chain or of all, in order; only those from a time on, when it is given."""

    async def work(connection: AsyncConnection) -> list[Entry]:
        return [entry async for entry in audit.entries(connection, township, since_ms)]

    return await snapshot(engine, work)


async def heads(engine: AsyncEngine, township: str | None = None) -> list[Head]:
    """Where the chains end: what somebody keeps elsewhere, to notice later that a chain was cut."""

    async def work(connection: AsyncConnection) -> list[Head]:
        return list((await audit.heads(connection, township)).values())

    return await snapshot(engine, work)


async def verify(
    engine: AsyncEngine,
    township: str | None = None,
    known: Sequence[Head] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> list[Verified]:
    """Looks at every entry of one chain or of all, in one snapshot. `progress` hears how many are done."""

    async def work(connection: AsyncConnection) -> list[Verified]:
        ends = await audit.heads(connection, township)
        mine = [head for head in known if township in {None, head.township}]
        codes = {*ends, *(head.township for head in mine), *([] if township is None else [township])}
        checkers = {code: Checker(code, mine) for code in codes}
        done = 0
        async for entry in audit.entries(connection, township):
            checkers.setdefault(entry.township, Checker(entry.township, mine)).take(entry)
            done += 1
            if done % _STEP == 0:
                progress(done)
        progress(done)
        return [checker.end(ends.get(code)) for code, checker in sorted(checkers.items())]

    return await snapshot(engine, work)


def written(head: Head) -> str:
    """A head as people keep it: 321283104:17:<64 hexadecimal digits>."""
    return f"{head.township}:{head.n}:{head.hash}"


def read(text: str) -> Head:
    """A head from what was kept; raises RefusedError."""
    township, _, rest = text.strip().partition(":")
    n, _, digest = rest.partition(":")
    if not township or not n.isdecimal() or len(digest) != _HEX_DIGITS or not digest.isalnum():
        message = f"A head is written as `roundbook audit head` prints it, not as {text[:100]!r}."
        raise RefusedError(message)
    return Head(township, int(n), digest.lower())
