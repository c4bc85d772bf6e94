"""A county as an office: a row like a township's for its people, and none of the records of its towns."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor
from server.audit.log import append
from server.directory.service import CURSOR_KEY_BYTES, new_township
from server.refused import RefusedError
from server.storage import directory, townships
from server.vault.keeping import vault_of
from sync_protocol.ids import RANDOM_BYTES, uuid7


async def open_county(
    connection: AsyncConnection, county: str, now_ms: int, random: Callable[[int], bytes], by: Actor
) -> None:
    """Opens a county where it is not open, and takes its lock; raises RefusedError for one that is not listed."""
    place = (await directory.places(connection, [county])).get(county)
    if place is None or place.level != "county":
        message = (
            f"The directory has no county {county}: import a list that has it first, "
            "with `roundbook directory import FILE.csv`."
        )
        raise RefusedError(message)
    values = new_township(place, uuid7(now_ms, random(RANDOM_BYTES)), random(CURSOR_KEY_BYTES), now_ms)
    new = await directory.add_township(connection, values)
    await townships.lock(connection, county)
    if new:
        await vault_of(connection).begin(connection, county, now_ms)
        await append(connection, Act(county, "county_opened", by, now_ms, {}))
