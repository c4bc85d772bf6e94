"""Asked first by every service about a township: whether work is open there."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.offices import is_county, is_office
from server.refused import RefusedError
from server.storage import townships
from server.storage.townships import Township


async def required(connection: AsyncConnection, township: str) -> Township:
    """The township's row as this transaction sees it; raises RefusedError when no work was opened there."""
    _check(township)
    return _found(await townships.read(connection, township), township)


async def locked(connection: AsyncConnection, township: str) -> Township:
    """The same, holding the row's lock until the transaction ends."""
    _check(township)
    return _found(await townships.lock(connection, township), township)


def _check(township: str) -> None:
    if not is_office(township):
        named = f"not by {township[:20]!r}"
        message = f"A township is named by the 9 digits of its town code, such as 321283104, {named}."
        raise RefusedError(message)


def _found(township: Township | None, code: str) -> Township:
    if township is None and is_county(code):
        message = f"County {code} has no people yet: `roundbook staff add --county {code}` adds somebody."
        raise RefusedError(message)
    if township is None:
        message = f"Township {code} is not open here: open it with `roundbook township open {code}`."
        raise RefusedError(message)
    return township
