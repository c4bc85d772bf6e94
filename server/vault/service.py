"""Keys made for townships that have none, and a wrong master key recognised before anything is written."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import directory, keys
from server.storage.engine import snapshot, transact
from server.storage.keys import DATA, KeyRow
from server.vault.keeping import Vault, vault_of
from server.vault.master import KeyMissing, wrong


def require_fitting(vault: Vault, needed: Sequence[str]) -> None:
    """Raises KeyMissing unless the vault has every master key of `needed`, by their ids."""
    if missing := sorted(set(needed) - set(vault.master.ids)):
        raise KeyMissing(wrong(vault.master.ids, missing))


async def check(engine: AsyncEngine) -> None:
    """Raises KeyMissing when the master key of the engine's vault is missing, or another than the database's."""
    await snapshot(engine, _check)


async def _check(connection: AsyncConnection) -> None:
    require_fitting(vault_of(connection), await keys.master_ids(connection))


async def ensure(engine: AsyncEngine, now_ms: int) -> list[str]:
    """Makes the keys of townships that were opened before there were any; their codes. Raises KeyMissing."""

    async def work(connection: AsyncConnection) -> list[str]:
        await _check(connection)
        there = {row.township for row in await keys.everywhere(connection) if row.purpose == DATA}
        bare = [one.township for one in await directory.opened(connection) if one.township not in there]
        for township in bare:
            await vault_of(connection).begin(connection, township, now_ms)
        return bare

    return await transact(engine, work)


async def listed(engine: AsyncEngine) -> list[KeyRow]:
    """Every key of every township, wrapped."""
    return await snapshot(engine, keys.everywhere)
