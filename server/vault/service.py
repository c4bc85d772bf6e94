"""Keys made, replaced and listed, and a wrong master key recognised before anything is written."""

from collections.abc import Sequence
from functools import partial
from secrets import token_bytes

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.chain import INSTALLATION
from server.audit.log import append
from server.directory.working import required
from server.storage import directory, keys, townships
from server.storage.engine import snapshot, transact
from server.storage.keys import DATA, KeyRow
from server.vault.keeping import Vault, vault_of
from server.vault.master import KEY_BYTES, KeyMissing, wrong


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


async def is_first(engine: AsyncEngine) -> bool:
    """Whether everything is under the first master key already. Raises KeyMissing where one does not fit."""
    await check(engine)
    first = (await snapshot(engine, _vault)).master.ids[0]
    return await snapshot(engine, keys.master_ids) in ([], [first])


async def new_data_key(engine: AsyncEngine, township: str, now_ms: int, *, by: Actor = OPERATOR) -> int:
    """Makes another data key, which seals from now on in this process, and in others once they have read it."""

    async def work(connection: AsyncConnection) -> int:
        await required(connection, township)
        await townships.lock(connection, township)
        await _check(connection)
        vault = vault_of(connection)
        last = (await keys.of_township(connection, township, (DATA,)))[-1]
        row = vault.wrapped(township, DATA, last.number + 1, token_bytes(KEY_BYTES), now_ms)
        await keys.add(connection, row)
        told = {"number": row.number}
        await append(connection, Act(township, "data_key_made", by, now_ms, told))
        vault.forget(township)
        return row.number

    return await transact(engine, work)


async def retire(engine: AsyncEngine, township: str, below: int, now_ms: int) -> None:
    """Notes that nothing is sealed any more under data keys before `below`. They stay: an old copy may need them."""
    await transact(engine, lambda connection: keys.retire(connection, township, below, now_ms))


async def rewrap(engine: AsyncEngine, now_ms: int, *, by: Actor = OPERATOR) -> int:
    """Wraps every key by the first master key; how many were under another. Servers may run meanwhile."""
    await check(engine)
    rows = await snapshot(engine, keys.everywhere)
    first = (await snapshot(engine, _vault)).master.ids[0]
    old = [row for row in rows if row.wrapped.master_id != first]
    for township in sorted({row.township for row in old}):
        mine = [row for row in old if row.township == township]
        await transact(engine, partial(_rewrap, rows=mine))
    if old:
        told: dict[str, Value] = {"master_id": first, "keys": len(old)}
        act = Act(INSTALLATION, "master_key_replaced", by, now_ms, told)
        await transact(engine, lambda connection: append(connection, act))
    return len(old)


async def _rewrap(connection: AsyncConnection, rows: Sequence[KeyRow]) -> None:
    vault = vault_of(connection)
    for row in rows:
        again = vault.wrapped(row.township, row.purpose, row.number, vault.unwrap(row), row.made_ms)
        await keys.rewrap(connection, row, again.wrapped)


async def _vault(connection: AsyncConnection) -> Vault:
    return vault_of(connection)
