"""Asked first by every service about a township: whether work is open there."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.refused import RefusedError
from server.storage import townships
from server.storage.townships import Township
from sync_protocol.ids import place_level


async def required(connection: AsyncConnection, township: str) -> Township:
    """The township's row as this transaction sees it; raises RefusedError when no work was opened there."""
    _check(township)
    return _found(await townships.read(connection, township), township)


async def locked(connection: AsyncConnection, township: str) -> Township:
    """The same, holding the row's lock until the transaction ends."""
    _check(township)
    return _found(await townships.lock(connection, township), township)


def _check(township: str) -> None:
    if place_level(township) != "township":
        named = f"not by {township[:20]!r}"
        message = f"A township is named by the 9 digits of its town code, such as 321283104, {named}."
        raise RefusedError(message)


def _found(township: Township | None, code: str) -> Township:
    if township is None:
        message = f"Township {code} is not open here: open it with `roundbook township open {code}`."
        raise RefusedError(message)
    return township
