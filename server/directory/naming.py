"""What people call a place, for pages that would otherwise show its code."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.services import Services
from server.storage import directory
from server.storage.engine import snapshot


async def place_name(services: Services, township: str, code: str) -> str:
    """The name of a grid, a village or the township; the code where nobody knows it any more."""

    async def read(connection: AsyncConnection) -> str:
        for grid in await directory.grids_of(connection, township, [code]):
            return grid.name
        known = await directory.places(connection, [code])
        return known[code].name if code in known else code

    return await snapshot(services.engine, read)
