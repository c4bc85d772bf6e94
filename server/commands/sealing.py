"""What was stored before there were keys is sealed, with progress for people: for `keys seal` and an upgrade."""

from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.directory import service as directory
from server.storage.engine import compact
from server.vault.resealing import reseal, rows_of


async def seal_stored(engine: AsyncEngine, township: str | None = None, *, quiet: bool) -> dict[str, int]:
    """Seals what every township (or one) has stored, and clears what the file has kept; to each its rows."""
    codes = [one.township for one in await directory.opened(engine)]
    wanted = [code for code in codes if township in {None, code}]
    done = {code: await resealed(engine, code, quiet=quiet) for code in wanted}
    await compact(engine)
    return done


async def resealed(engine: AsyncEngine, township: str, *, quiet: bool) -> int:
    """Seals everything of a township anew; how many rows there were."""
    total = await rows_of(engine, township)
    with output.progress(f"Sealing {township} 加密", total, quiet=quiet) as step:
        return await reseal(engine, township, step)
