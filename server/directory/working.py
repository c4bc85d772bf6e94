"""The one question that every service about a township asks first."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.refused import RefusedError
from server.storage import townships
from server.storage.townships import Township
from sync_protocol.ids import place_level


async def locked(connection: AsyncConnection, township: str) -> Township:
    """The township's row, under its lock; raises RefusedError when no work was started there."""
    if place_level(township) != "township":
        message = f"A township is named by the 9 digits of its town code, such as 321283104, not by {township[:20]!r}."
        raise RefusedError(message)
    found = await townships.lock(connection, township)
    if found is None:
        message = f"Township {township} is not open here: open it with `roundbook township open {township}`."
        raise RefusedError(message)
    return found
